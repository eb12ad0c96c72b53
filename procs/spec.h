/* spec.h - makes config.json of a container from its CRI config, as the OCI runtime-spec wants it.
 *
 * The files of spec/ (user.c, caps.c, security.c, seccomp.c, mounts.c, resources.c, devices.c, cdi.c) each fill one
 * part. ociVersion is 1.0.2, which every runtime takes. (ARCHITECTURE X25) */
#ifndef PROCS_SPEC_H
#define PROCS_SPEC_H

#include "procs/container.h"
#include "reactor/lookup.h"
#include "procs/runtime.h"
#include "reactor/err.h"
#include "reactor/json.h"

/* The sandbox's namespaces as paths for the runtime; "": the container shares the host's. */
struct spec_namespaces {
	const char *net, *ipc, *uts, *user;
	const char *pid; /* "new", "" (host) or a path */
};

/* A volume that was mounted beforehand, an image volume or an idmapped one (volume.h): the index of its
 * mount_config, and where it is mounted. */
struct spec_image_volume {
	size_t mount_index;
	const char *host_dir; /* or file */
};

struct spec_input {
	struct container *container; /* its uid, gid and groups are set */
	const char *rootfs;	     /* where the root file system is mounted */
	struct spec_namespaces namespaces;
	struct runtime_features features; /* of the container's runtime handler */
	const struct spec_image_volume *image_volumes;
	size_t n_image_volumes;
	const char *node_name;
};

/* Of the pod's annotations those that a handler passes on, and its default ones; in the arena. */
struct pairs spec_pod_annotations(const struct runtime_handler *handler, const struct pairs *pod, struct arena *arena);

char *spec_clean_path(struct arena *a, const char *path); /* absolute; lexically without "//", "." and ".." */

/* Adds the paths that spec_make() will ask container->lookup for. After lookup_start() it may know further ones. */
void spec_look(struct lookup *lookup, const struct container_config *config);

/* Checks and resolves everything; a new reference in *out. Errors:
 *   INVALID_ARGUMENT  names the field that is wrong (unknown capability, missing user, ...)
 *   UNKNOWN           with the reason RROUnsupported or ImageVolumeMountFailed, by which the kubelet knows them
 *   INTERNAL          the machine: a host path that cannot be made, a namespace that is gone */
int spec_make(const struct spec_input *input, json_t **out, struct err *e);

/* The mounts that each container has where nothing else is mounted, /proc, /dev, /sys and so on, as `mounts` of
 * config.json. A new reference. */
json_t *spec_default_mounts(const struct sandbox *sandbox, const struct security *security);

/* config.json of the box of a sandbox (sandbox_box.h). ns: what it joins; NULL: nothing but the network, as it has its
 * own kernel. A new reference; NULL: INVALID_ARGUMENT. */
json_t *spec_box(const struct sandbox *sandbox, const struct spec_namespaces *ns, struct arena *arena, struct err *e);

/* The uid that a container of an image has whose config says USER or USER:GROUP, if the user is a number that can be a
 * uid. False: it is a name, a number that no container gets, or "". */
bool spec_image_uid(const char *user, int64_t *uid);

/* The capabilities that a list of process.capabilities names, as bits by their number; NULL: none. */
uint64_t spec_caps_of(const json_t *names);

/* INVALID_ARGUMENT, in the words of the request, for limits that the kernel would refuse; called before anything is
 * changed. */
int resources_check(const struct resources *resources, struct err *e);

/* linux.resources of config.json without devices, as runtime_update() takes it. A new reference, or NULL. */
json_t *spec_limits(const struct resources *resources, struct err *e);

/* The `process` object of an exec in a container: the container's own from its config.json, with another command and
 * terminal. NULL: cmd is not UTF-8, or config was not made by spec_make(). */
json_t *spec_exec_process(const json_t *config, const struct strings *cmd, bool tty);
/* Its `args` and `terminal` alone, for a runtime with RUNTIME_KEEPS. NULL: cmd is not UTF-8. */
json_t *spec_exec_words(const struct strings *cmd, bool tty);
/* The variable that an exec with a terminal has beside those of the container's `process`; NULL: none. */
const char *spec_exec_variable(const json_t *process);

#endif
