/* floor.h - the kernel's part of a container's life, step by step, without any runtime around it.
 *
 * The steps are strictly in order, so their times add up. Any failure ends the program with the reason: it does not
 * clean up. Times are milliseconds of CLOCK_MONOTONIC. */
#ifndef BENCH_FLOOR_FLOOR_H
#define BENCH_FLOOR_FLOOR_H

#include <stdbool.h>
#include <sys/types.h>

enum { PATH_ROOM = 400 };

struct floor {
	const char *dir, *cgroup; /* dir/lower is the image */
	bool host_network;
	unsigned mounts, host_mounts;
	unsigned bridge; /* index of "floor0"; 0 with host_network */
	int netlink;	 /* -1 with host_network */
	bool pool;
	int own, pooled; /* with pool: the network namespace of this program, and that of the next container; else -1 */
};

/* Where the time went. In memory that the children share. */
enum mark { BEGUN, MADE, BORN, CONNECTED, JOINED, MOUNTED, CONFINED, EXECUTED, WROTE, ENDED, MARKS };
struct marks {
	double at[MARKS];
	pid_t second; /* exec: the process inside the PID namespace */
};

struct life { /* one container */
	unsigned n; /* its number: names, address */
	pid_t pid;
};

/* main.c */
void mark(struct marks *m, enum mark which);

/* life.c: brings a container up until its first byte, and takes it down. */
void life_up(struct floor *f, struct life *l, struct marks *m);
void life_down(const struct floor *f, const struct life *l);

/* exec.c: a second process in the container, until it has written its first byte and ended. */
void life_exec(const struct floor *f, const struct life *l, struct marks *m);

/* inside.c: what a process does to itself. `out` becomes standard output. */
void inside_mounts(const struct floor *f, unsigned n);
void inside_confine(void);
_Noreturn void inside_run(int out, char *const *argv, struct marks *m);

/* cgroups.c: a group in each v1 hierarchy, or one v2 group. */
void cgroups_find(const char *cgroup);
void cgroups_remove_parents(void);
void cgroups_make(unsigned n);
bool cgroups_are_v2(void);
int cgroups_fd(unsigned n); /* an fd for CLONE_INTO_CGROUP; -1: v1, and the child calls cgroups_join() */
void cgroups_join(unsigned n);
void cgroups_remove(unsigned n);
unsigned cgroups_count(void);
const char *cgroups_at(unsigned i); /* the parent group in hierarchy i */

/* network.c */
void network_pair(const struct floor *f, unsigned n, pid_t pid); /* a veth pair on the bridge */
int network_prepare(int own); /* a namespace with lo up, as an fd; the caller is back in `own` then */
/* in the namespace: lo (where it was not prepared), eth0 with an address of 10.189.0.0/16, default route */
void network_configure(const struct floor *f, unsigned n);

#endif
