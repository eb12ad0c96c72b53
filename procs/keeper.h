/* keeper.h - our end of the keeper: exit records, fds kept over our death, namespaces made by a child of its.
 *
 * The keeper (keeper/main.c) is our parent. It starts us again when we die and hands back all it holds, so what is
 * put here under a name is there after a kill -9. Names are paths of ids: "sandbox/<id>/ipc", "container/<id>/stdout".
 * Children are started through reactor/child.h, over the same channel. */
#ifndef PROCS_KEEPER_H
#define PROCS_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs/cri_config.h"
#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/list.h"

/* Opens the channel on fd (our parent passed it) and asks for everything held. `ready` runs once all of it is here,
 * with e NULL, or with UNAVAILABLE. `gone` runs when the keeper dies later; a new one connects by itself and `back`
 * runs after it took over all that we hold. */
struct keeper_events {
	void (*ready)(void *arg, const struct err *e);
	void (*gone)(void *arg);
	void (*back)(void *arg);
	void *arg;
};
void keeper_open(int fd, const struct keeper_events *events);
bool keeper_here(void);

/* The service is up: the keeper tells the service manager. */
void keeper_ready(void);

/* ---- file descriptors ---- */

/* The keeper and we keep a copy of fd under the name (an older one is replaced). Ours stays the caller's. */
void keeper_ask_hold(const char *name, int fd);
void keeper_ask_release(const char *name);        /* that name */
void keeper_ask_release_all(const char *prefix);  /* every name that starts with it */
int keeper_copy(const char *name);            /* borrowed fd, -1: not held */
void keeper_each_copy(const char *prefix, void (*fn)(void *arg, const char *name, int fd), void *arg);

/* "/proc/<pid of the keeper>/fd/<n>": a path by which a child in the host's namespaces opens a held fd.
 * Valid until released or the keeper dies. NULL: not held, or the keeper has not confirmed it yet. */
const char *keeper_path(struct arena *a, const char *name);

/* ---- kept processes and their exits ---- */

struct exit_record {
	const char *id; /* keep_id of the child_spec */
	pid_t pid;
	int status;     /* as waitpid(2); -1: lost, both the keeper and the record are gone */
	int64_t at_ns;  /* CLOCK_REALTIME when the keeper reaped it */
};

struct exit_watch {
	struct link link;
	char id[72];
	void (*fn)(struct exit_watch *w, const struct exit_record *r);
};

/* fn runs once when the kept process of that id has ended (soon, when it has already), never inside this call. */
void keeper_watch_exit(struct exit_watch *w, const char *id,
		       void (*fn)(struct exit_watch *w, const struct exit_record *r));
void keeper_unwatch_exit(struct exit_watch *w); /* harmless when not set */

/* The keeper may drop the exit record (or the watch). Called once our own record of the exit is on disk. */
void keeper_ask_forget(const char *id);

/* What the keeper knows of a kept id: pid > 0 and its pidfd (borrowed) while alive, the record when ended. */
struct kept_report {
	const char *id;
	pid_t pid;
	int pidfd;
	bool ended;
	struct exit_record exit;
};
const struct kept_report *keeper_report(const char *id); /* NULL: unknown */
void keeper_each_report(void (*fn)(void *arg, const struct kept_report *k), void *arg);

/* ---- namespaces ---- */

struct ns_request {
	const char *id;         /* sandbox id: the fds are held as sandbox/<id>/net, ipc, uts, user */
	bool net, ipc, uts;
	const struct id_mappings *uids, *gids; /* both: a user namespace too, which owns the others; both NULL: none */
	const char *netns_path; /* net: bound there in the host's mount namespace; an existing path is an error */
	const char *hostname;   /* uts: set there, "" leaves it */
	struct pairs sysctls;   /* "net.*" in net, "kernel.shm*", "kernel.msg*", "kernel.sem", "fs.mqueue.*" in ipc */
};

/* Makes them in a child of the keeper, brings lo up, sets hostname and sysctls, pins them. On failure nothing is left.
 * `done` runs exactly once, never inside the call. INVALID_ARGUMENT names a sysctl or mapping that the kernel refused;
 * RESOURCE_EXHAUSTED: the kernel's namespace limits; else INTERNAL or UNAVAILABLE. */
typedef void ns_done(void *arg, const struct err *e);
struct ns_op;
struct ns_op *keeper_namespaces(const struct ns_request *r, ns_done *done, void *arg);
void keeper_namespaces_cancel(struct ns_op *op); /* what was made is undone */

/* Unbinds and unlinks a pinned netns path in the host's mount namespace and drops the held fds; missing is fine.
 * Asynchronous; no answer is awaited (recovery removes what a crash of ours leaves; while the keeper is away it waits
 * for the next). */
void keeper_namespaces_drop(const char *id, const char *netns_path);

#endif
