/* hang.h - what the keeper saw of a crispd that did not turn its loop: this one, or the one before it. */
#ifndef PROCS_HANG_H
#define PROCS_HANG_H

#include <stdbool.h>

#include "reactor/arena.h"
#include "reactor/imsg.h"

void hang_take(const struct imsg *message); /* KEEPER_STOOD: counted, and kept as the last one */

/* The last one in words; "": there was none in the life of this crispd, and the one before it did not end so.
 * *lately: it ended less than an hour ago. */
const char *hang_text(struct arena *arena, bool *lately);

#endif
