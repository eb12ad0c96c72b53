/* sandbox.h - one pod sandbox: identity, state, network; the table of all sandboxes and their records.
 *
 * Only this module creates and frees sandboxes. Record: <root>/sandboxes/<id>.json. While crispd runs, memory is the
 * authority; the records are read at start-up only. */
#ifndef PROCS_SANDBOX_H
#define PROCS_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs/cri_config.h"
#include "procs/unsaved.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/lane.h"
#include "reactor/list.h"
#include "reactor/loop.h"

enum { ID_SIZE = 65, ID_SHOWN = 12 }; /* 64 hex digits and NUL; so many digits the log shows */

/* CRI's numbers. A sandbox that is being made is in the table, but not listed: `hidden`. */
enum sandbox_state { SANDBOX_READY = 0, SANDBOX_NOTREADY = 1 };

/* The parts of a sandbox that exist and must be given back. The bit is set before the step that makes the part. */
enum sandbox_made {
	MADE_CGROUP = 1, MADE_NAMESPACES = 2, MADE_NETWORK = 4, MADE_FILES = 8, MADE_PAUSE = 16,
	MADE_BOX = 32, /* the runtime may know its container; then MADE_PAUSE is that container's process */
	MADE_API = 64, /* the runtime may have a sandbox for it (RUNTIME_SANDBOX_API) */
};

/* The last reading of a cpu counter, and the rate since the reading before. stats.c writes it; zeroed at first. */
struct cpu_sample {
	int64_t at_ns; /* monotonic */
	uint64_t cpu_ns, nano_cores;
	bool known;
};

struct sandbox_up;

struct sandbox {
	char id[ID_SIZE];
	struct sandbox_config config;
	int32_t state;
	int64_t created_at_ns;
	uint32_t made;            /* of enum sandbox_made */
	struct strings ips;       /* as the network gave them, the primary one first, without prefix length */
	const char *netns_path;   /* "" for hostNetwork */
	const char *network_kind; /* of network.h; "": none, or "cni" where a record is older than kinds */
	const char *cni_result;   /* JSON text of the chain's last ADD; "" when there is none */
	const char *cni_conf;     /* JSON text of the conflist for ADD; DEL uses the same text */
	const char *cgroup;       /* the pod's group, parent of the containers' groups: cgroup.h, names */
	const char *boot_id;      /* of the boot in which it was made */
	const char *process_label, *mount_label; /* SELinux labels of containers and of files, by labels.c; "": none */
	const char *dir;          /* <state>/sandboxes/<id>: shm, pause.pid */
	const char *files;        /* <root>/sandbox-files/<id>: hostname, hosts, resolv.conf; "": in dir (old record) */
	int32_t pause_pid;        /* 0: none */
	int64_t pause_start_ticks; /* start time; with pid and boot id it identifies the process (pidstat.h) */
	bool hidden;              /* RunPodSandbox has not succeeded yet */
	bool remnant;             /* hidden: a power cut left nothing of its record but the id */
	bool leaving;             /* a stop or a removal has begun. Not in the record */
	bool given_up;            /* hidden, and recovery undoes it: its name is free. Not in the record */
	bool shown;               /* listed although it is hidden: its network takes its time. Not in the record */
	struct sandbox_up *up;    /* while it is being made; sandbox_up.c's. Not in the record */
	/* With RUNTIME_SANDBOX_API, while it is being made: CRI's PodSandboxConfig as it came, but of annotations only
	 * those that the handler allows. Not in the record */
	const void *cri_config;
	size_t cri_config_len;
	struct unsaved unsaved;   /* sandbox_must_save() tries again. Not in the record */
	struct arena *arena;      /* owns the strings above */
	struct lane lane;         /* Run, Stop, Remove, and CreateContainer in this sandbox take turns */
	struct link containers;   /* of struct container.of_sandbox */
	struct cpu_sample cpu;
	/* sandbox_task.c's: the process for which the sandbox's empty group was last made. 0: not made yet, or made by
	 * an earlier crispd. */
	int32_t task_pid;
	struct timer task_timer;
};

struct sandboxes_config {
	const char *root, *state, *netns_dir; /* borrowed for ever */
};
void sandboxes_open(const struct sandboxes_config *cfg);
const struct sandboxes_config *sandboxes_config(void);

/* A new hidden sandbox with a random id and a copy of config; it is in the table at once. */
struct sandbox *sandbox_new(const struct sandbox_config *config);
/* Takes the sandbox from the table and removes its record. Its lane is idle, and it has no containers. */
void sandbox_free(struct sandbox *sandbox);

/* By whole id or unique prefix; NULL: unknown. Hidden sandboxes are not found. */
struct sandbox *sandbox_find(const char *id);
struct sandbox *sandbox_by_id(const char *id); /* by whole id, hidden sandboxes too; NULL: unknown */
/* By the first ID_SHOWN digits of its id, as the log shows it; hidden ones too. NULL: unknown. */
struct sandbox *sandbox_shown(const char *shown);
/* By whole id; hidden sandboxes and lost ones are known too. */
bool sandbox_known(const char *id);
/* Is this the id of a sandbox whose record could not be read? Nothing of it may be removed or killed. */
bool sandbox_lost(const char *id);
size_t sandboxes_lost(const char **first); /* how many; *first is the id of one of them, or NULL */
/* By the metadata of CRI, hidden sandboxes too, but for those that recovery undoes; NULL: unknown. */
struct sandbox *sandbox_named(const char *name, const char *namespace_, const char *uid, uint32_t attempt);
/* Those that are listed, oldest first; fn may free its sandbox. */
void sandbox_each(void (*fn)(void *arg, struct sandbox *sandbox), void *arg);
/* The hidden ones only. For recovery: at start-up these are the sandboxes that a crash left half made. */
void sandbox_each_hidden(void (*fn)(void *arg, struct sandbox *sandbox), void *arg);

int sandbox_save(struct sandbox *sandbox, struct err *e);
/* A failure is logged, memory counts, and it is tried again each second until it succeeds. */
void sandbox_must_save(struct sandbox *sandbox);
/* By sandbox_must_save(). */
void sandbox_set_state(struct sandbox *sandbox, enum sandbox_state state);

/* Reads the records at start-up into the table. Hidden sandboxes are read too: recovery undoes them. A sandbox of
 * another boot becomes NOTREADY and loses its pause; the other parts that `made` names are given back by sandbox_down,
 * the network with its recorded result. */
int sandboxes_load(struct err *e);

/* Do its containers share a PID namespace (pid: POD), whose pid 1 is the pause? */
bool sandbox_has_pause(const struct sandbox *sandbox);

/* Is the sandbox a container of its runtime (RUNTIME_SANDBOX)? pause_pid is its process. */
bool sandbox_boxed(const struct sandbox *sandbox);
/* Is that the process in which all its containers run (RUNTIME_INSIDE)? */
bool sandbox_inside(const struct sandbox *sandbox);
/* Has the runtime a sandbox for it (RUNTIME_SANDBOX_API), beside which it is a sandbox as others are? */
bool sandbox_in_runtime(const struct sandbox *sandbox);

/* Copies value into the sandbox's arena, where strings of a sandbox live. */
void sandbox_set_str(struct sandbox *sandbox, const char **field, const char *value);

const char *sandbox_boot_id(void); /* of this boot, static */

void id_random(char out[ID_SIZE]); /* 64 hex digits from getrandom(2) */

#endif
