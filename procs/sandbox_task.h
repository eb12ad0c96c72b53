/* sandbox_task.h - the process and the group by which cAdvisor in the kubelet finds a pod's network.
 *
 * cAdvisor finds a group named by the sandbox's id, asks once for its process (handlers/containerd_rpc.c), and reads
 * /proc/PID/net/dev until the group is gone. For a sandbox without a pause the answer is the process of a container. So
 * below the kubelet's cgroup_parent the sandbox's group, which is empty, is made when the first container runs. It is
 * made again when that container has ended and another one runs: cAdvisor takes it for a new group and asks again.
 * (ARCHITECTURE H6) */
#ifndef PROCS_SANDBOX_TASK_H
#define PROCS_SANDBOX_TASK_H

#include <stdint.h>

#include "procs/sandbox.h"

/* The pause, else the oldest running container: younger ones are restarted more often. 0: no process runs. */
int32_t sandbox_task_pid(const struct sandbox *sandbox);

/* From now on follows the events of all containers, and makes the groups one turn of the loop after an event. */
void sandbox_task_watch(void);

#endif
