/* pairs.c - pairs_get() of fields.h. It is in a file of its own: a program that links it needs no other library. */
#include "reactor/fields.h"

const char *pairs_get(const struct pairs *p, const char *key)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->at[i].key, key) == 0)
			return p->at[i].value;
	return NULL;
}
