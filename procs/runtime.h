/* runtime.h - what runs containers: the runtime handlers of the configuration, and the operations of their kinds.
 *
 * A handler is a name that RunPodSandbox may ask for (runtime_handler). Its type says which kind of runtime serves it:
 *   oci     procs/oci/: a program with the command line of runc (OCI runtime-spec, runtime.md;
 *           opencontainers/runtime-tools docs/command-line-interface.md)
 *   native  procs/native/: no other program; crisp-zygote makes the processes. What it does not do itself goes by its
 *           fallback, a handler of type oci
 *   shim    procs/shim/: a program with containerd's shim v2, whose daemon runs the containers of a pod
 *
 * The operations below are what the machines of a container (start, life, stop, exec, update, checkpoint, remove) need.
 * No machine sees a command line. runtime.c hands each one to the kind of the handler (runtime_kind.h), which is all
 * that it knows of a kind; code outside of their folders includes this header only.
 *
 * What a kind guarantees, and where its machines rely on it:
 * A kind tells by runtime_traits() in what it differs from this:
 * - Exit. The first process of a container, and of an exec, is a process that the keeper keeps (keep_id: the id of the
 *   container or of the exec): runtime_run(), _restore() and _exec() succeed only once the keeper has it, so its exit
 *   record is there after any crash of this daemon (life.c, exec.c). With RUNTIME_WAITS no process of this kernel ends
 *   with the container: runtime_wait() tells how it ended, as often as it is asked, until `delete`.
 * - Signals go through the pidfd of the kept process (life_pidfd()) and through the cgroup, never through the runtime;
 *   with RUNTIME_KILLS by runtime_kill() and runtime_exec_kill() alone.
 * - The cgroup that the caller names (for an exec: the container's) holds all processes and is the one that is counted
 *   (stats.c), killed (cgroup_kill()) and removed after `delete`. The kind makes it, with its device policy.
 * - stdio are fds of this daemon, copied by the call: FIFOs and files that any process can inherit. A terminal's master
 *   comes back over a socket at a path (console_socket).
 * - delete is idempotent with `force`: success says that the runtime knows no such container, whoever deleted it.
 * - Crash. When this daemon dies, a running `run`, `restore` or `exec` goes on to its end and its process is kept; a
 *   `checkpoint` has 5 s to end; any other operation is killed. When the keeper dies, these go on too, and the next
 *   keeper brings the end of the operation; UNAVAILABLE says that nothing runs by it. So a container whose `run` was
 *   begun may be unknown to the runtime, half made or running: the keeper tells whether it runs, and a forced delete
 *   removes the rest. A container that was paused stays so until `resume`, which may be repeated. */
#ifndef PROCS_RUNTIME_H
#define PROCS_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/json.h"

struct child_result;

enum { RUNTIME_ARGS_MAX = 32 };

/* What a handler is told beside its program (docs/crisp-config.5, runtimes). Zeroed: nothing. */
struct runtime_options {
	struct strings args;         /* global flags of the program; at most RUNTIME_ARGS_MAX */
	const char *root;            /* the directory of its state; "": <state>/runtime/<name> */
	bool sandbox_container;      /* RunPodSandbox makes a container of it, before all of the pod */
	bool sandbox_api;            /* shim: RunPodSandbox has the shim make the sandbox, by its sandbox API */
	int64_t create_timeout_ms;   /* of runtime_run(); 0: 2 min */
	struct strings allowed_annotations; /* of pod and container, to be passed on: words with * for any characters */
	struct pairs default_annotations;   /* passed on unless the pod or the container has an own one */
	const char *base_spec;       /* a file: what config.json has beside that which crisp writes; "": nothing */
	const char *cni_conf_dir;    /* the conflist of its pods; "": that of the node */
	bool privileged_without_host_devices;
	bool cgroup_writable;        /* /sys/fs/cgroup of unprivileged containers, on cgroup v2 */
	const char *binary;          /* shim: the OCI runtime that a runc shim runs; "": its default */
	const char *config_path;     /* shim: a file that other shims are told of; "": none */
};
extern const struct field runtime_options_fields[];

struct runtime_handler {
	const char *name;     /* "runc" */
	const char *type;     /* "oci", "native", "shim" */
	const char *path;     /* oci, shim: of the program; shim: or a runtime type (io.containerd.runc.v2); else "" */
	const char *fallback; /* native: the name of the oci handler for what it does not do itself; "": none */
	struct runtime_options options;
};

struct runtimes_config {
	const struct runtime_handler *handlers;
	size_t n;
	const char *default_name;
	const char *state; /* <state>/runtime/<name> is where the runtime has its own state */
	const char *zygote; /* the path of crisp-zygote, for native handlers */
};

/* INVALID_ARGUMENT: the default handler is not configured, a type is unknown, a base_spec is no file of JSON. A handler
 * whose program is missing is a condition in Status, not an error here: the program may come later (checked at each
 * use). */
int runtimes_open(const struct runtimes_config *config, struct err *e);

/* What the same would refuse, without an effect: not the default handler, which the configuration has checked. */
int runtimes_check(const struct runtimes_config *config, struct err *e);

/* "" is the default. NULL: unknown. */
const struct runtime_handler *runtime_find(const char *name);

/* The handler that will run a container with this config.json: the handler itself, or its fallback. Decided once, at
 * CreateContainer. *reason is "" or why the handler does not run it itself, in the arena. `restores`: it begins from a
 * checkpoint. NULL: UNIMPLEMENTED, the handler cannot run it and has no fallback. (ARCHITECTURE N5) */
const struct runtime_handler *runtime_choose(const struct runtime_handler *handler, const json_t *config, bool restores,
					     struct arena *arena, const char **reason, struct err *e);
/* What the file base_spec of that handler had when the daemon started; NULL: it has none. Borrowed. */
const json_t *runtime_base_spec(const char *name);
void runtime_each(void (*fn)(void *arg, const struct runtime_handler *handler, bool usable, const char *why_not),
		  void *arg);

/* FAILED_PRECONDITION names what is wrong with its program: it is not there, may not be executed, or failed when it
 * was last tried. A program that was not tried yet passes. */
int runtime_usable(const struct runtime_handler *handler, struct err *e);

/* A known fault of its version that pods can use, with what to install; "": none is known, or it was not tried yet. The
 * handler is used all the same. Borrowed until its program changes. */
const char *runtime_warning(const struct runtime_handler *handler);

/* In what a handler differs from a program that makes processes of this kernel. */
enum runtime_trait {
	RUNTIME_SANDBOX = 1,  /* a pod has a container of the runtime first: runtime_run_sandbox() */
	RUNTIME_INSIDE = 256, /* its process is that of all the pod's containers; their own groups are empty. Without:
				 no process of it is kept, and runtime_wait() tells its end */
	RUNTIME_WAITS = 2,    /* runtime_wait() */
	RUNTIME_KILLS = 4,    /* runtime_kill(), runtime_exec_kill() */
	RUNTIME_STATS = 8,    /* runtime_stats() */
	RUNTIME_FORWARDS = 16, /* runtime_forward(): the pod's addresses are not in its network namespace any more */
	RUNTIME_EXEC_WAITS = 32, /* runtime_exec_wait(): no process of an exec is kept */
	RUNTIME_KEEPS = 128,     /* runtime_exec() wants `args` and `terminal` of a process alone, and knows the rest */
	RUNTIME_SANDBOX_API = 512, /* runtime_run_sandbox() makes no container, but what the runtime itself calls a
				      sandbox; runtime_wait() tells its end, runtime_delete() stops and removes it */
	RUNTIME_STREAMS = 64  /* stdio are FIFOs with names. A terminal is the runtime's: its bytes go through stdin and
				 stdout, its size by runtime_resize(). runtime_close_stdin() */
};
unsigned runtime_traits(const struct runtime_handler *handler); /* bits of enum runtime_trait */

/* Has the runtime a state of this container? It is the directory of the state that is looked at, so the answer is true
 * for a half-made state too. While an operation of that container may run, false says nothing. */
bool runtime_knows(const struct runtime_handler *handler, const char *id);

/* Can the program of a container have begun, whose runtime_run() was cut off, and of which the keeper keeps nothing? As
 * runtime_knows(), but a kind that writes down how far a start came says false of one that was made and not started. */
bool runtime_may_have_run(const struct runtime_handler *handler, const char *id);

/* Takes up a start that was cut off when its program was about to begin: true says that the next runtime_wait() brings
 * the start to its end. *pid: the first process. False: the kind cannot, or the start did not come so far. */
bool runtime_take_up(const struct runtime_handler *handler, const char *id, pid_t *pid);

struct runtime_features {
	bool recursive_read_only;
	bool user_namespaces; /* it was tried (runtime_trials_open()) */
	bool seccomp_bpf;     /* it takes a compiled filter by the annotation run.oci.seccomp_bpf_data */
	bool lifts_quota;     /* its update takes a cpu quota of -1 on cgroup v1 */
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
/* No trial begins any more. `ended` runs once, never inside this call, when those under way have come to their end and
 * have removed what the runtime has in its state. */
void runtime_trials_end(void (*ended)(void));
/* Trials under way are given up, and what they made is removed; the runtime may still have them in its state, where the
 * next trial removes them. */
void runtime_trials_close(void);

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
	bool terminal; /* process.terminal is true, with RUNTIME_STREAMS */
};

/* Creates and starts in one. The keeper keeps the first process under the container's id. cgroup: its path, as
 * config.json in the bundle says it, too. (ARCHITECTURE P3) */
struct runtime_op *runtime_run(const struct runtime_handler *handler, const char *id, const char *bundle,
			       const char *cgroup, const struct runtime_stdio *io, runtime_done *done, void *arg);

struct runtime_exec {
	const char *id;           /* of the container */
	const char *bundle;       /* of the container */
	const char *cgroup;       /* of the container */
	const char *process_path; /* a file with the OCI `process` object (RUNTIME_KEEPS) */
	const char *pidfile;      /* where a program writes the pid */
	const char *keep_id;      /* the exec's own id */
	int pidfd;                /* of the container's first process; borrowed for the call; -1: it has ended */
	pid_t pid;                /* the same */
	int oom_score_adj;        /* of the container, for a runtime that does not take it from the process */
};

/* With RUNTIME_KILLS an exec has a file of this name from before it begins, beside its pid file. By it the next crispd
 * finds the exec (exec_inside_sweep()). */
#define RUNTIME_EXEC_MARK ".in"
static inline const char *runtime_exec_mark(struct arena *a, const char *pidfile)
{
	return arena_printf(a, "%s" RUNTIME_EXEC_MARK, pidfile);
}

struct runtime_op *runtime_exec(const struct runtime_handler *handler, const struct runtime_exec *exec,
				const struct runtime_stdio *io, runtime_done *done, void *arg);

/* Removes the runtime's state and the cgroup. With `force` the runtime first kills what is left, and a container that
 * it does not know is success. runc from 1.2 on then sleeps 100 ms, so a container whose end was seen is deleted
 * without. (ARCHITECTURE X7) */
struct runtime_op *runtime_delete(const struct runtime_handler *handler, const char *id, bool force,
				  runtime_done *done, void *arg);

/* resources_json: linux.resources of the OCI runtime-spec. */
struct runtime_op *runtime_update(const struct runtime_handler *handler, const char *id, const char *cgroup,
				  const char *resources_json, runtime_done *done, void *arg);

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

/* ---- operations of handlers with traits ----
 *
 * Errors as above; UNIMPLEMENTED: the handler has not the trait. */

struct runtime_sandbox {
	const char *id, *bundle; /* of the pod; <bundle>/config.json is its container's (procs/sandbox_box.c) */
	const char *cgroup;      /* of all processes of the pod */
	const char *keep_id;     /* with RUNTIME_INSIDE: the keeper keeps the sandbox's process under it */
	bool host_network;
	/* With RUNTIME_SANDBOX_API: */
	const char *netns_path;  /* "" for the node's */
	const void *config;      /* of config_len bytes: the pod's configuration, CRI's message PodSandboxConfig */
	size_t config_len;
};
/* With RUNTIME_SANDBOX_API: FAILED_PRECONDITION where the runtime has no such API; result->pid is what it says, 0 where
 * it says none, and no process of the pod's for sure. */
struct runtime_op *runtime_run_sandbox(const struct runtime_handler *handler, const struct runtime_sandbox *sandbox,
				       runtime_done *done, void *arg);

/* Ends when the container has ended: result->status is its exit status, as waitpid(2) reports it. INTERNAL: the runtime
 * cannot tell, as when the sandbox is dead. Has no time limit; may be cancelled and asked again. */
struct runtime_op *runtime_wait(const struct runtime_handler *handler, const char *id, runtime_done *done, void *arg);

/* The signal, by its kernel number, to the container's first process; `all`: to all its processes. */
struct runtime_op *runtime_kill(const struct runtime_handler *handler, const char *id, int sig, bool all,
				runtime_done *done, void *arg);

/* SIGKILL to the processes of an exec; pidfile: the one of its struct runtime_exec, and read inside the call. An exec
 * that was not started is not started any more. NOT_FOUND: there is none. Any other error: it may run, or begin. */
struct runtime_op *runtime_exec_kill(const struct runtime_handler *handler, const char *id, const char *pidfile,
				     runtime_done *done, void *arg);

/* As runtime_wait(), of an exec that was started. INTERNAL: its exit status is lost. */
struct runtime_op *runtime_exec_wait(const struct runtime_handler *handler, const char *id, const char *keep_id,
				     runtime_done *done, void *arg);
/* keep_id: of an exec, as in struct runtime_exec; "": the container itself. Sizes in characters. */
struct runtime_op *runtime_resize(const struct runtime_handler *handler, const char *id, const char *keep_id,
				  uint16_t width, uint16_t height, runtime_done *done, void *arg);
/* The last writer of stdin but the runtime has closed it: the process reads end of file. */
struct runtime_op *runtime_close_stdin(const struct runtime_handler *handler, const char *id, const char *keep_id,
				       runtime_done *done, void *arg);

/* With RUNTIME_SANDBOX_API: result->out is what the runtime says of the sandbox, a JSON object. DEADLINE_EXCEEDED after
 * 2 s. */
struct runtime_op *runtime_sandbox_status(const struct runtime_handler *handler, const char *sandbox_id,
					  runtime_done *done, void *arg);

struct runtime_usage {
	uint64_t cpu_ns, memory_bytes, rss_bytes, inactive_file_bytes, tasks;
};
/* result->out is for runtime_usage_read(), and borrowed as `result` is. With RUNTIME_SANDBOX_API id may be that of a
 * sandbox. */
struct runtime_op *runtime_stats(const struct runtime_handler *handler, const char *id, runtime_done *done, void *arg);
/* INTERNAL: it is not what the runtime answers. */
int runtime_usage_read(const struct runtime_handler *handler, const char *answer, size_t len,
		       struct runtime_usage *out, struct err *e);

/* Connects the port of the pod's localhost with the Unix socket that listens at `socket`: one connection. Done when
 * both ends are connected; INTERNAL: nothing listens at that port. */
struct runtime_op *runtime_forward(const struct runtime_handler *handler, const char *sandbox_id, const char *socket,
				   uint16_t port, runtime_done *done, void *arg);

/* Kills the program's process group; done never runs. runtime_delete() afterwards cleans up. */
void runtime_cancel(struct runtime_op *op);

#endif
