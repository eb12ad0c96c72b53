/* privileges.h - what a worker gives up for good, before it begins. */
#ifndef REACTOR_PRIVILEGES_H
#define REACTOR_PRIVILEGES_H

#include "reactor/err.h"

/* Keeps only these capabilities (-1 ends the list) of the calling thread and sets no_new_privs. The bounding set is
 * left as it is: it matters only at execve(2). INTERNAL, also when one of them is not there to be kept. */
int privileges_keep(const int *capabilities, struct err *e);

/* The lowest priority for the disk and the CPUs. Not the idle class: files that are never removed fill the disk of a
 * busy node. */
void privileges_last(void);

#endif
