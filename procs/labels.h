/* labels.h - chooses the SELinux labels of a sandbox and its containers.
 *
 * A sandbox has the policy's contexts for a container's processes and files, with a pair of categories of its own:
 * s0:c1,c2. Its containers share both labels, so that they share files. A container with selinux_options of its own
 * has the policy's contexts changed by these options, and the pod's level unless they name a level. Processes of a
 * privileged container are spc_t at the policy's level, or have no label where the policy does not know that type;
 * its files have the pod's label. The node's PID or IPC namespace changes nothing, as in containerd. The pairs in
 * use are those of the sandboxes and containers that exist. There is no other table of them: a restart finds them in
 * the records.
 * Spec: CRI v1 SELinuxOption. (ARCHITECTURE P23) */
#ifndef PROCS_LABELS_H
#define PROCS_LABELS_H

#include "procs/container.h"
#include "procs/sandbox.h"
#include "reactor/err.h"

/* Both set process_label and mount_label ("": no label) and change nothing else. Errors:
 *   INVALID_ARGUMENT    no valid level, a context that the kernel's policy does not know, options on a host with
 *                       SELinux while the key `selinux` is off; of a container also: a mount to be relabelled whose
 *                       host_path is one of the host's own directories
 *   RESOURCE_EXHAUSTED  no free pair was found */
int labels_of_sandbox(struct sandbox *sandbox, struct err *e);
int labels_of_container(struct container *container, struct err *e);

#endif
