/* keeper.h - crispd's end of the channel to the keeper: exit records, fds that outlive crispd, namespaces.
 *
 * The files of the process crisp-keeper are in procs/keeper/ (hold.c, kept.c, ...); this header and keeper.c are
 * crispd's. keeper_ask_*() send the keeper a message; keeper_copy() and keeper_report() read crispd's own tables.
 *
 * The keeper is the parent of crispd. It starts crispd again after its death and hands back all that it holds, so an fd
 * that was held under a name is there again after a kill -9. Names are paths of ids: "sandbox/<id>/ipc",
 * "container/<id>/stdout". Children are started through reactor/child.h, over the same channel. */
#ifndef PROCS_KEEPER_H
#define PROCS_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs/cri_config.h"
#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/list.h"

/* Opens the channel on fd, which the parent passed, and asks for everything held. `ready` runs once: with e NULL when
 * all of it is here, or with UNAVAILABLE. `gone` runs when the keeper dies later. crispd then connects to the next
 * keeper by itself; `back` runs after that keeper took over all fds and records. */
struct keeper_events {
	void (*ready)(void *arg, const struct err *e);
	void (*gone)(void *arg);
	void (*back)(void *arg);
	void *arg;
};
void keeper_open(int fd, const struct keeper_events *events);
bool keeper_here(void);

/* How many keepers this crispd has seen die. */
unsigned keeper_deaths(void);

/* For a crispd that cannot get READY: the fd of a pipe, for why, in words. (ARCHITECTURE R75) */
#define KEEPER_WHY_ENV "CRISP_WHY_FD"

/* The service is up; the keeper tells the service manager. */
void keeper_ready(void);

/* From then on the keeper, and each later one, kills and replaces this crispd when its loop has not turned for that
 * long. 0: never. */
enum { WATCHDOG_MIN_S = 10, WATCHDOG_MAX_S = 86400 };
void keeper_watchdog(uint32_t seconds);

/* ---- file descriptors ---- */

/* The keeper and crispd each keep a copy of fd under the name; an older copy is replaced. The caller keeps its fd.
 * RESOURCE_EXHAUSTED: crispd has no descriptor for its copy; then nothing has changed. A keeper that has none is asked
 * again until it has. */
int keeper_ask_hold(const char *name, int fd, struct err *e);
int keeper_ask_hold_path(const char *name, int fd, struct err *e); /* so that keeper_path() has a path of it */
void keeper_ask_release(const char *name);        /* that name */
void keeper_ask_release_all(const char *prefix);  /* every name that starts with it */
int keeper_copy(const char *name);            /* crispd's copy, borrowed; -1: none */
/* Does the keeper have the fd that was held last under the name? Until it has said so, a death of both daemons gives
 * the name back with the fd before, or not at all; while it is away, a death of crispd does. (ARCHITECTURE K70) */
bool keeper_has(const char *name);
void keeper_each_copy(const char *prefix, void (*fn)(void *arg, const char *name, int fd), void *arg);

/* "/proc/<pid>/fd/<n>": a path by which a child in the host's namespaces opens an fd that keeper_ask_hold_path() named,
 * or that is of keeper_namespaces(). It is valid until the name is released or the process of that pid dies. That is
 * the anchor, which outlives the keeper; the keeper itself as long as the anchor has not confirmed the fd, and without
 * an anchor. NULL: not held, or the keeper has not confirmed it yet. (ARCHITECTURE K45) */
const char *keeper_path(struct arena *arena, const char *name);

/* ---- kept processes and their exits ---- */

struct exit_record {
	const char *id; /* keep_id of the child_spec */
	pid_t pid;
	int status;     /* as of waitpid(2); -1: lost, because no keeper could learn it */
	int64_t at_ns;  /* CLOCK_REALTIME when the keeper reaped the process, or learnt of its end */
};

struct exit_watch {
	struct link link;
	char id[72];
	void (*fn)(struct exit_watch *watch, const struct exit_record *record);
};

/* fn runs once, never inside this call, when the kept process of that id has ended: in the next turn if it has ended
 * already. */
void keeper_watch_exit(struct exit_watch *watch, const char *id,
		       void (*fn)(struct exit_watch *watch, const struct exit_record *record));
void keeper_unwatch_exit(struct exit_watch *watch); /* allowed when the watch is not set */

/* A process that the keeper does not know is kept under id from now on. The keeper is not its parent, so its exit
 * status may be lost. The caller keeps pidfd. */
void keeper_ask_keep(const char *id, pid_t pid, int pidfd);

/* The keeper drops the process and its exit record. Called once crispd's own record of the exit is on disk. */
void keeper_ask_forget(const char *id);

/* What the keeper last reported of a kept process: pid > 0 and a borrowed pidfd while it lives, the record when it
 * ended. */
struct kept_report {
	const char *id;
	pid_t pid;
	int pidfd;
	bool ended;
	struct exit_record exit;
};
const struct kept_report *keeper_report(const char *id); /* NULL: unknown */
void keeper_each_report(void (*fn)(void *arg, const struct kept_report *report), void *arg);

/* ---- namespaces ---- */

struct ns_request {
	const char *id;         /* of the sandbox; the fds are held as sandbox/<id>/net, ipc, uts, user */
	bool net, ipc, uts;
	const struct id_mappings *uids, *gids; /* a user namespace too, which owns the others; both NULL: none */
	const char *netns_path; /* net: bound there in the host's mount namespace; an existing path is an error */
	const char *hostname;   /* uts: set there; "" leaves the host's name */
	struct pairs sysctls;   /* "net.*" in net, "kernel.shm*", "kernel.msg*", "kernel.sem", "fs.mqueue.*" in ipc */
};

/* A child of the keeper makes the namespaces, brings lo up, sets hostname and sysctls, and pins the network namespace.
 * `done` runs exactly once, never inside the call. `left`, after a failure: fds may be held and a pin may be there, and
 * keeper_namespaces_drop() has to be asked for them. INVALID_ARGUMENT names a sysctl or mapping that the kernel
 * refused; RESOURCE_EXHAUSTED: the kernel's namespace limits; else INTERNAL or UNAVAILABLE. */
typedef void ns_done(void *arg, const struct err *e, bool left);
struct ns_op;
struct ns_op *keeper_namespaces(const struct ns_request *request, ns_done *done, void *arg);
void keeper_namespaces_cancel(struct ns_op *op); /* `done` never runs; what was made is dropped */

/* Releases the held fds, and unmounts and unlinks the pin of the network namespace in the host's mount namespace, also
 * where another mount hides it. `done` runs exactly once, never inside the call: e NULL when the keeper has confirmed
 * all of it. A missing pin is no error. Until then the caller keeps in mind that it is to be dropped. UNAVAILABLE: the
 * keeper is away, or died meanwhile; RESOURCE_EXHAUSTED, INTERNAL: the kernel refused. netns_path NULL or "": no pin.
 * `done` NULL: nobody waits. (ARCHITECTURE K40) */
typedef void ns_dropped(void *arg, const struct err *e);
void keeper_namespaces_drop(const char *id, const char *netns_path, ns_dropped *done, void *arg);

/* The keeper, and each later one, makes that many network namespaces ready while it has nothing else to do;
 * keeper_namespaces() uses them for sandboxes without a user namespace. Those of an earlier call are thrown away.
 * sysctls: set in each of them; key, value, ..., NULL, or NULL; borrowed for good. A sandbox that does not ask for each
 * of these keys gets none of the namespaces. */
enum { NETNS_POOL_MAX = 256 };
void keeper_netns_pool(unsigned size, const char *const *sysctls);

#endif
