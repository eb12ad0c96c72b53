/* near.c - see near.h: the optimal string alignment distance, by rows of its table. */
#include "reactor/near.h"

#include <string.h>

enum { LETTERS_MAX = 40, SHORT_WORD = 4 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Both have at most LETTERS_MAX bytes. */
static size_t edits_between(const char *a, const char *b)
{
	size_t rows[3][LETTERS_MAX + 1], na = strlen(a), nb = strlen(b);
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= nb; j++)
		above[j] = before[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = oldest;
	}
	return above[nb];
}

void near_try(struct near_word *n, const char *candidate)
{
	size_t len = strlen(n->word), edits;

	if (len > LETTERS_MAX || strlen(candidate) > LETTERS_MAX)
		return;
	edits = edits_between(n->word, candidate);
	if (edits > (len <= SHORT_WORD ? 1u : 2u) || (n->found && edits >= n->edits))
		return;
	n->found = candidate;
	n->edits = edits;
}
