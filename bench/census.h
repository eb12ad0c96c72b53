/* census.h - the processes of a server and what they cost.
 *
 * Which they are is found out, not told: the listener of the socket (SO_PEERCRED), crisp-keepers above it, and every
 * process that came since the baseline and is neither this program, nor below it, nor a container. Run it where nothing
 * else starts programs meanwhile: a namespace of its own, an idle machine. */
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

void census_take(struct census *now); /* every process there is */

/* The pid that listens on "unix:///path". */
int census_server(const char *address, pid_t *pid, struct err *e);

/* The server's own processes. `container` is the first word and `mark` the last of a container's command line. */
void census_daemons(const struct census *baseline, pid_t server, const char *container, const char *mark,
		    struct census *out);

/* Those of them that are up: StartContainer may be answered before the runtime's last process became the container's.
 * */
size_t census_containers(const struct census *baseline, const char *container, const char *mark);

struct census_cost {
	int64_t uss_kib, pss_kib;
	int64_t cpu_us; /* used so far, by them and by the children they waited for */
};

/* A process that went meanwhile counts nothing. cpu only: memory is left 0, it costs the kernel a walk over every
 * page. */
void census_cost(const struct census *daemons, struct census_cost *out);
int64_t census_cpu_us(const struct census *daemons);

int64_t census_available_kib(void); /* MemAvailable of the machine */

#endif
