/* sandbox_sweep.h - recovery: gives back what exists of sandboxes that no record names. */
#ifndef PROCS_SANDBOX_SWEEP_H
#define PROCS_SANDBOX_SWEEP_H

/* Called after sandboxes_load() and network_open(), before anything new is made. Gives back the network, namespaces and
 * pins of unknown sandboxes: those that the keeper holds, and those of directories below <state>/sandboxes, which are
 * removed with their tmpfs once the pin is gone. The rules of a hostPort are not known any more and stay. Logs each
 * orphan; does not wait. What fails is left for the next start. */
void sandboxes_sweep(void);

#endif
