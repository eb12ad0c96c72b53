/* container.h - one container: identity, state, exit; the table of them and their records.
 *
 * Record: <root>/containers/<id>.json. State on disk follows every change of state. */
#ifndef PROCS_CONTAINER_H
#define PROCS_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs/cri_config.h"
#include "procs/sandbox.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/lane.h"
#include "reactor/list.h"
#include "reactor/loop.h"

struct adjustment;
struct log_late;
struct log_pump;
struct runtime_handler;
struct life;
struct stopping;
struct checkpoint;

/* CRI numbers. */
enum container_state { CONTAINER_CREATED = 0, CONTAINER_RUNNING = 1, CONTAINER_EXITED = 2, CONTAINER_UNKNOWN = 3 };

/* The image as it was at create: it may be gone later. */
struct container_image {
	const char *id;      /* "sha256:…" */
	const char *ref;     /* repo digest, else id */
	const char *name;    /* first tag, else the name in the request */
	struct strings env, entrypoint, cmd; /* entrypoint, cmd: of the image config */
	const char *working_dir, *user, *stop_signal;
};

struct container {
	char id[ID_SIZE];
	struct sandbox *sandbox;  /* the owner; outlives the container */
	struct container_config config;
	struct container_image image;
	int32_t state;
	int64_t created_at_ns, started_at_ns, finished_at_ns;
	int32_t exit_code;
	const char *reason, *message;
	const char *log_path;     /* of logfile_join(), "" when there is no log */
	const char *bundle;       /* <state>/containers/<id>: config.json, rootfs/, stdio FIFOs, pid */
	const char *runtime;      /* name of the runtime handler that the pod asked for */
	const char *way;          /* name of the handler that runs it: the same one (or ""), or its fallback */
	const char *way_reason;   /* why it is the fallback; "": it is not */
	const char *cgroup;       /* its own group's path below the mount of each hierarchy */
	int32_t stop_signal;      /* kernel number */
	int64_t uid, gid;         /* of its first process */
	struct ints groups;
	struct strings volumes;   /* VOLUMEs of the image that are directories of its own: where they are mounted */
	int32_t pid;              /* 0: not running */
	bool listed;              /* CreateContainer succeeded */
	bool starting, removing;
	bool in_runtime;          /* the runtime may know it: set before `run`, cleared after `delete` */
	bool oom_killed;
	bool limits_adjusted;     /* config.resources are not those of the request: plugins have changed them */
	struct unsaved unsaved;   /* container_must_save() tries again. Not in the record */
	bool frozen;              /* for a checkpoint: set before `pause`, cleared when it runs again */
	const char *joined;       /* join.c's: the paths of namespaces that config.json has */
	const char *restore;      /* directory of the unpacked checkpoint from which it is started; "": none */
	int64_t oom_floor;        /* oom.c's */
	int64_t log_mark;         /* log_undo.c's: of the last start */
	bool log_owed;            /* the log could not be cut back to it yet */
	const char *boot_id;
	const char *process_label, *mount_label; /* SELinux; labels.c's, "": none */
	struct arena *arena;
	struct lane lane;         /* Start and Remove take turns */
	struct link of_sandbox;   /* in sandbox->containers */
	struct link exit_waiters; /* of struct container_wait.link */
	struct timer wake;        /* calls the waiters in the next turn of the loop */
	struct log_pump *log;     /* while it runs and until all is written; made by start, closed by log_late */
	struct log_late *late;    /* log_late.c's */
	struct life *life;        /* while it runs and until the runtime has deleted it; life.c's */
	struct stopping *stopping; /* stop.c's */
	bool killing;             /* a stop is at SIGKILL; stop.c's */
	struct checkpoint *checkpoint; /* checkpoint.c's */
	struct lookup *lookup;    /* the paths of its config, looked up; during CreateContainer only */
	const struct adjustment *adjustment; /* what plugins change, or NULL; during CreateContainer only */
	struct cpu_sample cpu;
};

struct container_wait {
	struct link link;
	void (*fn)(struct container_wait *w);
};

/* The handler that runs it; every operation goes this way. NULL: it is not configured any more. */
const struct runtime_handler *container_handler(const struct container *container);

void containers_open(const char *root, const char *state);

/* A new container in state CREATED with a fresh id and copies of config and image. It is in its sandbox's list, but not
 * saved and not listed before container_list_it(). */
struct container *container_new(struct sandbox *sandbox, const struct container_config *config,
				const struct container_image *image);
/* The same with the id and the limits that plugins were told of; adjustment (NULL: none) is borrowed. */
struct container *container_new_adjusted(struct sandbox *sandbox, const struct container_config *config,
					 const struct container_image *image, const struct adjustment *adjustment);
/* the last step of CreateContainer: saved and listed, or neither */
int container_list_it(struct container *container, struct err *e);
void container_free(struct container *container); /* also from its sandbox, and its record; it has no waiters */

struct container *container_find(const char *id); /* whole id or unique prefix; unlisted ones are not found */
struct container *container_named(struct sandbox *sandbox, const char *name, uint32_t attempt); /* unlisted ones too */
/* By the first ID_SHOWN digits of its id, as the log shows it; unlisted ones too. NULL: unknown. */
struct container *container_shown(const char *shown);
void container_each(void (*fn)(void *arg, struct container *container), void *arg); /* listed ones, oldest first */

/* Once an exit is on disk, the keeper is told to forget its own record of it. (ARCHITECTURE P50) */
int container_save(struct container *container, struct err *e);
/* A failure is logged, memory counts, and it is tried again each second until it succeeds. For what cannot be taken
 * back: a container has ended, a start has failed. */
void container_must_save(struct container *container);
void container_set_running(struct container *container, pid_t pid);
/* reason: "Completed", "Error", "OOMKilled", "StartError" or "Unknown". Wakes the waiters in the next turn. */
void container_set_exited(struct container *container, int32_t exit_code, const char *reason, const char *message,
			  int64_t at_ns);

/* fn runs once, when the container is EXITED (next turn if it already is). */
void container_wait(struct container *container, struct container_wait *wait, void (*fn)(struct container_wait *wait));
void container_unwait(struct container_wait *wait); /* harmless when not waiting */

/* After sandboxes_load(). A record whose sandbox is unknown is set aside. RESOURCE_EXHAUSTED, INTERNAL. */
int containers_load(struct err *e);

/* Is this the id of a container whose record could not be read? Nothing of it may be removed or killed. */
bool container_lost(const char *id);
size_t containers_lost(const char **first); /* how many; *first is the id of one of them, or NULL */

#endif
