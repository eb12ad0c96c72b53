/* limits.h - limits of the kernel that a node with many pods meets: which of them are too low for a thousand pods. */
#ifndef PROCS_LIMITS_H
#define PROCS_LIMITS_H

#include <stdint.h>

enum { LIMITS_PODS = 1000 };

/* Calls fn for each limit that is met before LIMITS_PODS pods are there. text: a sentence with the name of the sysctl;
 * name and value are of it; pods: about how many it is good for. (ARCHITECTURE S62) */
typedef void limit_fn(void *arg, const char *name, uint64_t value, unsigned pods, const char *text);
void limits_each(limit_fn *fn, void *arg);

/* For tests: the same below another directory than /proc/sys. */
void limits_each_of(const char *dir, limit_fn *fn, void *arg);

#endif
