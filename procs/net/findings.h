/* findings.h - what a look at networks has found: sentences, each with the word "mended" or "left" before it. */
#ifndef PROCS_NET_FINDINGS_H
#define PROCS_NET_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "reactor/arena.h"

enum { FINDINGS_MAX = 400 }; /* more are counted, in a sentence of their own */

struct findings {
	struct arena *arena; /* owns what follows */
	const char **at;     /* word, sentence, word, sentence, ..., NULL */
	size_t n;            /* sentences */
	size_t more;         /* not kept */
};

struct findings *findings_new(void);
void findings_free(struct findings *findings);
void finding(struct findings *f, bool mended, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool findings_have(const struct findings *f, const char *sentence);
/* The strings of the answer, valid as long as the findings. */
const char *const *findings_text(struct findings *f);

#endif
