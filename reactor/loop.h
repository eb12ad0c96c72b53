/* loop.h - the one event loop of a process. Every callback starts in loop.c, which measures its time.
 *
 * No other header shows libev. Watchers are embedded in the object that waits. */
#ifndef REACTOR_LOOP_H
#define REACTOR_LOOP_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct timer {
	void (*fn)(struct timer *timer);
	struct ev_timer ev;
};

/* Runs fn once, `ms` milliseconds from now, never inside this call; 0: in the next turn. A second call replaces time
 * and fn. A zeroed timer is valid and not set. */
void timer_set(struct timer *timer, int64_t ms, void (*fn)(struct timer *timer));
void timer_clear(struct timer *timer); /* harmless when not set */
bool timer_is_set(const struct timer *timer);

enum { FD_READ = EV_READ, FD_WRITE = EV_WRITE };

struct fd_watch {
	/* events: FD_READ, FD_WRITE or both; a hang-up or an error sets both */
	void (*fn)(struct fd_watch *watch, int events);
	struct ev_io ev;
};

/* Level-triggered. Borrows fd, which must stay open until fd_watch_clear(). Setting again changes fd, events and fn;
 * events 0 clears. A zeroed watch is valid and not set. */
void fd_watch_set(struct fd_watch *watch, int fd, int events, void (*fn)(struct fd_watch *watch, int events));
void fd_watch_clear(struct fd_watch *watch); /* harmless when not set */

struct signal_watch {
	void (*fn)(struct signal_watch *watch);
	struct ev_signal ev;
};

void signal_watch_set(struct signal_watch *watch, int signum, void (*fn)(struct signal_watch *watch));
void signal_watch_clear(struct signal_watch *watch);

/* fn runs at the end of every turn, just before the loop sleeps. When it has work left, it calls loop_spin(). */
struct prepare_watch {
	void (*fn)(struct prepare_watch *watch);
	struct ev_prepare ev;
};

void prepare_watch_set(struct prepare_watch *watch, void (*fn)(struct prepare_watch *watch));
void prepare_watch_clear(struct prepare_watch *watch);
void loop_spin(void); /* the loop does not sleep before its next turn */

/* Runs until loop_stop() is called or nothing is watched. */
void loop_run(void);
void loop_stop(void);

/* One turn without sleeping: for tests. */
void loop_turn(void);

int64_t loop_mono_ns(void); /* CLOCK_MONOTONIC */
int64_t loop_real_ns(void); /* CLOCK_REALTIME, nanoseconds since the epoch */

/* What each callback cost. Bucket i counts callbacks whose time is below 2^i microseconds and not below 2^(i-1). */
enum { LOOP_BUCKETS = 26 };

struct loop_cost {
	uint64_t count, sum_ns, max_ns;
	uint64_t bucket[LOOP_BUCKETS];
};

struct loop_stats {
	struct loop_cost cpu;  /* CLOCK_THREAD_CPUTIME_ID inside callbacks */
	struct loop_cost wall; /* CLOCK_MONOTONIC inside callbacks */
	uint64_t turns;
	/* time that the thread was runnable and did not run, from /proc/thread-self/schedstat at the call */
	uint64_t runqueue_wait_ns;
};

void loop_stats(struct loop_stats *out);

/* The callback that took most CPU time since the last call of this function; zeros: none. */
struct loop_peak {
	int64_t cpu_ns, wall_ns;
	uint64_t fn; /* its function, as an address in the program's file: addr2line -f -e crispd */
};

struct loop_peak loop_peak(void);

#endif
