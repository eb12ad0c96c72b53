/* sandbox_task.h - the process and the group by which cAdvisor in the kubelet knows a pod's network.
 *
 * It finds a group named by the sandbox's id, asks once which process that is (handlers/containerd_rpc.c), and reads
 * /proc/PID/net/dev until the group goes. A sandbox without a process of its own answers with a container's. So below a
 * parent of the kubelet's its group, which is empty, is made when the first container runs, and made anew when that
 * container has ended and another one runs: cAdvisor then asks again. */
#ifndef PROCS_SANDBOX_TASK_H
#define PROCS_SANDBOX_TASK_H

#include <stdint.h>

#include "procs/sandbox.h"

/* 0: no process is in it. Of several containers that run the oldest: restarts hit the younger ones more often. */
int32_t sandbox_task_pid(const struct sandbox *s);

void sandbox_task_watch(void); /* from now on, for all sandboxes; one turn behind what happens to containers */

#endif
