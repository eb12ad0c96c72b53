/* remove.h - RemoveContainer, all but the image: kills, deletes from the runtime, removes cgroup, FIFOs, bundle.
 * The rootfs is unmounted and the snapshot removed by the caller's `unmount` between delete and bundle removal. Logs
 * stay. What cannot be removed is an error, and the container's record stays. (ARCHITECTURE P51) */
#ifndef PROCS_REMOVE_H
#define PROCS_REMOVE_H

#include "procs/container.h"
#include "reactor/err.h"

struct remove; /* gone once `done` ran */
typedef void remove_done(void *arg, const struct err *e); /* e NULL: the container was freed */
typedef int remove_unmount(void *arg, struct container *container, struct err *e); /* may run again after an error */

/* The caller holds container->lane through `pass`, which is left before the container is freed. There is no cancel.
 * On an error the container is EXITED and still there; another removal goes on. DEADLINE_EXCEEDED: its cgroup is still
 * busy after 10 s. */
struct remove *remove_start(struct container *container, struct lane_pass *pass, remove_unmount *unmount,
			    remove_done *done, void *arg);

#endif
