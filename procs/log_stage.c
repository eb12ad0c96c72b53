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
#include "procs/logfile.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum phase { IDLE, SPLICING, WRITING, DRAINING };

/* Lives in a memfd that the keeper holds too. The stores of one thread reach the page in order, and SIGKILL takes none
 * of them back. */
struct intent {
	uint32_t phase;
	uint32_t is_stderr;
	uint64_t dev, ino; /* of the log: the kubelet may have renamed it meanwhile */
	int64_t offset;
	uint64_t unused; /* older versions wrote the number of bytes here */
	char id[72];
};

static volatile struct intent *intent;
static int stage_r = -1, stage_w = -1;     /* borrowed from keeper.c */
static int scratch_r = -1, scratch_w = -1; /* for copies made by tee(2); closed with this process */
static int null_fd = -1;
static char chunk[LOG_CHUNK];

static void intent_set_phase(enum phase p)
{
	__asm__ volatile("" ::: "memory"); /* the fields that the phase speaks of are stored before it */
	intent->phase = p;
	__asm__ volatile("" ::: "memory");
}

static size_t stage_bytes(void)
{
	int n = 0;

	return ioctl(stage_r, FIONREAD, &n) == 0 ? (size_t)n : 0;
}

static void stage_drop(void)
{
	size_t left;

	while ((left = stage_bytes()) > 0) {
		ssize_t dropped = splice(stage_r, NULL, null_fd, NULL, left, SPLICE_F_NONBLOCK);

		if (dropped == 0 || (dropped < 0 && errno != EINTR))
			break;
	}
}

ssize_t log_stage_peek(int pipe_fd, const char **bytes)
{
	ssize_t n = tee(pipe_fd, scratch_w, LOG_CHUNK, SPLICE_F_NONBLOCK), got = 0;

	*bytes = chunk;
	while (n > 0 && got < n) {
		ssize_t r = read(scratch_r, chunk + got, (size_t)(n - got));

		if (r <= 0)
			return -1;
		got += r;
	}
	return n;
}

/* EAGAIN ends it: another reader of the pipe was faster, or the stage has no slot left (a writer may fill every slot of
 * a pipe with one byte, see O_DIRECT in pipe(2)). */
static void stage_splice_in(int pipe_fd, size_t n)
{
	while (n) {
		ssize_t moved = splice(pipe_fd, NULL, stage_w, NULL, n, SPLICE_F_NONBLOCK);

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

static void intent_set(const struct log_stage_target *target)
{
	struct stat st = { 0 };

	if (target->log_fd >= 0)
		fstat(target->log_fd, &st);
	intent->is_stderr = target->is_stderr;
	intent->dev = st.st_dev;
	intent->ino = target->log_fd >= 0 ? st.st_ino : 0;
	intent->offset = st.st_size;
	snprintf((char *)intent->id, sizeof(intent->id), "%s", target->id);
}

int log_stage_move(int pipe_fd, size_t n, const struct log_stage_target *target, struct log_stage_moved *moved,
		   struct err *e)
{
	ssize_t in_stage;
	int failed = 0;

	intent_set(target);
	intent_set_phase(SPLICING);
	stage_splice_in(pipe_fd, n);
	in_stage = log_stage_peek(stage_r, &moved->bytes);
	moved->n = in_stage > 0 ? (size_t)in_stage : 0;
	if (target->log_fd >= 0 && moved->n) {
		intent_set_phase(WRITING);
		failed = stage_append(target->log_fd, moved->bytes, moved->n, target->is_stderr, e);
	}
	intent_set_phase(DRAINING);
	stage_drop();
	intent_set_phase(IDLE);
	return failed;
}

/* ---- after a restart ---- */

static int intent_log(struct err *e)
{
	char name[128], id[sizeof(intent->id)];
	struct stat st;
	int fd;

	memcpy(id, (const char *)intent->id, sizeof(id));
	id[sizeof(id) - 1] = '\0';
	snprintf(name, sizeof(name), "container/%s/log", id);
	fd = keeper_copy(name);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != intent->dev || st.st_ino != intent->ino)
		return err_set(e, ERR_INTERNAL, "the keeper does not hold its log any more");
	return fd;
}

static int intent_redo(struct err *e)
{
	size_t n = stage_bytes();
	const char *bytes;
	int fd;

	if (!intent->ino || !n)
		return 0;
	fd = intent_log(e);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, intent->offset) < 0)
		return err_os(e, ERR_INTERNAL, "cut the log to %lld bytes", (long long)intent->offset);
	if (log_stage_peek(stage_r, &bytes) != (ssize_t)n)
		return err_os(e, ERR_INTERNAL, "read %zu staged bytes", n);
	intent_set_phase(WRITING);
	return stage_append(fd, bytes, n, intent->is_stderr, e);
}

static void intent_finish(void)
{
	struct err e;

	if (intent->phase == IDLE)
		return;
	log_info("log_intent container=%.12s phase=%u staged=%zu", (const char *)intent->id, intent->phase,
		 stage_bytes());
	if (intent->phase != DRAINING && intent_redo(&e) < 0)
		log_error("log_intent container=%.12s lost_bytes=%zu error=%s", (const char *)intent->id, stage_bytes(),
			  log_quote(e.msg));
	intent_set_phase(DRAINING);
	stage_drop();
	intent_set_phase(IDLE);
}

/* ---- opening ---- */

/* The fd that the keeper holds under the name; when there is none, the keeper gets `made` to hold. */
static int held_or_made(const char *name, int made)
{
	if (keeper_copy(name) < 0)
		keeper_ask_hold(name, made);
	return keeper_copy(name);
}

static int stage_make(struct err *e)
{
	int fds[2] = { -1, -1 };

	if (keeper_copy("log/stage_r") < 0 || keeper_copy("log/stage_w") < 0) {
		keeper_ask_release_all("log/stage");
		if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
			return err_os(e, ERR_INTERNAL, "make the staging pipe");
	}
	stage_r = held_or_made("log/stage_r", fds[0]);
	stage_w = held_or_made("log/stage_w", fds[1]);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return 0;
}

static int intent_make(struct err *e)
{
	auto_fd int fd = -1;
	void *page;

	if (keeper_copy("log/intent") < 0) {
		fd = memfd_create("crisp-log-intent", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, sizeof(struct intent)) < 0)
			return err_os(e, ERR_INTERNAL, "make the log intent");
	}
	page = mmap(NULL, sizeof(struct intent), PROT_READ | PROT_WRITE, MAP_SHARED, held_or_made("log/intent", fd), 0);
	if (page == MAP_FAILED)
		return err_os(e, ERR_INTERNAL, "map the log intent");
	intent = page;
	return 0;
}

int log_stage_open(struct err *e)
{
	int fds[2];

	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null_fd < 0 || pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_os(e, ERR_INTERNAL, "make the scratch pipe");
	scratch_r = fds[0];
	scratch_w = fds[1];
	if (stage_make(e) < 0 || intent_make(e) < 0)
		return -1;
	intent_finish();
	return 0;
}
