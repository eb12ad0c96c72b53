/* sandbox.h - one pod sandbox: identity, state, network; the table of them and their records.
 *
 * Only this module creates and frees them. Record: <root>/sandboxes/<id>.json; memory is the authority while
 * running. */
#ifndef PROCS_SANDBOX_H
#define PROCS_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs/cri_config.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/lane.h"
#include "reactor/list.h"
#include "reactor/loop.h"

enum { ID_SIZE = 65 }; /* 64 hex digits and NUL */

/* CRI numbers. A sandbox being made is not in the table's listing: `hidden`. */
enum sandbox_state { SANDBOX_READY = 0, SANDBOX_NOTREADY = 1 };

/* What is still there of a sandbox and must be given back; a bit is set before the step that makes it begins. */
enum sandbox_made {
	MADE_CGROUP = 1, MADE_NAMESPACES = 2, MADE_NETWORK = 4, MADE_FILES = 8, MADE_PAUSE = 16,
};

/* The last reading of a cpu counter, and the rate since the one before: stats.c's; zeroed at first. */
struct cpu_sample {
	int64_t at_ns; /* monotonic */
	uint64_t cpu_ns, nano_cores;
	bool known;
};

struct sandbox {
	char id[ID_SIZE];
	struct sandbox_config config;
	int32_t state;
	int64_t created_at_ns;
	uint32_t made;            /* of enum sandbox_made */
	struct strings ips;       /* as CNI gave them, primary first, without prefix length */
	const char *netns_path;   /* "" for hostNetwork */
	const char *network_kind; /* of network.h; "": none, or "cni" where a record is older than kinds */
	const char *cni_result;   /* JSON text of the chain's last ADD; "" when there is none */
	const char *cni_conf;     /* JSON text of the conflist that ADD used: DEL uses it too */
	const char *cgroup;       /* the pod's, below each hierarchy, parent of its containers': cgroup.h, names */
	const char *boot_id;      /* of the boot it was made in */
	const char *process_label, *mount_label; /* SELinux: its containers' and its files'; labels.c's, "": none */
	const char *dir;          /* <state>/sandboxes/<id>: hostname, hosts, resolv.conf, shm */
	int32_t pause_pid;        /* 0: none */
	int64_t pause_start_ticks; /* when it began: with pid and boot id who it is (pidstat.h) */
	bool hidden;              /* RunPodSandbox has not succeeded yet */
	struct arena *arena;      /* owns the strings above */
	struct lane lane;         /* Run, Stop, Remove, and CreateContainer in it take turns */
	struct link containers;   /* of struct container.of_sandbox */
	struct cpu_sample cpu;
	/* sandbox_task.c's: as which its group was last made, 0: as none yet, or by an earlier crispd. */
	int32_t task_pid;
	struct timer task_timer;
};

struct sandboxes_config {
	const char *root, *state, *netns_dir; /* borrowed for ever */
};
void sandboxes_open(const struct sandboxes_config *cfg);
const struct sandboxes_config *sandboxes_config(void);

/* A new hidden one with a fresh random id and a copy of config; in the table at once. */
struct sandbox *sandbox_new(const struct sandbox_config *config);
/* takes it from the table and removes its record; its lane is idle, it has no containers */
void sandbox_free(struct sandbox *s);

/* whole id or unique prefix; NULL: unknown (hidden ones are not found) */
struct sandbox *sandbox_find(const char *id);
struct sandbox *sandbox_by_id(const char *id); /* whole id, hidden ones too; NULL: unknown */
bool sandbox_known(const char *id);             /* whole id, hidden ones too */
/* hidden ones too */
struct sandbox *sandbox_named(const char *name, const char *namespace_, const char *uid, uint32_t attempt);
/* without hidden ones, oldest first; fn may free s */
void sandbox_each(void (*fn)(void *arg, struct sandbox *s), void *arg);
/* for recovery: what a crash left half made */
void sandbox_each_hidden(void (*fn)(void *arg, struct sandbox *s), void *arg);

int sandbox_save(const struct sandbox *s, struct err *e);
/* saves; a failure to save is logged, memory counts */
void sandbox_set_state(struct sandbox *s, enum sandbox_state state);

/* Reads the records at start-up into the table, hidden ones included: recovery undoes those. One of another boot comes
 * back
 * NOTREADY and without its pause; what else `made` names is given back by sandbox_down, the network by the cached
 * result. */
int sandboxes_load(struct err *e);

/* Do its containers share a PID namespace (pid: POD), whose pid 1 is the pause? */
bool sandbox_has_pause(const struct sandbox *sandbox);

/* Strings given to a sandbox live in its arena. */
void sandbox_set_str(struct sandbox *s, const char **field, const char *value);

const char *sandbox_boot_id(void); /* of this boot, static */

void id_random(char out[ID_SIZE]); /* 64 hex digits from getrandom(2) */

#endif
