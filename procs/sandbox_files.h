/* sandbox_files.h - the files of a sandbox: hostname, hosts, resolv.conf and /dev/shm. They are bind-mounted into its
 * containers.
 *
 * shm is a tmpfs in sandbox->dir. The files are in sandbox->files, on the disk: containers without a read-only root
 * file system write them, as with containerd, and `state` is memory. What they grow to is counted as part of a
 * container's writable layer, so a pod's limit of ephemeral storage bounds it. (ARCHITECTURE S8)
 *
 * As in containerd, hosts is a copy of the node's file (the kubelet mounts its own file over it for pods with a network
 * of their own), and resolv.conf is written from dns_config, also from an empty one; without a dns_config it is a
 * copy of the node's file. (ARCHITECTURE S12) In a
 * pod with a user namespace all of them are owned by the root of that namespace. */
#ifndef PROCS_SANDBOX_FILES_H
#define PROCS_SANDBOX_FILES_H

#include <stdint.h>

#include "procs/container.h"
#include "procs/sandbox.h"
#include "reactor/err.h"
#include "reactor/lookup.h"

struct sandbox_files {
	const char *hostname;    /* text of the hostname file */
	const char *hosts;       /* path of the node's file, "/etc/hosts" */
	const char *resolv_conf; /* path of the node's file, "/etc/resolv.conf" */
	struct lookup *lookup;	 /* has the two, as sandbox_files_look() has asked for them */
};

/* Adds the files of the node that sandbox_files_make() copies for this sandbox: their file system may hang. */
void sandbox_files_look(struct lookup *lookup, const struct sandbox *sandbox, const char *hosts,
			const char *resolv_conf);

/* Where hostname, hosts and resolv.conf are. */
const char *sandbox_files_dir(const struct sandbox *sandbox);

/* What removes a directory of large files without waiting: a function that renames it away. Until then they are
 * unlinked. */
void sandbox_files_open(int (*discard)(const char *path, struct err *e));

/* The bytes on disk of hostname, hosts and resolv.conf, for that running container which is the oldest of its sandbox;
 * 0 for the others. So a sum over the containers of a pod has them once. */
uint64_t sandbox_files_share(const struct container *container);

/* Makes the directories, and in sandbox->dir a link to the pin of the network namespace. It comes before the pin, and
 * sandbox_files_remove() after the pin is gone: so the sweep at the start finds a pin that no record names, and knows
 * that this crisp made it. INTERNAL. (ARCHITECTURE S40) */
int sandbox_files_begin(const struct sandbox *sandbox, struct err *e);
/* The pin that the link in such a directory names, in the arena; "": there is none. */
const char *sandbox_files_pin(const char *dir, struct arena *arena);

/* After sandbox_files_begin(): makes the files. shm is a tmpfs of 64 MiB; it is left out when the sandbox shares the
 * node's IPC namespace. A file that the node does not have becomes an empty one. INTERNAL: sandbox_files_remove()
 * removes what was made so far. */
int sandbox_files_make(const struct sandbox *sandbox, const struct sandbox_files *files, struct err *e);

/* Gives sandbox->dir the mode that it has from sandbox_files_make(): an earlier version left it open. INTERNAL. */
int sandbox_files_close(const struct sandbox *sandbox, struct err *e);

/* hostname, hosts and resolv.conf get the label of the container that is being made, as the kubelet does with the hosts
 * file that it mounts. Where the containers of a pod have different levels, the container made last can read the files.
 * INTERNAL. */
int sandbox_files_label(const struct sandbox *sandbox, const char *label, struct err *e);

/* The pid file of a pause that is launched in a user namespace. It is made empty and owned by the root of that
 * namespace, which writes it. The path is in the arena; NULL: INTERNAL. */
const char *sandbox_files_pidfile(const struct sandbox *sandbox, struct arena *arena, struct err *e);

/* Removes all of it. A missing file is no error. INTERNAL: something is left. */
int sandbox_files_remove(const struct sandbox *sandbox, struct err *e);

#endif
