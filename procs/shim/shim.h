/* shim.h - private to procs/shim/: handlers of type shim, their tasks, and calls to their shims.
 *
 * A shim is a daemon that runs the tasks (containers) of a pod. It is started by its program (`start`), which prints a
 * socket; there it serves the service Task over ttrpc, and the service Sandbox where it has the sandbox API.
 *
 * Specs: containerd, docs/runtime-v2.md and docs/sandbox-api.md; api/runtime/task/v2 and v3, shim.proto (the two have
 *        the same messages); api/runtime/sandbox/v1, sandbox.proto; api/runtime/bootstrap/v1, bootstrap.proto. */
#ifndef PROCS_SHIM_SHIM_H
#define PROCS_SHIM_SHIM_H

#include "procs/runtime_kind.h"
#include "reactor/buf.h"
#include "reactor/child.h"
#include "reactor/list.h"
#include "reactor/lookup_memo.h"
#include "reactor/loop.h"
#include "reactor/ttrpc.h"

struct shim_handler {
	struct runtime_handler handler;
	const char *program;      /* its path */
	const char *root;         /* of the runtime behind it */
	const char *tasks;        /* the directory of its records: <state>/runtime/<name>/tasks */
	const char *state;
	bool is_runc;             /* its options are those of containerd-shim-runc-v2 */
	struct lookup_memo *memo; /* of program */
	struct link link;         /* among all handlers of this type */
};

static inline struct shim_handler *shim_handler_of(const struct runtime_handler *h)
{
	return container_of((struct runtime_handler *)h, struct shim_handler, handler);
}

/* ---- task.c: what is known of a task, on disk too, so that a later crispd finds its shim ---- */

/* How far a start came. The record says so before the call is sent. */
enum shim_sent {
	SHIM_SENT_UNKNOWN, /* by an earlier version */
	SHIM_SENT_NOTHING, SHIM_SENT_CREATE, SHIM_SENT_START,
	SHIM_TAKEN_UP      /* Start was sent by an earlier crispd, and is to be sent again */
};

struct shim_task {
	struct link link;
	struct arena *arena;
	const struct shim_handler *handler;
	const char *id, *bundle;
	const char *sandbox;  /* the pod: its tasks have one shim */
	const char *address;  /* of the shim's socket; "": not known yet */
	int32_t version;      /* of the service Task: 2 or 3 */
	int32_t shim_pid;     /* with its start time: to kill a shim that hangs; 0: it did not tell */
	int64_t shim_start_ticks;
	bool ended;           /* `status` is its exit status as of waitpid(2) */
	int32_t status;
	int32_t sent;         /* enum shim_sent */
	int32_t pid;          /* of the first process, from SHIM_SENT_START on; of a sandbox as its shim says it */
	bool api;             /* it is the pod's sandbox, which its shim has by the sandbox API, and no task */
	bool deleted;         /* the shim knows it no more; not on disk, since it can be asked to delete it again */
};

int shim_tasks_open(const struct shim_handler *handler, struct err *e); /* reads the records. INTERNAL */
void shim_tasks_close(void);
struct shim_task *shim_task_find(const struct shim_handler *handler, const char *id); /* NULL: unknown */
struct shim_task *shim_task_new(const struct shim_handler *handler, const char *id, const char *bundle,
				const char *sandbox);
void shim_task_set_address(struct shim_task *task, const char *address, int version);
int shim_task_save(const struct shim_task *task, struct err *e);
void shim_task_forget(struct shim_task *task);
void shim_tasks_each(const struct shim_handler *handler, void (*fn)(const struct shim_task *task));
/* Another task of that pod whose shim is known; NULL: none. */
struct shim_task *shim_task_beside(const struct shim_task *task);
bool shim_task_is_last(const struct shim_task *task); /* of those at its shim */
bool shim_task_is_shared(const struct shim_task *task); /* its shim has tasks of another pod */
/* Is that the process of a shim with another address? */
bool shim_process_is_taken(const struct shim_task *task, int32_t pid, int64_t start_ticks);

/* ---- link.c: the connections, one to each shim ---- */

struct shim_call;

enum shim_service { SHIM_TASK, SHIM_SANDBOX };

/* Calls METHOD of a service of the task's shim, connecting first where needed. timeout_ms 0: none. done: as
 * ttrpc_done; UNAVAILABLE: there is no connection: shim_is_dead() tells why. */
struct shim_call *shim_call(const struct shim_task *task, enum shim_service service, const char *method,
			    const struct buf *body, int64_t timeout_ms, ttrpc_done *done, void *arg);
/* The same, but nothing is sent: it ends with UNAVAILABLE when the connection is lost. */
struct shim_call *shim_call_nothing(const struct shim_task *task, ttrpc_done *done, void *arg);
void shim_call_cancel(struct shim_call *call);
bool shim_is_dead(const struct shim_task *task); /* nobody listens at its socket, or its process is gone */
/* The connection outlives this daemon, until it is released here or with all that the keeper holds of the container: a
 * shim kills the program that works on a call when the connection is closed. (ARCHITECTURE K76) */
void shim_link_hold(const struct shim_task *task);
void shim_link_release(const char *id);
/* How long calls wait at that shim and none of them was answered; 0: none waits. A Wait does not count. */
int64_t shim_silent_ms(const struct shim_task *task);
/* SIGKILL to the process of a shim that hangs; where it is not known, to those that work in the bundle. */
void shim_kill(const struct shim_task *task);
/* The shim was told to end: it is killed when it lives after 10 s. */
void shim_expect_end(const struct shim_task *task);
void shim_links_close(void);

/* ---- events.c: the socket to which shims send their events ---- */

const char *shim_events_path(void); /* what TTRPC_ADDRESS says */
int shim_events_open(const char *state, struct err *e); /* once; UNAVAILABLE, INTERNAL */
void shim_events_close(void);

/* ---- bootstrap.c: the program ---- */

int shim_usable(const struct runtime_handler *handler, struct err *e); /* as runtime_usable() */

struct shim_answer {
	char address[128];
	int version;
};
/* What `start` printed: a BootstrapResult, JSON, or the address alone. INTERNAL; UNIMPLEMENTED: it is not served here
 * (gRPC, another version, another kind of socket). */
int shim_answer_parse(const char *text, size_t len, struct shim_answer *out, struct err *e);
/* The same from the file in the bundle that has the answer of the last `start`; NOT_FOUND: there is none. */
int shim_answer_read(const char *bundle, struct shim_answer *out, struct err *e);
struct child *shim_start(const struct shim_task *task, struct arena *arena, child_done *done, void *arg,
			 struct err *e); /* NULL: INTERNAL */
struct child *shim_delete(const struct shim_task *task, struct arena *arena, child_done *done, void *arg);
/* While it runs, to be asked often: it has printed more than any answer has, to a file that nothing else bounds. The
 * file is empty then; the child must be cancelled at once. */
bool shim_start_floods(const struct shim_task *task);
/* Kills processes that work in the bundle: a shim whose pid is not known. why: for the log. */
void shim_kill_strays(const char *bundle, const char *why);
/* Is that a process of the task's shim: does it work in the bundle, or run the handler's program? What a shim says of
 * its pid is not believed otherwise, since that process may be killed. */
bool shim_is_process(const struct shim_task *task, int64_t pid);
const char *shim_words(const struct child_result *result, struct arena *arena); /* of its stderr, one line */

/* ---- log.c: what shims log ---- */

int shim_log_make(const struct shim_task *task, struct err *e); /* before its `start`. INTERNAL */
void shim_log_open(const struct shim_task *task); /* again, after a restart of this daemon; where there is one */
void shim_log_settle(const struct shim_task *task); /* no shim will open it any more: closed where none has */
void shim_logs_close(void);

/* ---- message.c ---- */

uint64_t shim_number(const uint8_t *body, size_t len, uint32_t field); /* 0: it is not there */
void shim_put_any(struct buf *out, uint32_t field, const char *type, const void *value, size_t len);
/* runtime options of Create and of `start`; nothing where the handler has none. */
void shim_put_options(struct buf *out, uint32_t field, const struct shim_handler *handler, bool systemd);

enum { SHIM_EXIT_KILLED = 137 };
#define SHIM_NAMESPACE "crisp"

#endif
