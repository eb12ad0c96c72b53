/* watch.c - see watch.h.
 *
 *   QUIET ---PROBE is sent---> ASKED ---TURNS---> QUIET
 *                                +---10 s of silence: said---> HANGS ---TURNS: crispd is told---> QUIET
 *                                                                +---silent as long as `watchdog`---> killed
 *   HANGS ---crispd ended---> the next one is told
 *
 * A PROBE goes out every ASK_MS while none is open, so a hang is said 10 to 15 s after its begin. A debugger that has
 * stopped crispd (state t) does so on purpose: such a crispd is not killed.
 * Waits on: one timer, and the answer. */
#include "procs/keeper/watch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "procs/keeper/channel.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/silence.h"
#include "procs/pidstat.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { ASK_MS = 5000, HANG_MS = 10000 };

struct hang {
	int64_t begin_ns; /* CLOCK_REALTIME, as far as that is known */
	int64_t ms;
	char what[64]; /* what the kernel said of it: "state T, in do_signal_stop" */
};

static struct {
	pid_t pid; /* 0: none is watched */
	void (*signal)(int sig);
	int64_t limit_ms; /* 0: it is never killed */
	bool ready, hangs, killed;
	struct silence silence;
	struct timer timer;
	struct hang hang;
	struct hang last; /* of a crispd that ended so, until the next one is told; ms 0: none */
} watch;

static int64_t mono_ms(void)
{
	return loop_mono_ns() / 1000000;
}

/* The state of its one thread; '?': it is gone. */
static char look_at(pid_t pid, char what[static 64])
{
	struct pidstat now = { .state = '?' };
	char path[32], in[32] = "";
	auto_fd int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/wchan", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, in, sizeof(in) - 1);
	in[n > 0 ? n : 0] = '\0';
	if (!pidstat_read(pid, &now))
		now.state = '?';
	if (!*in || strcmp(in, "0") == 0) /* it runs, or the kernel does not tell */
		snprintf(what, 64, "state %c", now.state);
	else
		snprintf(what, 64, "state %c, in %s", now.state, in);
	return now.state;
}

static void tell_stood(const struct hang *hang, bool replaced)
{
	struct buf b = { 0 };

	put_u64(&b, (uint64_t)hang->begin_ns);
	put_u64(&b, (uint64_t)hang->ms);
	put_str(&b, hang->what);
	put_u32(&b, replaced);
	channel_tell(KEEPER_STOOD, 0, &b, NULL, 0);
	buf_free(&b);
}

static void note_hang(int64_t ms)
{
	char what[64];
	char state = look_at(watch.pid, what);

	watch.hang.ms = ms;
	if (!watch.hangs) {
		watch.hangs = true;
		watch.hang.begin_ns = loop_real_ns() - ms * 1000000;
		snprintf(watch.hang.what, sizeof(watch.hang.what), "%s", what);
		log_error("crispd_hangs pid=%d silent_ms=%lld what=%s effect=\"CRI does not answer; containers run "
			  "on\"", watch.pid, (long long)ms, log_quote(what));
	}
	if (watch.killed || !watch.ready || !watch.limit_ms || ms < watch.limit_ms || state == 't')
		return;
	watch.killed = true;
	log_error("crispd_killed pid=%d silent_ms=%lld what=%s why=watchdog", watch.pid, (long long)ms,
		  log_quote(what));
	watch.signal(SIGKILL);
}

static void on_watch(struct timer *t)
{
	int64_t ms = silence_look(&watch.silence, mono_ms(), ASK_MS);

	timer_set(t, ASK_MS, on_watch);
	if (!watch.silence.asked) {
		silence_ask(&watch.silence, mono_ms());
		channel_tell(KEEPER_PROBE, 0, NULL, NULL, 0);
	} else if (ms >= HANG_MS) {
		note_hang(ms);
	}
}

void watch_begin(pid_t pid, void (*crispd_signal)(int sig))
{
	watch.pid = pid;
	watch.signal = crispd_signal;
	if (watch.last.ms)
		tell_stood(&watch.last, true);
	watch.last.ms = 0;
	on_watch(&watch.timer);
}

void watch_end(void)
{
	if (watch.hangs)
		watch.last = watch.hang;
	timer_clear(&watch.timer);
	silence_over(&watch.silence);
	watch.pid = 0;
	watch.limit_ms = 0;
	watch.ready = watch.hangs = watch.killed = false;
}

void watch_ready(void)
{
	watch.ready = true;
}

void watch_limit(const struct imsg *m)
{
	struct get g = get_from(m);
	uint32_t seconds = get_u32(&g);

	watch.limit_ms = g.bad ? 0 : (int64_t)seconds * 1000;
}

void watch_answered(void)
{
	int64_t ms = silence_look(&watch.silence, mono_ms(), ASK_MS);

	silence_over(&watch.silence);
	if (!watch.hangs)
		return;
	watch.hangs = false;
	watch.hang.ms = ms;
	log_warn("crispd_turns_again pid=%d silent_ms=%lld what=%s", watch.pid, (long long)ms,
		 log_quote(watch.hang.what));
	tell_stood(&watch.hang, false);
}
