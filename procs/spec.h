/* spec.h - config.json of a container: what CRI asked for, in the words of the OCI runtime-spec.
 *
 * spec/user.c, spec/caps.c, spec/security.c, spec/seccomp.c, spec/mounts.c, spec/resources.c and spec/devices.c each
 * fill one part. ociVersion 1.0.2: what every runtime takes. */
#ifndef PROCS_SPEC_H
#define PROCS_SPEC_H

#include "procs/container.h"
#include "procs/runtime.h"
#include "reactor/err.h"
#include "reactor/json.h"

/* Where the sandbox's namespaces are, as paths for the runtime; "" for: share the host's. */
struct spec_namespaces {
	const char *net, *ipc, *uts, *user;
	const char *pid; /* "new", "" (host) or a path */
};

/* A mount that was made beforehand, an image volume or an idmapped one (volume.h): the mount_config's index and
 * where. */
struct spec_image_volume {
	size_t mount_index;
	const char *host_dir; /* or file */
};

struct spec_input {
	struct container *container; /* uid, gid and groups are set in it */
	const char *rootfs;	     /* mounted */
	struct spec_namespaces namespaces;
	struct runtime_features features; /* of the container's runtime handler */
	const struct spec_image_volume *image_volumes;
	size_t n_image_volumes;
	const char *node_name;
};

/* Everything checked and resolved; a new reference in *out. Errors:
 *   INVALID_ARGUMENT  names the field that contradicts itself or cannot be had (unknown capability, missing user, ...)
 *   UNKNOWN           with the reason RROUnsupported or ImageVolumeMountFailed: so does the kubelet match them
 *   INTERNAL          the machine: a host path that cannot be made, a namespace that is gone */
int spec_make(const struct spec_input *in, json_t **out, struct err *e);

/* What the kernel would refuse: INVALID_ARGUMENT in the words of the request, before anything is changed. */
int resources_check(const struct resources *r, struct err *e);

/* linux.resources without devices, as config.json has it: what an OCI runtime's `update` takes. A new reference, or
 * NULL. */
json_t *spec_limits(const struct resources *r, struct err *e);

/* The `process` object of an exec in a container: another command and terminal, all else as in its config.json.
 * NULL: cmd is not UTF-8, or config is no config.json of ours. */
json_t *spec_exec_process(const struct container *c, const json_t *config, const struct strings *cmd, bool tty);

#endif
