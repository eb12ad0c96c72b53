/* sandbox_sweep.h - recovery: gives back what exists of sandboxes that no record names, because their record could not
 * be read. */
#ifndef PROCS_SANDBOX_SWEEP_H
#define PROCS_SANDBOX_SWEEP_H

/* Called after sandboxes_load() and network_open(), before anything new is made. Gives back the network, namespaces and
 * pins that the keeper holds for unknown sandboxes. The deletion of a network runs on by itself; the rules of a
 * hostPort are not known any more and stay. Removes unknown directories below <state>/sandboxes with their tmpfs. Logs
 * each orphan; does not wait. */
void sandboxes_sweep(void);

#endif
