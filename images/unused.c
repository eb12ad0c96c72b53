/* unused.c - see unused.h. */
#include "images/unused.h"

#include <stddef.h>

static void (*listener)(void);

void unused_on_ring(void (*fn)(void))
{
	listener = fn;
}

void unused_ring(void)
{
	if (listener)
		listener();
}
