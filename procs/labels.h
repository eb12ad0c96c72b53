/* labels.h - the SELinux labels of a sandbox and its containers: which they are.
 *
 * A sandbox has the policy's contexts for a container's processes and files, with a pair of categories of its own:
 * s0:c1,c2. Its containers share both labels, so that they share files; one with selinux_options of its own has the
 * policy's contexts again, changed by them, and the pod's level unless it names another. A privileged container's
 * processes are spc_t at the policy's level where the policy knows that type, else without a label; its files have the
 * pod's. As containerd has it, the node's PID or IPC namespace changes nothing.
 * The pairs that are taken are those of the sandboxes and containers that exist: nothing else is kept, and a restart
 * finds them in the records.
 * Spec: CRI v1 SELinuxOption. */
#ifndef PROCS_LABELS_H
#define PROCS_LABELS_H

#include "procs/container.h"
#include "procs/sandbox.h"
#include "reactor/err.h"

/* Both set process_label and mount_label, "" for none, and change nothing else. Errors:
 *   INVALID_ARGUMENT    a level that is none, a context that the kernel's policy does not know, options on a host with
 *                       SELinux while `selinux` is off; of a container also: a mount whose host_path is never
 *                       relabelled
 *   RESOURCE_EXHAUSTED  no free pair was found */
int labels_of_sandbox(struct sandbox *s, struct err *e);
int labels_of_container(struct container *c, struct err *e);

#endif
