/* sandbox_up.h - RunPodSandbox: cgroup, namespaces, network, files, and the pause where one is needed; undo in reverse.
 * Spec: CRI v1 RuntimeService.RunPodSandbox. */
#ifndef PROCS_SANDBOX_UP_H
#define PROCS_SANDBOX_UP_H

#include "procs/sandbox.h"
#include "reactor/err.h"

struct sandbox_up_config {
	const char *pause_path; /* the built-in pause */
	const char *node_name;
	const char *resolv_conf; /* "/etc/resolv.conf": for a sandbox without dns_config */
};
void sandbox_up_open(const struct sandbox_up_config *cfg);

struct sandbox_up; /* gone once `done` ran */
typedef void sandbox_up_done(void *arg, const struct err *e);

/* The caller holds s->lane. On success s is READY, saved and no longer hidden. On an error everything is undone and the caller frees
 * it; when the undo of the network failed it stays, NOTREADY and listed, so that a later Stop tries again. Runs on: no cancel. */
struct sandbox_up *sandbox_up_start(struct sandbox *s, sandbox_up_done *done, void *arg);

#endif
