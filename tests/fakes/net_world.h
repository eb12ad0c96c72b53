/* net_world.h - keeper, cgroups, CNI and files of a sandbox, as words in a trace; the test decides what answers and
 * what fails. */
#ifndef TESTS_NET_WORLD_H
#define TESTS_NET_WORLD_H

#include <stdbool.h>

#include "reactor/err.h"

/* What was done, in order: "namespaces cgroup files add pause ..."; undoing is "-namespaces", "-cgroup", "-files",
 * "del", "kill". */
extern char net_trace[512];

extern struct net_world {
	bool no_conf, no_cgroup, no_files, no_pins; /* these fail at once */
	bool cgroup_v2, systemd;
	bool busy_cgroup; /* a group does not go at once */
	bool slow_drop; /* the drop of namespaces waits for net_world_answers("drop"), else it is confirmed at once */
	bool stuck_files; /* the files cannot be removed */
	char slice[256];
	char last_cgroup[256]; /* the last one made or removed */
	char killed_cgroup[256]; /* the last one killed */
	bool boxed;              /* the handler's sandbox is a container: "box", undone by "-box" */
	bool in_runtime;         /* the runtime has a sandbox of its own: the same words */
	int pause_pid;           /* > 0: the keeper keeps a pause with that pid; a SIGKILL is not really sent */
	char netns[300], hostname[80], sysctls[512], conf[64], result[64]; /* as last asked for */
} net_world;

void net_world_reset(void);
bool net_world_waits(const char *what); /* "namespaces", "drop", "add", "del", "box": one is under way */

/* The answer to the one under way; code ERR_OK: it worked. `left`: what failed could not be undone. */
void net_world_answers(const char *what, enum err_code code, bool left);
void net_world_pause_dies(void);

#endif
