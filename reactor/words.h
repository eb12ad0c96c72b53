/* words.h - comparisons of whole words. */
#ifndef REACTOR_WORDS_H
#define REACTOR_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Does the name end in the suffix, with at least a byte before it? */
static inline bool word_ends_in(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && strcmp(name + n - m, suffix) == 0;
}

/* The list ends with NULL; words may be NULL: no list. */
static inline bool word_is_one_of(const char *word, const char *const *words)
{
	for (; words && *words; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

#endif
