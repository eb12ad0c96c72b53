/* unpacker.h - how crisp-unpack is called and what it answers; for unpack.c, removal.c and archive.c. */
#ifndef IMAGES_UNPACKER_H
#define IMAGES_UNPACKER_H

#include <stdbool.h>
#include <stdint.h>

#include "images/unpack.h"
#include "reactor/arena.h"
#include "reactor/child.h"
#include "reactor/err.h"

enum { UNPACKER_ARGS_MAX = 80 };

/* One command line in the making; strings are borrowed until child_start(), the struct must not move. */
struct unpacker {
	struct arena *arena;
	const char *argv[UNPACKER_ARGS_MAX];
	int n;
	struct child_fd fds[2];
	struct child_spec spec;
};

void unpacker_setup(void); /* called by unpack_open() */

void unpacker_open(struct unpacker *c, struct arena *a, const char *job);
void unpacker_add(struct unpacker *c, const char *word);
void unpacker_add_option(struct unpacker *c, const char *name, const char *value);
void unpacker_add_number(struct unpacker *c, const char *name, uint64_t value);
void unpacker_add_parents(struct unpacker *c, const char *const *parents); /* NULL: not known, no option */

struct unpacker_answer {
	uint64_t bytes, inodes, xattrs_left_out;
	bool self_contained, finished;
};

/* From a child_done's arguments. The child's own error, with its code; the child_done's one; or INTERNAL when the child
 * died or says what we do not understand. */
int unpacker_answer(const struct err *failed, const struct child_result *r, struct unpacker_answer *out, struct err *e);

/* It ended without a word: what it wrote is still there. */
bool unpacker_died(const struct err *failed, const struct child_result *r);

const char *unpacker_ingest(struct arena *a, const char *name); /* where it works: <root>/ingest/<name> */

#endif
