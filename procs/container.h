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

struct log_pump;
struct life;
struct stopping;
struct checkpoint;

/* CRI numbers. */
enum container_state { CONTAINER_CREATED = 0, CONTAINER_RUNNING = 1, CONTAINER_EXITED = 2, CONTAINER_UNKNOWN = 3 };

/* The image as it was at create: it may be gone later. */
struct container_image {
	const char *id;      /* "sha256:…" */
	const char *ref;     /* repo digest, else id */
	const char *name;    /* first tag, else what was asked */
	struct strings env, entrypoint, cmd; /* entrypoint, cmd: of the image config */
	const char *working_dir, *user, *stop_signal;
};

struct container {
	char id[ID_SIZE];
	struct sandbox *sandbox;  /* owner; outlives it */
	struct container_config config;
	struct container_image image;
	int32_t state;
	int64_t created_at_ns, started_at_ns, finished_at_ns;
	int32_t exit_code;
	const char *reason, *message;
	const char *log_path;     /* absolute, "" when there is no log */
	const char *bundle;       /* <state>/containers/<id>: config.json, rootfs/, stdio FIFOs, pid */
	const char *runtime;      /* name of the runtime handler */
	const char *cgroup;       /* its own, below each hierarchy */
	int32_t stop_signal;      /* kernel number */
	int64_t uid, gid;         /* of its first process */
	struct ints groups;
	int32_t pid;              /* 0: not running */
	bool listed;              /* CreateContainer succeeded */
	bool starting, removing;
	bool in_runtime;          /* the OCI runtime may know it: set before its `run`, cleared by its `delete` */
	bool oom_killed;
	bool frozen;              /* a checkpoint stops it for a moment: set before, cleared when it runs on */
	const char *joined;       /* join.c's: where the namespaces are that config.json names */
	const char *restore;      /* the unpacked checkpoint that its start takes up; "": none */
	int64_t oom_floor;        /* oom.c's */
	const char *boot_id;
	const char *process_label, *mount_label; /* SELinux; labels.c's, "": none */
	struct arena *arena;
	struct lane lane;         /* Start and Remove take turns */
	struct link of_sandbox;   /* in sandbox->containers */
	struct link exit_waiters; /* of struct container_wait.link */
	struct timer wake;        /* the waiters' turn */
	struct log_pump *log;     /* while it runs and until it is drained; made by start, closed by life */
	struct life *life;        /* while it runs and until the runtime has deleted it; life.c's */
	struct stopping *stopping; /* stop.c's */
	struct checkpoint *checkpoint; /* checkpoint.c's */
	struct cpu_sample cpu;
};

struct container_wait {
	struct link link;
	void (*fn)(struct container_wait *w);
};

void containers_open(const char *root, const char *state);

/* A new one in state CREATED, not listed until container_list_it(): fresh id, copies of config. In its sandbox's list.
 * Not saved yet. */
struct container *container_new(struct sandbox *s, const struct container_config *config,
				const struct container_image *image);
/* the last step of CreateContainer: saved and listed, or neither */
int container_list_it(struct container *c, struct err *e);
void container_free(struct container *c); /* out of the table and its sandbox; record removed; no waiters left */

struct container *container_find(const char *id); /* whole id or unique prefix; unlisted ones are not found */
struct container *container_named(struct sandbox *s, const char *name, uint32_t attempt); /* unlisted ones too */
void container_each(void (*fn)(void *arg, struct container *c), void *arg); /* listed ones, oldest first */

int container_save(const struct container *c, struct err *e);
void container_set_running(struct container *c, pid_t pid);
/* EXITED: exit_code, reason ("Completed", "Error", "OOMKilled", "StartError", "Unknown"), message; wakes the waiters
 * next turn. */
void container_set_exited(struct container *c, int32_t exit_code, const char *reason, const char *message,
			  int64_t at_ns);

/* fn runs once, when the container is EXITED (next turn if it already is). */
void container_wait(struct container *c, struct container_wait *w, void (*fn)(struct container_wait *w));
void container_unwait(struct container_wait *w); /* harmless when not waiting */

int containers_load(struct err *e); /* after sandboxes_load(); one whose sandbox is unknown is set aside */

#endif
