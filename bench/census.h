/* census.h - finds the processes of a server, and measures their memory and CPU time.
 *
 * The server's processes are: the listener of the socket (SO_PEERCRED), crisp-keepers and the crisp-anchor among its
 * ancestors, and every process that is not in the baseline and is neither this program, nor a descendant of it, nor a
 * container. Other programs that start meanwhile would be counted, so the machine must be idle or the run in a PID
 * namespace. */
#ifndef BENCH_CENSUS_H
#define BENCH_CENSUS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "reactor/err.h"

enum { CENSUS_MAX = 32768 };

struct census {
	pid_t pid[CENSUS_MAX];
	size_t n;
};

void census_take(struct census *now); /* every process of /proc */

/* The pid of the process that listens on "unix:///path". */
int census_server(const char *address, pid_t *pid, struct err *e);

/* The server's processes. `container` is the first word of a container's command line, `mark` its last word. */
void census_daemons(const struct census *baseline, pid_t server, const char *container, const char *mark,
		    struct census *out);

/* The number of container processes that run. StartContainer may be answered before the runtime's process has become
 * the container's by execve. */
size_t census_containers(const struct census *baseline, const char *container, const char *mark);

struct census_cost {
	int64_t uss_kib, pss_kib;
	int64_t cpu_us; /* CPU time so far, of the processes and of the children that they have waited for */
};

/* A process that has exited counts as 0. census_cpu_us() reads no memory figures: for these the kernel walks over every
 * page of a process. */
void census_cost(const struct census *daemons, struct census_cost *out);
int64_t census_cpu_us(const struct census *daemons);

int64_t census_available_kib(void); /* MemAvailable of the machine */

#endif
