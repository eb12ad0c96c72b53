/* log_stage.c - see log_stage.h. */
#include "procs/log_stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/log_format.h"
#include "reactor/logfile.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum phase { IDLE, SPLICING, WRITING, DRAINING };
enum { STDERR = 1, REFUSED = 2 }; /* REFUSED: the bytes are in the stream's pipe of refused bytes, not in the stage */

/* Lives in a memfd that the keeper holds too. The stores of one thread reach the page in order, and SIGKILL takes none
 * of them back. */
struct intent {
	uint32_t phase;
	uint32_t stream; /* STDERR, REFUSED */
	uint64_t dev, ino; /* of the log: the kubelet may have renamed it meanwhile */
	int64_t offset;
	uint64_t unused; /* older versions wrote the number of bytes here */
	char id[72];
};

static volatile struct intent *intent;
static int stage_r = -1, stage_w = -1;     /* borrowed from keeper.c */
static bool stage_kept;                    /* the keeper has said that it holds them, and the intent */
static int scratch_r = -1, scratch_w = -1; /* for copies made by tee(2); closed with this process */
static int null_fd = -1;
static char chunk[LOG_CHUNK];

static void intent_set_phase(enum phase p)
{
	__asm__ volatile("" ::: "memory"); /* the fields that the phase speaks of are stored before it */
	intent->phase = p;
	__asm__ volatile("" ::: "memory");
}

static size_t pipe_bytes(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) == 0 ? (size_t)n : 0;
}

/* The pipe is empty afterwards: its bytes are in the log, and what stayed would be written there once more. read(2) of
 * a pipe needs nothing that splice(2) may lack. */
static void pipe_drop(int fd)
{
	char bytes[4096];
	size_t left;

	while ((left = pipe_bytes(fd)) > 0) {
		ssize_t dropped = EFFECT(splice(fd, NULL, null_fd, NULL, left, SPLICE_F_NONBLOCK));

		if (dropped <= 0)
			dropped = read(fd, bytes, sizeof(bytes));
		if (dropped == 0 || (dropped < 0 && errno != EINTR))
			break;
	}
}

static bool scratch_is_there(void)
{
	int fds[2];

	if (scratch_r >= 0)
		return true;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	scratch_r = fds[0];
	scratch_w = fds[1];
	return true;
}

/* A container may put pages of a file system of its own into its pipe, by splice(2), and take the bytes back: read(2)
 * fails with EIO or ENODATA and leaves them where they are. Then they must not stay in front of those of others.
 * (ARCHITECTURE H95) */
static ssize_t scratch_fails(void)
{
	int error = errno;

	close(take_fd(&scratch_r));
	close(take_fd(&scratch_w));
	errno = error;
	return -1;
}

ssize_t log_stage_peek(int pipe_fd, const char **bytes)
{
	ssize_t n = scratch_is_there() ? tee(pipe_fd, scratch_w, LOG_CHUNK, SPLICE_F_NONBLOCK) : -1, got = 0;

	*bytes = chunk;
	while (n > 0 && got < n) {
		ssize_t r = read(scratch_r, chunk + got, (size_t)(n - got));

		if (r <= 0)
			return scratch_fails();
		got += r;
	}
	return n;
}

/* EAGAIN ends it: another reader of the pipe was faster, or the stage has no slot left (a writer may fill every slot of
 * a pipe with one byte, see O_DIRECT in pipe(2)). */
static void stage_splice_in(int pipe_fd, size_t n)
{
	while (n) {
		ssize_t moved = EFFECT(splice(pipe_fd, NULL, stage_w, NULL, n, SPLICE_F_NONBLOCK));

		if (moved < 0 && errno == EINTR)
			continue;
		if (moved <= 0)
			return;
		n -= (size_t)moved;
	}
}

static int stage_append(int log_fd, const char *bytes, size_t n, bool is_stderr, struct err *e)
{
	static struct buf text;
	int failed;

	log_format(&text, bytes, n, is_stderr, loop_real_ns());
	failed = logfile_append(log_fd, text.at, text.len, e);
	buf_consume(&text, text.len);
	return failed;
}

/* Without the size of the log a crash could not be undone, so nothing is moved. */
static int intent_set(const struct log_stage_target *target, uint32_t from, struct err *e)
{
	struct stat st = { 0 };

	if (target->log_fd >= 0 && fstat(target->log_fd, &st) < 0)
		return err_os(e, ERR_INTERNAL, "look at the log");
	intent->stream = (target->is_stderr ? STDERR : 0) | from;
	intent->dev = st.st_dev;
	intent->ino = target->log_fd >= 0 ? st.st_ino : 0;
	intent->offset = st.st_size;
	snprintf((char *)intent->id, sizeof(intent->id), "%s", target->id);
	return 0;
}

/* ---- the pipe of the stage ---- */

static bool is_one_pipe(int a, int b)
{
	struct stat of_a, of_b;

	return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 && of_a.st_ino == of_b.st_ino;
}

/* Are both ends held, and are they ends of one pipe? A crash may come between the two messages to the keeper. */
static bool stage_is_whole(void)
{
	return is_one_pipe(keeper_copy("log/stage_r"), keeper_copy("log/stage_w"));
}

/* What is moved through them before that is lost with both daemons. */
static bool stage_is_kept(void)
{
	stage_kept |= keeper_has("log/stage_r") && keeper_has("log/stage_w") && keeper_has("log/intent");
	return stage_kept;
}

static int stage_make(struct err *e)
{
	int fds[2], held;

	if (!stage_is_whole()) {
		keeper_ask_release_all("log/stage");
		if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
			return err_os(e, ERR_INTERNAL, "make the staging pipe");
		held = keeper_ask_hold("log/stage_r", fds[0], e);
		held = held < 0 ? held : keeper_ask_hold("log/stage_w", fds[1], e);
		close(fds[0]);
		close(fds[1]);
		if (held < 0)
			return err_wrap(e, "make the staging pipe");
	}
	stage_kept = false;
	stage_r = keeper_copy("log/stage_r");
	stage_w = keeper_copy("log/stage_w");
	return 0;
}

/* ---- bytes that the log refuses ---- */

struct refused_name {
	char s[128];
};

static struct refused_name refused_name(const char *id, bool is_stderr)
{
	struct refused_name n;

	snprintf(n.s, sizeof(n.s), "container/%s/%s_refused", id, is_stderr ? "stderr" : "stdout");
	return n;
}

/* The container of the intent, as a string of this process. */
static const char *intent_id(void)
{
	static char id[sizeof(intent->id)];

	memcpy(id, (const char *)intent->id, sizeof(id));
	id[sizeof(id) - 1] = '\0';
	return id;
}

/* The pipe of the stage becomes the stream's pipe of refused bytes, and the stage gets a new one. Each step waits until
 * the keeper has the one before: a crispd that finds the bytes in the stage must find its intent too. On an error the
 * intent is not IDLE and the call can be repeated; a crash at any instruction leaves what intent_finish() can finish.
 * (ARCHITECTURE K70) */
static int stage_set_aside(struct err *e)
{
	struct refused_name name = refused_name(intent_id(), intent->stream & STDERR);

	if (stage_r >= 0 && pipe_bytes(stage_r) > 0) {
		if (!is_one_pipe(keeper_copy(name.s), stage_r) && keeper_ask_hold(name.s, stage_r, e) < 0)
			return err_wrap(e, "keep the bytes that the log refuses");
		fault_at("log_stage", "set_aside", "held");
		if (!keeper_has(name.s))
			return err_set(e, ERR_UNAVAILABLE, "the keeper has not got the bytes yet that the log refuses");
	}
	if (stage_r >= 0)
		keeper_ask_release_all("log/stage");
	stage_r = stage_w = -1;
	fault_at("log_stage", "set_aside", "released");
	if (stage_make(e) < 0)
		return -1;
	fault_at("log_stage", "set_aside", "made");
	if (!stage_is_kept()) {
		stage_r = stage_w = -1; /* the next call finds the new pipe */
		return err_set(e, ERR_UNAVAILABLE, "the keeper has not got the new staging pipe yet");
	}
	intent_set_phase(IDLE);
	fault_at("log_stage", "set_aside", "idle");
	return 0;
}

/* What cannot be read cannot be dropped either: the next bytes come to a new stage. */
static void stage_empty(void)
{
	struct err e;

	pipe_drop(stage_r);
	if (pipe_bytes(stage_r) == 0)
		return;
	log_warn("log_lost container=%.12s bytes=%zu error=\"they cannot be read\"", intent_id(), pipe_bytes(stage_r));
	keeper_ask_release_all("log/stage");
	stage_r = stage_w = -1;
	if (stage_make(&e) < 0)
		log_error("log_stage error=%s", log_quote(e.msg));
}

bool log_stage_ready(void)
{
	struct err ignored;

	return intent->phase == IDLE ? stage_is_kept() : stage_set_aside(&ignored) == 0;
}

/* Are the bytes in the stage, which could not be set aside yet, of that stream? */
static bool stage_is_of(const char *id, bool is_stderr)
{
	return intent->phase != IDLE && strcmp(intent_id(), id) == 0 && !(intent->stream & STDERR) == !is_stderr;
}

size_t log_stage_refused(const char *id, bool is_stderr)
{
	int own = keeper_copy(refused_name(id, is_stderr).s);

	return pipe_bytes(own < 0 && stage_is_of(id, is_stderr) ? stage_r : own);
}

void log_stage_give_up(const char *id, bool is_stderr)
{
	if (stage_is_of(id, is_stderr))
		pipe_drop(stage_r);
	keeper_ask_release(refused_name(id, is_stderr).s);
}

int log_stage_again(const struct log_stage_target *target, struct err *e)
{
	struct refused_name name = refused_name(target->id, target->is_stderr);
	const char *bytes;
	ssize_t n;
	int fd;

	if (intent->phase != IDLE && stage_set_aside(e) < 0)
		return -1;
	fd = keeper_copy(name.s);
	if (fd < 0)
		return 0;
	if (!scratch_is_there())
		return err_os(e, ERR_RESOURCE_EXHAUSTED, "make the scratch pipe");
	if (intent_set(target, REFUSED, e) < 0)
		return -1;
	intent_set_phase(WRITING);
	n = log_stage_peek(fd, &bytes);
	if (n > 0 && target->log_fd >= 0 && stage_append(target->log_fd, bytes, (size_t)n, target->is_stderr, e) < 0) {
		intent_set_phase(IDLE);
		return -1;
	}
	intent_set_phase(DRAINING);
	pipe_drop(fd);
	intent_set_phase(IDLE);
	keeper_ask_release(name.s);
	return 0;
}

/* ---- a move ---- */

int log_stage_move(int pipe_fd, size_t n, const struct log_stage_target *target, struct log_stage_moved *moved,
		   struct err *e)
{
	ssize_t in_stage;
	struct err why;

	moved->n = 0;
	if ((intent->phase != IDLE && stage_set_aside(e) < 0) || intent_set(target, 0, e) < 0)
		return -1;
	intent_set_phase(SPLICING);
	stage_splice_in(pipe_fd, n);
	in_stage = log_stage_peek(stage_r, &moved->bytes);
	moved->n = in_stage > 0 ? (size_t)in_stage : 0;
	if (target->log_fd >= 0 && moved->n) {
		intent_set_phase(WRITING);
		if (stage_append(target->log_fd, moved->bytes, moved->n, target->is_stderr, e) < 0) {
			(void)stage_set_aside(&why); /* begun: log_stage_ready() ends it */
			return -1;
		}
	}
	intent_set_phase(DRAINING);
	stage_empty();
	intent_set_phase(IDLE);
	return 0;
}

/* ---- after a restart ---- */

static int intent_log(struct err *e)
{
	char name[128];
	struct stat st;
	int fd;

	snprintf(name, sizeof(name), "container/%s/log", intent_id());
	fd = keeper_copy(name);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != intent->dev || st.st_ino != intent->ino)
		return err_set(e, ERR_INTERNAL, "the keeper does not hold its log any more");
	return fd;
}

static int intent_redo(int from, struct err *e)
{
	size_t n = pipe_bytes(from);
	const char *bytes;
	int fd;

	if (!intent->ino || !n)
		return 0;
	fd = intent_log(e);
	if (fd < 0)
		return -1;
	if (logfile_size(fd) > intent->offset && logfile_cut(fd, intent->offset) < 0)
		return err_os(e, ERR_INTERNAL, "cut the log to %lld bytes", (long long)intent->offset);
	if (log_stage_peek(from, &bytes) != (ssize_t)n)
		return err_os(e, ERR_INTERNAL, "read %zu staged bytes", n);
	intent_set_phase(WRITING);
	return stage_append(fd, bytes, n, intent->stream & STDERR, e);
}

static void intent_refused(bool in_stage, const struct err *refused)
{
	struct err e;

	log_warn("log_refused container=%.12s error=%s", intent_id(), log_quote(refused->msg));
	if (!in_stage)
		intent_set_phase(IDLE);
	else
		(void)stage_set_aside(&e); /* begun: log_stage_ready() ends it */
}

static void intent_finish(void)
{
	bool in_stage = !(intent->stream & REFUSED);
	int from = in_stage ? stage_r : keeper_copy(refused_name(intent_id(), intent->stream & STDERR).s);
	struct err e;

	if (intent->phase == IDLE)
		return;
	log_info("log_intent container=%.12s phase=%u staged=%zu", intent_id(), intent->phase, pipe_bytes(from));
	if (intent->phase != DRAINING && intent_redo(from, &e) < 0)
		return intent_refused(in_stage, &e);
	intent_set_phase(DRAINING);
	if (in_stage)
		stage_empty();
	else
		pipe_drop(from);
	intent_set_phase(IDLE);
}

void log_stage_end(void)
{
	intent_finish();
}

/* ---- opening ---- */

static int intent_make(struct err *e)
{
	auto_fd int fd = -1;
	void *page;

	if (keeper_copy("log/intent") < 0) {
		fd = memfd_create("crisp-log-intent", MFD_CLOEXEC);
		if (fd < 0 || EFFECT(ftruncate(fd, sizeof(struct intent))) < 0)
			return err_os(e, ERR_INTERNAL, "make the log intent");
		if (keeper_ask_hold("log/intent", fd, e) < 0)
			return -1;
	}
	page = mmap(NULL, sizeof(struct intent), PROT_READ | PROT_WRITE, MAP_SHARED, keeper_copy("log/intent"), 0);
	if (page == MAP_FAILED)
		return err_os(e, ERR_INTERNAL, "map the log intent");
	intent = page;
	return 0;
}

/* A crash while the stage was set aside leaves its pipe with a stream's name too. What is in it is in the stage, and
 * next come the bytes of another stream. (ARCHITECTURE K75) */
static void drop_twin(void *arg, const char *name, int fd)
{
	const char *end = strrchr(name, '_');

	(void)arg;
	if (end && strcmp(end, "_refused") == 0 && is_one_pipe(fd, stage_r))
		keeper_ask_release(name);
}

/* As an earlier version may leave it, the intent is IDLE and the bytes are a stream's that is refused: they stay in its
 * pipe, and go to no other stream. */
static int stage_leave(struct err *e)
{
	log_warn("log_stage bytes=%zu effect=\"they are left to their stream\"", pipe_bytes(stage_r));
	keeper_ask_release_all("log/stage");
	return stage_make(e);
}

int log_stage_open(struct err *e)
{
	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null_fd < 0 || !scratch_is_there())
		return err_os(e, ERR_INTERNAL, "make the scratch pipe");
	if (stage_make(e) < 0 || intent_make(e) < 0 ||
	    (intent->phase == IDLE && pipe_bytes(stage_r) > 0 && stage_leave(e) < 0))
		return -1;
	keeper_each_copy("container/", drop_twin, NULL);
	intent_finish();
	return 0;
}
