/* sandbox_sweep.h - recovery: what is there of sandboxes that no record names, because the record could not be read. */
#ifndef PROCS_SANDBOX_SWEEP_H
#define PROCS_SANDBOX_SWEEP_H

/* After sandboxes_load() and cni_open(), before anything new is made: gives back network, namespaces and pins that the
 * keeper holds for unknown sandboxes (CNI DEL runs on by itself; a hostPort's rules are not known and stay), and
 * removes unknown directories below <state>/sandboxes with their tmpfs. Logged one by one; does not wait. */
void sandboxes_sweep(void);

#endif
