/* sandbox_files.h - what a sandbox has in the file system: hostname, hosts, resolv.conf and /dev/shm, bound into its
 * containers.
 *
 * They are in sandbox->dir, in the host's mount namespace. As containerd: hosts is a copy of the node's (the kubelet
 * mounts its own over it for pods of their own network), resolv.conf comes from dns_config, or is a copy of the node's
 * where that says nothing. All of it belongs to the root of the pod's user namespace where it has one. */
#ifndef PROCS_SANDBOX_FILES_H
#define PROCS_SANDBOX_FILES_H

#include "procs/sandbox.h"
#include "reactor/err.h"

struct sandbox_files {
	const char *hostname;    /* text of the hostname file */
	const char *hosts;       /* path of the node's, "/etc/hosts" */
	const char *resolv_conf; /* path of the node's, "/etc/resolv.conf" */
};

/* Makes all of it; shm is a tmpfs of 64 MiB, left out when the sandbox shares the node's IPC. INTERNAL, with what was
 * made left to sandbox_files_remove(). A file that the node does not have becomes an empty one. Nothing here waits. */
int sandbox_files_make(const struct sandbox *s, const struct sandbox_files *f, struct err *e);

/* hostname, hosts and resolv.conf get the label of the container that is being made, as the kubelet does it with the
 * hosts file that it mounts: where containers of a pod have different levels, the last one made reads them. INTERNAL.
 */
int sandbox_files_label(const struct sandbox *s, const char *label, struct err *e);

/* The pid file of a pause that is launched in a user namespace: made empty, for its root to write. In the arena; NULL:
 * INTERNAL. */
const char *sandbox_files_pidfile(const struct sandbox *s, struct arena *a, struct err *e);

void sandbox_files_remove(const struct sandbox *s); /* missing is fine; what cannot be removed is logged */

/* The text of resolv.conf for a dns_config, in the arena; "" when it says nothing. */
const char *sandbox_resolv_conf(const struct dns_config *dns, struct arena *a);

#endif
