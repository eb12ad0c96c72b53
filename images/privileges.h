/* privileges.h - what a worker gives up before it touches a file. */
#ifndef IMAGES_PRIVILEGES_H
#define IMAGES_PRIVILEGES_H

#include "reactor/err.h"

/* Keeps only these capabilities (-1 ends the list) of the calling thread and sets no_new_privs. The bounding set is
 * left as it is: it matters only at execve(2). INTERNAL, also when one of them is not there to be kept. */
int privileges_keep(const int *capabilities, struct err *e);

#endif
