/* near.h - the known word that a mistyped one was meant to be. */
#ifndef REACTOR_NEAR_H
#define REACTOR_NEAR_H

#include <stddef.h>

struct near_word {
	const char *word;  /* as it was typed; borrowed */
	const char *found; /* the nearest candidate so far; NULL: none is near */
	size_t edits;      /* between the two */
};

/* A candidate is near when one letter (word of at most four letters) or two were left out, added, replaced, or swapped
 * with the next one. Words of more than 40 bytes are near to none. The candidate is borrowed. */
void near_try(struct near_word *near, const char *candidate);

#endif
