/* lookup_memo.h - a path that is asked about again and again: a program, a certificate.
 *
 * The answer comes at once and never waits. Where the loop can look itself (lookup.h), it is today's. Elsewhere it is
 * the last one that a child has brought, and another child is asked in the background, every 5 s at most. */
#ifndef REACTOR_LOOKUP_MEMO_H
#define REACTOR_LOOKUP_MEMO_H

#include "reactor/lookup.h"

struct lookup_memo; /* owned by its maker until lookup_memo_free() */

/* path is absolute; copied. `changed` (NULL: none) runs when a child has brought another answer or error than before,
 * never inside a call. */
struct lookup_memo *lookup_memo_new(const char *path, void (*changed)(void *arg), void *arg);
void lookup_memo_free(struct lookup_memo *memo); /* NULL is fine */

/* The facts of LOOKUP_NODE, without `real`; borrowed until the next call. NULL with the error of lookup_start(), or
 * UNAVAILABLE: no child has answered so far. */
const struct looked *lookup_memo_get(struct lookup_memo *memo, struct err *e);

#endif
