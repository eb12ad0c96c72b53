/* native.h - private to native/: what of config.json is native, and its plan. */
#ifndef PROCS_NATIVE_NATIVE_H
#define PROCS_NATIVE_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "procs/plan.h"
#include "reactor/arena.h"
#include "reactor/buf.h"
#include "reactor/err.h"
#include "reactor/json.h"

/* Can the container of this config.json begin natively? NULL: yes. Else a word or two for the metric, of a small fixed
 * set, and in *what the member that is not native, in the arena. (ARCHITECTURE N5) */
const char *native_refuses(const json_t *config, struct arena *arena, const char **what);

/* ---- the compiler ----
 *
 * It takes what native_refuses() has let pass. A plan under way; making_end() gives the bytes. */
struct making {
	struct plan head;
	struct buf bytes;
	struct arena *arena;
	const char *group; /* path of the container's cgroup */
};
void making_begin(struct making *m, enum plan_kind kind, struct arena *arena, const char *group);
/* A sealed memfd, owned by the caller. RESOURCE_EXHAUSTED: larger than PLAN_MAX; INTERNAL. */
int making_end(struct making *m, struct err *e);
void making_free(struct making *m);

uint32_t making_text(struct making *m, const char *text); /* NULL: 0 */
struct plan_list making_list(struct making *m, const void *records, size_t n, size_t size);
struct plan_list making_texts(struct making *m, const json_t *strings);

/* The plan of a container's first process, in a file of its bundle, for the processes that follow (kept.c).
 * plan_keep() writes one that making_end() has made; a failure is logged, and then there is no file. plan_kept():
 * an fd, owned by the caller; -1: there is none that is whole and of this version. Nothing is read but the plan's head:
 * the process that uses it checks it. */
void plan_keep(const struct making *m, const char *bundle);
int plan_kept(const char *bundle, struct arena *arena);

/* Each fills its part of the plan. INTERNAL: config.json is not what spec_make() writes. */
int plan_process(struct making *m, const json_t *process, const char *id, struct err *e);
void plan_words(struct making *m, const json_t *process); /* all of a plan of kind PLAN_WORDS */
int plan_filter(struct making *m, const json_t *seccomp, const char *base64, struct err *e);
int plan_mounts(struct making *m, const json_t *config, struct err *e);
int plan_devices(struct making *m, const json_t *linux_, struct err *e);
void plan_namespaces(struct making *m, const json_t *linux_);
void plan_limits(struct making *m, const json_t *resources); /* linux.resources, without the device rules */
/* The device rules too: writes of v1, a program of v2. */
void plan_run_limits(struct making *m, const json_t *resources);

/* linux.resources.devices as a BPF program; *n instructions in the arena. */
struct plan_code *device_program(struct arena *arena, const json_t *rules, uint32_t *n);

#endif
