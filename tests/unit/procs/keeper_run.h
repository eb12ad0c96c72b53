/* keeper_run.h - a real keeper for a test: the test's own program runs again as crispd, and as the children.
 *
 * play("story") starts crisp-keeper on a fresh state directory; the crispd it starts runs the story of that name and
 * counts on in the same TAP stream, which a shared page carries from process to process, kill -9 included. */
#ifndef TESTS_KEEPER_RUN_H
#define TESTS_KEEPER_RUN_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/anchor.h"
#include "procs/keeper.h"
#include "procs/keeper/proto.h"
#include "reactor/child.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/places.h"
#include "tests/built.h"
#include "tests/tap.h"

/* The patience is long, for a very busy machine: an awaited event either comes or never will. */
enum { PATIENCE_MS = 120000, LOOK_MS = 2 };

static struct shared {
	int tap_n, tap_bad;
	char story[32], dir[64];
	int lives; /* how often crispd was started */
	pid_t pids[4];
	int told; /* what one life tells the next */
	pid_t front; /* of the keeper */
	bool over;   /* the story came to its end */
} *shared;

static char self[4096], keeper_program[4096];

static inline void shared_open(const char *path)
{
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(*shared)) < 0)
		abort();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		abort();
	tap_n = shared->tap_n;
	tap_bad = shared->tap_bad;
}

static inline void shared_save(void)
{
	fflush(stdout);
	shared->tap_n = tap_n;
	shared->tap_bad = tap_bad;
}

/* A path that nobody makes, in the test's directory. */
static inline const char *no_such(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/no-such-%.40s", shared->dir, name);
	return path;
}

/* ---- crispd's side: the loop runs until what a story waits for has come ---- */

static inline void on_patience(struct timer *t)
{
	(void)t;
	printf("Bail out! story %s waits for ever\n", shared->story);
	fflush(stdout);
	kill(getppid(), SIGTERM);
	_exit(1);
}

/* A callback that ends a wait calls loop_stop(). */
static inline void wait_for(const bool *happened)
{
	struct timer patience = { 0 };

	timer_set(&patience, PATIENCE_MS, on_patience);
	while (!*happened)
		loop_run();
	timer_clear(&patience);
}

static inline void on_look(struct timer *t)
{
	(void)t;
	loop_stop();
}

/* For an effect of another process that no event tells: tests the condition again and again while the loop runs. false:
 * the patience is over. */
static inline bool comes_true(bool (*is_so)(const void *arg), const void *arg)
{
	int64_t until_ns = loop_mono_ns() + PATIENCE_MS * 1000000ll;
	struct timer look = { 0 };
	bool so;

	while (!(so = is_so(arg)) && loop_mono_ns() < until_ns) {
		timer_set(&look, LOOK_MS, on_look);
		loop_run();
	}
	timer_clear(&look);
	return so;
}

static inline bool path_is_there(const void *path)
{
	return access(path, F_OK) == 0;
}

static inline bool path_is_gone(const void *path)
{
	return access(path, F_OK) < 0;
}

static inline void ask_hold(const char *name, int fd, bool path)
{
	struct err e;

	if ((path ? keeper_ask_hold_path(name, fd, &e) : keeper_ask_hold(name, fd, &e)) < 0)
		abort();
}

struct outcome {
	bool done;
	int calls, status;
	enum err_code code;
	char text[1024], out[1024], err[1024];
	size_t out_len;
	bool out_cut;
	pid_t pid;
	int pidfd;
};

static inline void on_outcome(void *arg, const struct err *e, struct child_result *r)
{
	struct outcome *o = arg;

	o->done = true;
	o->calls++;
	o->status = r->status;
	o->code = e ? e->code : ERR_OK;
	snprintf(o->text, sizeof(o->text), "%s", e ? e->msg : "");
	snprintf(o->out, sizeof(o->out), "%s", r->out);
	snprintf(o->err, sizeof(o->err), "%s", r->err);
	o->out_len = r->out_len;
	o->out_cut = r->out_cut;
	o->pid = r->pid;
	o->pidfd = r->pidfd;
	r->pidfd = -1;
	loop_stop();
}

static inline struct outcome run(struct child_spec *s)
{
	struct outcome o = { .pidfd = -1 };

	if (!s->stdout_max)
		s->stdout_max = s->keep_id && !s->pidfile ? 0 : 1000;
	child_start(s, on_outcome, &o);
	ok(o.calls == 0);
	wait_for(&o.done);
	return o;
}

#define ROLE(...) ((const char *const[]){ self, "role", __VA_ARGS__, NULL })

/* Keeps a process of the test's role "wait", which must run until it is killed. */
static inline struct outcome keep(const char *id)
{
	struct outcome o = run(&(struct child_spec){ .argv = ROLE("wait"), .keep_id = id });

	ok(o.code == ERR_OK && o.pidfd >= 0);
	close(o.pidfd);
	return o;
}

static bool watch_over;
static struct exit_record last_exit;

static inline void on_exit_record(struct exit_watch *w, const struct exit_record *r)
{
	(void)w;
	last_exit = *r;
	watch_over = true;
	loop_stop();
}

static inline struct exit_record exit_of(const char *id)
{
	struct exit_watch w = { 0 };

	watch_over = false;
	keeper_watch_exit(&w, id, on_exit_record);
	wait_for(&watch_over);
	return last_exit;
}

static inline void on_eof(struct fd_watch *w, int events)
{
	(void)w;
	(void)events;
	watch_over = true;
	loop_stop();
}

/* Waits until all processes that hold the other end of this pipe are dead. */
static inline void wait_for_eof(int fd)
{
	struct fd_watch w = { 0 };

	watch_over = false;
	fd_watch_set(&w, fd, FD_READ, on_eof);
	wait_for(&watch_over);
	fd_watch_clear(&w);
}

static inline int memfd_with(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static inline bool file_has(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char got[256] = "";

	return fd >= 0 && pread(fd, got, sizeof(got) - 1, 0) >= 0 && strcmp(got, text) == 0;
}

static inline int count_fds(pid_t pid)
{
	char path[32];
	auto_dir DIR *d = NULL;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	return n;
}

struct fd_count {
	pid_t pid;
	int n;
};

static inline bool has_fds(const void *arg)
{
	const struct fd_count *want = arg;

	return count_fds(want->pid) == want->n;
}

/* The keeper closes an fd some time after the message that releases it was sent. */
static inline bool comes_to_fds(pid_t pid, int n)
{
	return comes_true(has_fds, &(struct fd_count){ pid, n });
}

/* The keeper is ended, which ends this crispd. */
static inline _Noreturn void story_over(void)
{
	shared->over = true;
	shared_save();
	kill(shared->front, SIGTERM);
	for (;;)
		pause();
}

static bool is_ready, is_gone, is_back;
static enum err_code ready_code;

static inline void on_keeper_ready(void *arg, const struct err *e)
{
	(void)arg;
	ready_code = e ? e->code : ERR_OK;
	is_ready = true;
	loop_stop();
}

static inline void on_keeper_gone(void *arg)
{
	(void)arg;
	is_gone = true;
	loop_stop();
}

static inline void on_keeper_back(void *arg)
{
	(void)arg;
	is_back = true;
	loop_stop();
}

static inline void be_crispd(void)
{
	static const struct keeper_events events = { on_keeper_ready, on_keeper_gone, on_keeper_back, NULL };

	shared_open(getenv("CRISP_TEST_SHARED"));
	shared->lives++;
	keeper_open(atoi(getenv(KEEPER_FD_ENV)), &events);
	wait_for(&is_ready);
}

/* ---- the test's own side ---- */

static inline pid_t start_keeper(const char *story, const char *const *more)
{
	const char *argv[16] = { keeper_program, "--crispd", self, "--state", shared->dir, "--log", "error" };
	size_t n = 7;
	pid_t pid;

	while (more && *more)
		argv[n++] = *more++;
	snprintf(shared->story, sizeof(shared->story), "%s", story);
	shared->lives = 0;
	shared->over = false;
	shared_save();
	pid = fork();
	if (pid)
		return pid;
	shared->front = getpid();
	execv(keeper_program, (char *const *)argv);
	_exit(99);
}

/* crispd has ended its part; the next process counts on from here. */
static inline void my_turn(void)
{
	tap_n = shared->tap_n;
	tap_bad = shared->tap_bad;
}

static inline int keeper_verdict(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	my_turn();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The pid of the anchor of the test's directory; 0: there is none. */
static inline pid_t anchor_pid(void)
{
	char path[128], text[16] = "";
	auto_fd int fd = -1;

	snprintf(path, sizeof(path), "%s/" ANCHOR_LOCK, shared->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	return (pid_t)atoi(text);
}

/* What a story left is held by the anchor, which stays with it; a SIGTERM ends an anchor without a keeper. It was
 * reparented to the test. */
static inline void end_anchor(void)
{
	pid_t pid = anchor_pid();

	if (pid > 0 && kill(pid, SIGTERM) == 0)
		waitpid(pid, NULL, 0);
}

static inline void play(const char *story)
{
	printf("# %s\n", story);
	fflush(stdout);
	ok(keeper_verdict(start_keeper(story, NULL)) == 0 && shared->over);
	end_anchor();
}

static inline void world_open(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		abort();
	built(keeper_program, "crisp-keeper");
}

static inline void world_make(void)
{
	char dir[] = "/tmp/crisp-keeper-XXXXXX", path[96];

	if (!mkdtemp(dir) || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		abort();
	snprintf(path, sizeof(path), "%s/shared", dir);
	setenv("CRISP_TEST_SHARED", path, 1);
	shared_open(path);
	snprintf(shared->dir, sizeof(shared->dir), "%s", dir);
}

/* A process that a keeper left alive on purpose was reparented to the test; the story has ended it. */
static inline void world_remove(void)
{
	end_anchor();
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	auto_dir DIR *d = opendir(shared->dir);
	struct dirent *f;

	while (d && (f = readdir(d)))
		unlinkat(dirfd(d), f->d_name, 0);
	ok(rmdir(shared->dir) == 0);
}

#endif
