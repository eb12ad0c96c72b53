/* part.h - private to spec.c and spec/: what the parts of config.json share.
 *
 * Each part fills its piece of config.json. INVALID_ARGUMENT names the first field that cannot be satisfied. */
#ifndef PROCS_SPEC_PART_H
#define PROCS_SPEC_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/lookup.h"
#include "procs/spec.h"
#include "reactor/arena.h"
#include "reactor/json.h"
#include "reactor/map.h"
#include "reactor/own.h"

/* What this machine and the daemon's own process allow. Read once; tests link a spec_host() of their own. */
struct spec_host {
	uint64_t caps;	       /* the daemon's capability bounding set: no child can have more */
	int oom_score_adj;     /* the daemon's */
	bool lowers_oom_score; /* CAP_SYS_RESOURCE: a child may have a lower oom_score_adj than the daemon */
	bool cgroup_v2, swap_accounting, hugetlb;
	bool apparmor;
	unsigned kernel_major, kernel_minor;
};
const struct spec_host *spec_host(void);

struct spec_var;

struct spec {
	const struct spec_input *in;
	struct container *c;
	const struct security *sec;
	const struct spec_host *host;
	struct arena *a; /* of the call */
	uint64_t caps;	 /* of the container, bit n: capability n */
	bool userns;	 /* the pod has a user namespace */
	json_t *root, *process, *linux_, *resources, *mounts, *devices, *device_rules; /* borrowed: inside root */
	json_t *cdi; /* owned: the edits of its CDI devices; NULL: it has none */
	struct {
		struct spec_var *first, *last;
		struct map by_name;
	} env; /* until spec_put_env() */
};

int spec_user(struct spec *s, struct err *e); /* process.user, HOME, uid, gid and groups of the container */
int spec_caps(struct spec *s, struct err *e);	 /* process.capabilities, s->caps */
int spec_confine(struct spec *s, struct err *e); /* no_new_privs, AppArmor, SELinux, masked and read-only paths */
int spec_seccomp(struct spec *s, struct err *e); /* after spec_caps() */
int spec_mounts(struct spec *s, struct err *e);
int spec_devices(struct spec *s, struct err *e);
int spec_resources(struct spec *s, struct err *e);

/* Of the pod's handler; all zero when it is not configured any more. */
const struct runtime_options *spec_options(const struct spec *s);
/* Adds what `base` has and config.json has not: members of objects at any depth, and whole lists in the place of empty
 * ones. */
void spec_add_base(json_t *config, const json_t *base);

/* The annotations by which runtimes know sandboxes and their containers. */
void spec_annotate_pod(json_t *annotations, const struct sandbox *sandbox, bool is_sandbox);
/* The handler's default annotations, then those of the pod and of the container (NULL: none) that it allows. */
void spec_annotate_allowed(json_t *annotations, const struct runtime_handler *handler, const struct pairs *pod,
			   const struct pairs *container);
/* A string that is not UTF-8 is refused by the name of its member: no runtime could parse the file. */
int spec_check_text(const json_t *json, const char *where, struct err *e);

/* CDI devices: spec_cdi() finds them, then each part is added in its place. Without such devices they do nothing. */
void spec_cdi_look(struct lookup *lookup, const struct container_config *config); /* adds the files of CDI */
int spec_cdi(struct spec *s, struct err *e); /* s->cdi */
void spec_cdi_env(struct spec *s);	     /* before spec_put_env() */
void spec_cdi_groups(struct spec *s);	     /* after spec_user() */
int spec_cdi_devices(struct spec *s, struct err *e);
void spec_cdi_hooks(struct spec *s);

/* word: "NAME=VALUE" takes the place of an earlier one of that name; "NAME" alone removes it, as docker reads an
 * image's Env. The word must live until spec_put_env(), which writes process.env. */
void spec_set_env(struct spec *s, const char *word);
void spec_set_env_pair(struct spec *s, const struct pair *pair); /* the key holds no "=" */
bool spec_has_env(const struct spec *s, const char *name);
void spec_put_env(struct spec *s);

/* s->userns: the pod has a user namespace; checks that pod and container ask for the same. */
int spec_userns(struct spec *s, struct err *e);
json_t *spec_id_mappings(const struct id_mappings *m);

/* A Localhost seccomp profile in the engines' common format, converted to OCI's for these capabilities. A new
 * reference. */
int spec_profile_load(struct lookup *lookup, const char *path, uint64_t caps, const struct spec_host *host,
		      json_t **out, struct err *e);
void spec_seccomp_look(struct lookup *lookup, const struct security *sec); /* adds the path of such a profile */
const char *spec_native_arch(void);	   /* "SCMP_ARCH_X86_64" */
int spec_cap_number(const char *name);	   /* with or without CAP_, any case; -1: unknown */
enum { CAPS = 41 };
#define CAP(n) (UINT64_C(1) << (n))

/* Building blocks. Running out of memory ends the process; UTF-8 is checked once, by spec_make(), for all of it. */
static inline json_t *spec_str(const char *s)
{
	return own_must(json_string_nocheck(s));
}

static inline void spec_add(json_t *array, json_t *v)
{
	if (json_array_append_new(array, own_must(v)))
		abort();
}

static inline void spec_put(json_t *o, const char *key, json_t *v)
{
	if (json_object_set_new_nocheck(o, key, own_must(v)))
		abort();
}

json_t *spec_strs(const struct strings *s);

#endif
