/* debug_node.h - what `crisp debug bundle` reads from the node itself, also when no daemon answers. Each part is a
 * capture_fn (capture.h); its `arg` is a struct debug_node.
 *
 * Nothing here reads the environment, the command line or a file of a container. */
#ifndef HANDLERS_CLI_DEBUG_NODE_H
#define HANDLERS_CLI_DEBUG_NODE_H

#include <stdio.h>
#include <sys/types.h>

#include "reactor/err.h"

struct debug_node {
	const char *root, *state, *netns_dir; /* crisp's directories; absolute */
	const char *cgroup_root;              /* below a hierarchy: "/crisp" */
	const char *hosts_dir, *cni_dir;      /* registry.config_path and cni.conf_dir; "": none */
	const char *config;                   /* the path of the configuration file */
	const char *log;                      /* the path of the log file; NULL: the log is elsewhere */
};

enum { DEBUG_LOG_MAX = 10 << 20 };

/* The pid in a lock file of a daemon. 0: it has none, "the lock has no pid", or cannot be read; INTERNAL. */
long debug_lock_pid(const char *path, struct err *e);

int debug_cgroups(void *arg, FILE *out); /* groups of pods, of crisp and of the kubelet, with their limits and use */
int debug_mounts(void *arg, FILE *out);
int debug_kernel(void *arg, FILE *out);
int debug_disk(void *arg, FILE *out);    /* free space, and how many entries crisp's directories have */
int debug_daemons(void *arg, FILE *out); /* the processes that hold crisp's locks: state, what they wait in, fds */
int debug_config(void *arg, FILE *out);  /* without comments */
int debug_hosts(void *arg, FILE *out);   /* the known keys of each hosts.toml; no headers */
int debug_cni(void *arg, FILE *out);     /* the files of cni.conf_dir */
int debug_flight(void *arg, FILE *out);  /* the flight recorder: what was done for pods */
int debug_log(void *arg, FILE *out);     /* the last DEBUG_LOG_MAX bytes of the log file */

#endif
