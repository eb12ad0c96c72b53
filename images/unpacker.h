/* unpacker.h - the command line and the answer of crisp-unpack; for the files of images/ that start it. */
#ifndef IMAGES_UNPACKER_H
#define IMAGES_UNPACKER_H

#include <stdbool.h>
#include <stdint.h>

#include "images/digest.h"
#include "images/unpack.h"
#include "reactor/arena.h"
#include "reactor/child.h"
#include "reactor/err.h"

enum { UNPACKER_ARGS_MAX = 80 };

/* A command line. Strings are borrowed until child_start(), and the struct must not move until then. */
struct unpacker {
	struct arena *arena;
	const char *argv[UNPACKER_ARGS_MAX];
	int n;
	struct child_fd fds[2];
	struct child_spec spec;
};

void unpacker_setup(void); /* called by unpack_open() */

void unpacker_open(struct unpacker *command, struct arena *arena, const char *job);
void unpacker_add(struct unpacker *command, const char *word);
void unpacker_add_option(struct unpacker *command, const char *name, const char *value);
void unpacker_add_number(struct unpacker *command, const char *name, uint64_t value);
void unpacker_add_parents(struct unpacker *command, const char *const *parents); /* NULL: no option */

struct unpacker_answer {
	uint64_t bytes, inodes, xattrs_left_out;
	bool self_contained, finished;
	char digest[DIGEST_SIZE]; /* "": the job tells none */
};

/* Reads the answer from the arguments of a child_done. -1: the error that the child printed, with its code; or
 * `failed`; or INTERNAL when the child died or its answer cannot be parsed. */
int unpacker_answer(const struct err *failed, const struct child_result *result, struct unpacker_answer *out,
		    struct err *e);

/* The child ended without an answer, so it has not removed what it wrote. */
bool unpacker_died(const struct err *failed, const struct child_result *result);

const char *unpacker_ingest(struct arena *arena, const char *name); /* the child's directory: <root>/ingest/<name> */

#endif
