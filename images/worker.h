/* worker.h - the command lines and the answers of the workers for files, crisp-unpack and crisp-tree; for the files of
 * images/ that start them. */
#ifndef IMAGES_WORKER_H
#define IMAGES_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "images/answer.h"
#include "images/unpack.h"
#include "reactor/arena.h"
#include "reactor/child.h"
#include "reactor/err.h"

enum { WORKER_ARGS_MAX = 80 };

/* A command line. Strings are borrowed until child_start(), and the struct must not move until then. */
struct worker {
	struct arena *arena;
	const char *argv[WORKER_ARGS_MAX];
	int n;
	struct child_fd fds[2];
	struct child_spec spec;
};

void worker_setup(void); /* called by unpack_open() */

void worker_open(struct worker *command, struct arena *arena, const char *job); /* of crisp-unpack */
void worker_open_tree(struct worker *command, struct arena *arena, const char *job); /* of crisp-tree */
void worker_add(struct worker *command, const char *word);
void worker_add_option(struct worker *command, const char *name, const char *value);
void worker_add_number(struct worker *command, const char *name, uint64_t value);
void worker_add_parents(struct worker *command, const char *const *parents); /* NULL: no option */

/* Reads the answer from the arguments of a child_done. -1: the error that the child printed, with its code; or
 * `failed`; or INTERNAL when the child died or its answer cannot be parsed. */
int worker_answer(const struct err *failed, const struct child_result *result, struct answer *out,
		    struct err *e);

/* The child ended without an answer, so it has not removed what it wrote. */
bool worker_died(const struct err *failed, const struct child_result *result);

const char *worker_ingest(struct arena *arena, const char *name); /* the child's directory: <root>/ingest/<name> */

#endif
