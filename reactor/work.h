/* work.h - what is under way. An operation that may take long is in one list, from its begin to its end. One that takes
 * over WORK_SLOW_MS is told once in the log, with what is known of it, and again when it ends:
 *
 *     slow kind=program stage=cni_add age_ms=10001 program="/opt/bin/x" pid=4711 inner="iptables" inner_pid=4720
 *     slow_ended kind=program stage=cni_add took_ms=25017 program="/opt/bin/x" pid=4711 */
#ifndef REACTOR_WORK_H
#define REACTOR_WORK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "reactor/list.h"

enum { WORK_ASK_MS = 1000, WORK_SLOW_MS = 10000 };

/* Embedded in the operation. The strings are borrowed until its end; NULL is "". */
struct work {
	const char *kind;    /* "rpc", "program", "queue", ... */
	const char *stage;   /* "cni_add" */
	const char *about;   /* further fields of its lines, each with a space in front */
	const char *program; /* that works now */
	pid_t pid;           /* of that program; 0: not known */
	bool patient;        /* its length is its caller's wish: told with level info, not warn */
	/* How it ended, set before work_end(); borrowed until that has returned. NULL: as it should. */
	const char *fault;   /* "exit status 1" */
	const char *words;   /* of the program, on its stderr */
	size_t words_len;
	/* NULL, or fills in what costs something to find out; it may do so later. Called once the work is WORK_ASK_MS
	 * old, before it is told, and by work_each(). */
	void (*ask)(struct work *work);
	/* work.c's: */
	struct link link;
	int64_t begun_ns;
	bool asked, told;
};

void work_begin(struct work *work); /* the members above are set, the others are zero */
void work_end(struct work *work);   /* harmless when it has not begun, or has ended */

/* fn runs for each work that is told. */
void work_on_slow(void (*fn)(const struct work *work));
/* fn runs for each work that ends. */
void work_on_end(void (*fn)(const struct work *work));
/* A step of a machine has ended that began at *since_ns (loop_mono_ns()): metric_stage(), and fn of work_on_end(). */
void work_step(const char *stage, const char *about, int64_t *since_ns);

/* Oldest first. fn may end its own work only. */
void work_each(void (*fn)(void *arg, struct work *work), void *arg);
/* The youngest that fits; NULL: none. Nothing is asked. Valid until the next turn of the loop. */
const struct work *work_find(bool (*fits)(const void *arg, const struct work *work), const void *arg);
int64_t work_age_ms(const struct work *work);

/* What a program waits for may be a program that it has started: a hook, an iptables. The name and pid of its child, of
 * that one's child, and so on: of the last one. Of several children one is taken. 0: it has none. */
enum { WORK_NAME = 16 };
pid_t work_inner(pid_t pid, char name[WORK_NAME]);

#endif
