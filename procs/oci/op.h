/* op.h - private to procs/oci/: one operation, shared by ops.c (its way from the queue to the end, and the verbs of all
 * programs) and inside.c (the verbs of a program whose sandbox is a container). */
#ifndef PROCS_OCI_OP_H
#define PROCS_OCI_OP_H

#include "procs/oci/program.h"
#include "reactor/sm.h"
#include "reactor/work.h"

enum { LOG_TAIL = 16 * 1024, ARGS_MAX = 26 + RUNTIME_ARGS_MAX };

struct oci_op {
	struct runtime_op op;
	struct sm sm;
	struct arena *arena;
	struct program *program;
	const char *argv[ARGS_MAX];
	size_t argc;
	const char *log; /* the file that the program logs to */
	struct child_spec spec;
	struct child_fd fds[3]; /* .ours is owned: duplicates of the caller's */
	struct program_wait probe;
	bool needs_criu, unqueued; /* unqueued: holds no slot, or no more */
	void (*answer)(struct oci_op *op, struct child_result *result); /* NULL, or reads it, sets err */
	struct link link; /* in `queued` */
	struct work queue;
	struct child *child;
	struct timer timer;
	int64_t since_ns; /* when the present step (queued, then running) began */
	struct err err; /* meaningful when it failed */
	runtime_done *done;
	void *arg;
};

/* ---- ops.c ---- */

struct oci_op *oci_op(const struct runtime_handler *handler, const char *verb, const char *id, runtime_done *done,
		      void *arg);
/* scope: the runtime makes the container's group through systemd. Only a verb that makes a group needs the option; the
 * runtime remembers it in its state for the other verbs. */
struct oci_op *oci_op_of_group(const struct runtime_handler *handler, const char *verb, const char *id, bool scope,
			       runtime_done *done, void *arg);
void oci_arg(struct oci_op *op, const char *arg); /* copied */
struct runtime_op *oci_start(struct oci_op *op); /* err set: it fails in the next turn */

/* ---- inside.c ---- */

void oci_keep_nothing(struct oci_op *run);
void oci_exec_inside(struct oci_op *exec, const char *pidfile);
bool oci_inside_known(const struct runtime_handler *handler, const char *id);
/* The answer of `wait` as a status of waitpid(2). INTERNAL: it is none. */
int oci_exit_status(const char *text, size_t len, int *status, struct err *e);
unsigned oci_traits(const struct runtime_handler *handler);
struct runtime_op *oci_run_sandbox(const struct runtime_handler *handler, const struct runtime_sandbox *sandbox,
				   runtime_done *done, void *arg);
struct runtime_op *oci_wait(const struct runtime_handler *handler, const char *id, runtime_done *done, void *arg);
struct runtime_op *oci_kill(const struct runtime_handler *handler, const char *id, int sig, bool all,
			    runtime_done *done, void *arg);
struct runtime_op *oci_exec_kill(const struct runtime_handler *handler, const char *id, const char *pidfile,
				 runtime_done *done, void *arg);
int oci_usage_read(const char *text, size_t len, struct runtime_usage *out, struct err *e); /* INTERNAL */
struct runtime_op *oci_stats(const struct runtime_handler *handler, const char *id, runtime_done *done, void *arg);
struct runtime_op *oci_forward(const struct runtime_handler *handler, const char *sandbox_id, const char *socket,
			       uint16_t port, runtime_done *done, void *arg);

#endif
