/* underway.h - which children and births are under way, written down before their programs run, so that the next keeper
 * takes them up again.
 *
 * <state>/keeper.underway is a file of slots. It is written by one pwrite(2) a change (about 1 us), which a keeper that
 * is killed does not undo. After a reboot it says nothing. (ARCHITECTURE K42) */
#ifndef PROCS_KEEPER_UNDERWAY_H
#define PROCS_KEEPER_UNDERWAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "reactor/err.h"

enum underway_kind { UNDERWAY_NONE, UNDERWAY_JOB, UNDERWAY_BIRTH };

enum { UNDERWAY_FINISH = 1 /* of a job: child_spec.finish */, UNDERWAY_EXECUTES = 2 /* of a birth: it has said so */ };

struct underway {
	uint32_t kind, bits;
	int32_t pid;       /* 0: of a birth that has not told of itself */
	uint32_t borns;    /* how often a birth has told of itself */
	uint64_t tag;      /* of the request; 0: the crispd that asked is dead */
	int64_t begun_ns, born_ns; /* CLOCK_BOOTTIME: the process began between the two */
	char keep_id[72], pidfile[396]; /* "": none */
	uint32_t went;     /* of a job: written by its child alone */
};
_Static_assert(sizeof(struct underway) == 512, "no slot crosses a page");

/* Opens the file, or makes it. What an earlier keeper of this boot left stays in its slots. INTERNAL. */
int underway_open(const char *state, struct err *e);

/* Borrowed until the next call. NULL: nothing is in that slot. */
const struct underway *underway_at(int slot);

/* Those of the earlier keeper, each with the number of its slot. */
void underway_each(void (*fn)(int slot, const struct underway *left));

/* A slot, or -1: it cannot be written down (no room, or a string that is too long). The process began after begun_ns,
 * and before now if there is a pid. */
int underway_add(enum underway_kind kind, uint64_t tag, uint32_t bits, const char *keep_id, const char *pidfile,
		 pid_t pid, int64_t begun_ns);

/* slot -1 is allowed, and has no effect. False: it is not written down. */
bool underway_set_pid(int slot, pid_t pid); /* born_ns is now, and there is one more of borns */
void underway_set_bits(int slot, uint32_t bits);
void underway_set_tag(int slot, uint64_t tag);
void underway_drop(int slot);

/* In the child of that slot, before its program: from here on the program may have run. -1: it has none. */
void underway_child_goes(int slot);
bool underway_went(int slot); /* it got there, or the file does not tell */

int64_t underway_now_ns(void); /* CLOCK_BOOTTIME */

/* A pidfd of the process that was written down; -1: it is gone, and reaped. */
int underway_open_pid(const struct underway *u);

/* Its start in ticks since the boot, at the earliest: for the anchor, which compares it with those of the dead. */
uint64_t underway_ticks(const struct underway *u);

#endif
