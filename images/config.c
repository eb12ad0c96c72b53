/* config.c - see config.h. */
#include "images/config.h"

static const struct images_config *current;

void images_configure(const struct images_config *config)
{
	current = config;
}

const struct images_config *images_config(void)
{
	return current;
}
