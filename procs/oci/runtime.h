/* runtime.h - an OCI runtime as a program: runc, crun and any other with their command line.
 *
 * Spec: OCI runtime-spec, runtime.md; the command line is runc's (opencontainers/runtime-tools
 * docs/command-line-interface.md). A handler whose program is missing is a condition, not an error at start: it may
 * come later (checked at each use). Debian's crun 1.8.1 takes ociVersion 1.0.x only and refuses hybrid cgroup hosts
 * unless /sys/fs/cgroup/unified is out of its mount namespace: probed at open by `--version`, handled here. */
#ifndef PROCS_OCI_RUNTIME_H
#define PROCS_OCI_RUNTIME_H

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
	const char *state; /* <state>: runtime roots are <state>/runtime/<name> */
};

/* INVALID_ARGUMENT: default not among them, unknown type */
int runtimes_open(const struct runtimes_config *cfg, struct err *e);

/* "" is the default. NULL: unknown. */
const struct runtime_handler *runtime_find(const char *name);
void runtime_each(void (*fn)(void *arg, const struct runtime_handler *h, bool usable, const char *why_not), void *arg);

/* FAILED_PRECONDITION names what is wrong with its program: it is not there, may not be executed, or failed when it
 * was last tried. A program that was not tried yet passes. */
int runtime_usable(const struct runtime_handler *h, struct err *e);

struct runtime_features {
	bool recursive_read_only;
	bool user_namespaces; /* it was tried (userns.h) */
	bool seccomp_bpf;     /* it takes a compiled filter by the annotation run.oci.seccomp_bpf_data */
	bool checkpoint;      /* the program says that it was built with it; CRIU is another matter */
};
/* All false while the program is not usable or was not tried yet. */
void runtime_features(const struct runtime_handler *h, struct runtime_features *out);

/* ---- operations: each spawns the program once. done: exactly once, never inside the call ----
 *
 * Errors: FAILED_PRECONDITION no usable program; UNAVAILABLE no keeper; DEADLINE_EXCEEDED the program hangs;
 * INTERNAL with the program's own words, one line of at most 500 bytes. Only some run at a time, the rest wait in
 * order. */

struct oci_op;
typedef void oci_done(void *arg, const struct err *e, struct child_result *r);

struct oci_stdio {
	int in, out, err; /* borrowed for the call; -1: /dev/null */
	const char *console_socket; /* NULL, or where the runtime sends the pty's master (process.terminal is true) */
};

/* `run --detach`: create and start in one. The keeper keeps the first process under the container's id. cgroup: its
 * path, as config.json says it, too. */
struct oci_op *oci_run(const struct runtime_handler *h, const char *id, const char *bundle, const char *cgroup,
		       const struct oci_stdio *io, oci_done *done, void *arg);

/* `exec --detach`: process_path is a file with the OCI `process` object. keep_id: the exec's own id. */
struct oci_op *oci_exec(const struct runtime_handler *h, const char *id, const char *process_path, const char *pidfile,
			const char *keep_id, const struct oci_stdio *io, oci_done *done, void *arg);

/* `delete`: removes its state and cgroup. With `force` it kills first what is left, and a container that the runtime
 * does not know is success; runc from 1.2 on then sleeps 100 ms, so a container whose end was seen is deleted
 * without. */
struct oci_op *oci_delete(const struct runtime_handler *h, const char *id, bool force, oci_done *done, void *arg);

/* `update --resources -`. */
struct oci_op *oci_update(const struct runtime_handler *h, const char *id, const char *resources_json, oci_done *done,
			  void *arg);

/* The three that make a checkpoint, and the one that takes it up. `pause` and `checkpoint` are FAILED_PRECONDITION,
 * with what to install, when the program was built without checkpoints or there is no criu where it would look.
 * criu_config: a file of CRIU options for this call, on top of the machine's own. A `checkpoint` may be cancelled:
 * what CRIU put into the processes takes itself out again when CRIU is gone (4 of 4 kills in the midst of memory
 * pages). One that outlives this daemon has 5 s to end. It waits for nobody and nobody for it: the queue is for
 * milliseconds. */
struct oci_op *oci_pause(const struct runtime_handler *h, const char *id, oci_done *done, void *arg);
struct oci_op *oci_resume(const struct runtime_handler *h, const char *id, oci_done *done, void *arg);

struct oci_images {
	const char *dir;         /* CRIU's images */
	const char *work;        /* its logs; made when missing */
	const char *criu_config;
	int64_t timeout_ms;
};
struct oci_op *oci_checkpoint(const struct runtime_handler *h, const char *id, const struct oci_images *images,
			      oci_done *done, void *arg);
/* Else as oci_run(). */
struct oci_op *oci_restore(const struct runtime_handler *h, const char *id, const char *bundle, const char *cgroup,
			   const struct oci_images *images, const struct oci_stdio *io, oci_done *done, void *arg);

/* `run` in the foreground, for a container that ends by itself at once: done when it has, and INTERNAL unless it
 * exited with 0. */
struct oci_op *oci_try(const struct runtime_handler *h, const char *id, const char *bundle, const char *cgroup,
		       oci_done *done, void *arg);

/* kills the program's process group; done never runs; oci_delete() afterwards cleans up */
void oci_cancel(struct oci_op *op);

#endif
