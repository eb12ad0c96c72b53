/* runtime.h - what runs containers: the runtime handlers of the configuration, and the operations of their kinds.
 *
 * A handler is a name that RunPodSandbox may ask for (runtime_handler). Its type says which kind of runtime serves it.
 * The one kind today is "oci" (procs/oci/): a program with the command line of runc (OCI runtime-spec, runtime.md;
 * opencontainers/runtime-tools docs/command-line-interface.md). Code outside of procs/oci/ includes this header only,
 * except runtime.c, which opens the programs of the configuration. The kind has one private header, oci/program.h: the
 * probe of a program, its log, its trial.
 *
 * The operations below are what the machines of a container (start, life, stop, exec, update, checkpoint, remove) need.
 * No machine sees a command line, so a kind may work without one. The operations are plain functions, which procs/oci/
 * implements. With a second kind each function has to choose the kind by handler->type.
 *
 * What a kind guarantees, and where its machines rely on it:
 * - Exit. The first process of a container, and of an exec, is a process that the keeper keeps (keep_id: the id of the
 *   container or of the exec): runtime_run(), _restore() and _exec() succeed only once the keeper has it, so its exit
 *   record is there after any crash of this daemon (life.c, exec.c). A kind whose process is not on this kernel has to
 *   keep a waiter instead: a process that ends with the exit status, and that can be started again for a container that
 *   runs already.
 * - Signals go through the pidfd of the kept process (life_pidfd()) and through the cgroup, never through the runtime.
 * - The cgroup that the caller names (for an exec: the container's) holds all processes and is the one that is counted
 *   (stats.c), killed (cgroup_kill()) and removed after `delete`. The kind makes it, with its device policy.
 * - stdio are fds of this daemon, copied by the call: FIFOs and files that any process can inherit. A terminal's master
 *   comes back over a socket at a path (console_socket).
 * - delete is idempotent with `force`: success says that the runtime knows no such container, whoever deleted it.
 * - Crash. When this daemon dies, a running `run`, `restore` or `exec` goes on to its end and its process is kept; a
 *   `checkpoint` has 5 s to end; any other operation is killed. So a container whose `run` was begun may be unknown to
 *   the runtime, half made or running: the keeper tells whether it runs, and a forced delete removes the rest. A
 *   container that was paused stays so until `resume`, which may be repeated. */
#ifndef PROCS_RUNTIME_H
#define PROCS_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

struct child_result;

struct runtime_handler {
	const char *name; /* "runc" */
	const char *type; /* "oci" */
	const char *path; /* of the program */
};

struct runtimes_config {
	const struct runtime_handler *handlers;
	size_t n;
	const char *default_name;
	const char *state; /* <state>/runtime/<name> is where the runtime has its own state */
};

/* INVALID_ARGUMENT: the default handler is not configured, a type is unknown. A handler whose program is missing is a
 * condition in Status, not an error here: the program may come later (checked at each use). */
int runtimes_open(const struct runtimes_config *config, struct err *e);

/* "" is the default. NULL: unknown. */
const struct runtime_handler *runtime_find(const char *name);
void runtime_each(void (*fn)(void *arg, const struct runtime_handler *handler, bool usable, const char *why_not),
		  void *arg);

/* FAILED_PRECONDITION names what is wrong with its program: it is not there, may not be executed, or failed when it
 * was last tried. A program that was not tried yet passes. */
int runtime_usable(const struct runtime_handler *handler, struct err *e);

/* Has the runtime a state of this container? It is the directory of the state that is looked at, so the answer is true
 * for a half-made state too. While an operation of that container may run, false says nothing. */
bool runtime_knows(const struct runtime_handler *handler, const char *id);

struct runtime_features {
	bool recursive_read_only;
	bool user_namespaces; /* it was tried (runtime_trials_open()) */
	bool seccomp_bpf;     /* it takes a compiled filter by the annotation run.oci.seccomp_bpf_data */
	bool checkpoint;      /* the program says that it was built with it; whether CRIU is there is not looked at */
};
/* All false while the program is not usable or was not tried yet. */
void runtime_features(const struct runtime_handler *handler, struct runtime_features *out);

/* ---- trials ----
 *
 * Debian's runc 1.1.5 and crun 1.8.1 run containers in a user namespace, and neither can say so (`features` came later,
 * and tells less). So each handler runs one container as pods with a user namespace have them; the container's exit
 * status is the answer. */
struct runtime_trials_config { /* copied; strings borrowed for ever */
	const char *state;      /* <state>/userns-trial/<handler> is the directory of the trial */
	const char *pause_path; /* the program that is run: crisp-pause, which ends at once when told to */
	/* Whether file systems can be shifted into that user namespace; the caller is the maker of file systems. */
	int (*rootfs)(int userns, struct err *e);
};

/* From now on every handler is tried, now and whenever its program has changed. runtime_features() says false until
 * the trial has ended. */
void runtime_trials_open(const struct runtime_trials_config *config);
void runtime_trials_close(void); /* trials under way are given up, and what they made is removed */

/* ---- operations: each spawns the program once. done: exactly once, never inside the call ----
 *
 * Errors: FAILED_PRECONDITION no usable program; UNAVAILABLE no keeper; DEADLINE_EXCEEDED the program hangs;
 * INTERNAL with the program's own words, one line of at most 500 bytes. Two operations per CPU run at a time, the rest
 * wait in order. */

struct runtime_op;
typedef void runtime_done(void *arg, const struct err *e, struct child_result *result);

struct runtime_stdio {
	int in, out, err; /* borrowed for the call; -1: /dev/null */
	const char *console_socket; /* NULL, or where the runtime sends the pty's master (process.terminal is true) */
};

/* Creates and starts in one. The keeper keeps the first process under the container's id. cgroup: its path, as
 * config.json in the bundle says it, too. (ARCHITECTURE P3) */
struct runtime_op *runtime_run(const struct runtime_handler *handler, const char *id, const char *bundle,
			       const char *cgroup, const struct runtime_stdio *io, runtime_done *done, void *arg);

/* process_path is a file with the OCI `process` object. keep_id: the exec's own id. */
struct runtime_op *runtime_exec(const struct runtime_handler *handler, const char *id, const char *process_path,
				const char *pidfile, const char *keep_id, const struct runtime_stdio *io,
				runtime_done *done, void *arg);

/* Removes the runtime's state and the cgroup. With `force` the runtime first kills what is left, and a container that
 * it does not know is success. runc from 1.2 on then sleeps 100 ms, so a container whose end was seen is deleted
 * without. (ARCHITECTURE X7) */
struct runtime_op *runtime_delete(const struct runtime_handler *handler, const char *id, bool force,
				  runtime_done *done, void *arg);

/* resources_json: linux.resources of the OCI runtime-spec. */
struct runtime_op *runtime_update(const struct runtime_handler *handler, const char *id, const char *resources_json,
				  runtime_done *done, void *arg);

/* pause, checkpoint and resume make a checkpoint; restore starts a container from one. `pause` and `checkpoint` are
 * FAILED_PRECONDITION, with what to install, when the program was built without checkpoints or no criu is where the
 * program would look. A `checkpoint` may be cancelled: what CRIU put into the processes removes itself when CRIU is
 * gone (4 of 4 kills in the midst of memory pages). A checkpoint that outlives this daemon has 5 s to end. A checkpoint
 * is not queued: it takes as long as the memory is large, and the queue is for operations of milliseconds.
 * (ARCHITECTURE C4) */
struct runtime_op *runtime_pause(const struct runtime_handler *handler, const char *id, runtime_done *done, void *arg);
struct runtime_op *runtime_resume(const struct runtime_handler *handler, const char *id, runtime_done *done,
				  void *arg);

struct runtime_images {
	const char *dir;         /* CRIU's images */
	const char *work;        /* CRIU's logs; made when missing */
	const char *criu_config; /* a file of CRIU options for this call, on top of the machine's own */
	int64_t timeout_ms;
};
struct runtime_op *runtime_checkpoint(const struct runtime_handler *handler, const char *id,
				      const struct runtime_images *images, runtime_done *done, void *arg);
/* Else as runtime_run(). */
struct runtime_op *runtime_restore(const struct runtime_handler *handler, const char *id, const char *bundle,
				   const char *cgroup, const struct runtime_images *images,
				   const struct runtime_stdio *io, runtime_done *done, void *arg);

/* Kills the program's process group; done never runs. runtime_delete() afterwards cleans up. */
void runtime_cancel(struct runtime_op *op);

#endif
