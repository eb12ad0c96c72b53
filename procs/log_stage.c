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

/* Lives in a memfd that the keeper holds. Stores of one thread reach it in order, and SIGKILL takes none back. */
struct intent {
	uint32_t phase;
	uint32_t is_stderr;
	uint64_t dev, ino; /* of the log: the kubelet may have renamed it meanwhile */
	int64_t offset;
	uint64_t n;
	char id[72];
};

static volatile struct intent *intent;
static int stage_r = -1, stage_w = -1;     /* borrowed from keeper.c */
static int scratch_r = -1, scratch_w = -1; /* ours: copies made by tee(2) */
static int null_fd = -1;
static char chunk[LOG_CHUNK];

static void set_phase(enum phase p)
{
	__asm__ volatile("" ::: "memory"); /* what the phase speaks of is stored before it */
	intent->phase = p;
	__asm__ volatile("" ::: "memory");
}

static size_t staged(void)
{
	int n = 0;

	return ioctl(stage_r, FIONREAD, &n) == 0 ? (size_t)n : 0;
}

static void drop_staged(void)
{
	size_t left;

	while ((left = staged()) > 0)
		if (splice(stage_r, NULL, null_fd, NULL, left, SPLICE_F_NONBLOCK) <= 0 && errno != EINTR)
			break;
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

static void splice_in(int pipe_fd, size_t n)
{
	while (n) {
		ssize_t moved = splice(pipe_fd, NULL, stage_w, NULL, n, SPLICE_F_NONBLOCK);

		if (moved < 0 && errno == EINTR)
			continue;
		assert(moved > 0); /* the bytes were seen there, and only we read */
		n -= (size_t)moved;
	}
}

static int append_formatted(int log_fd, const char *bytes, size_t n, bool is_stderr, struct err *e)
{
	static struct buf text;
	int failed;

	log_format(&text, bytes, n, is_stderr, loop_real_ns());
	failed = logfile_append(log_fd, text.at, text.len, e);
	buf_consume(&text, text.len);
	return failed;
}

int log_stage_move(int pipe_fd, size_t n, const struct log_stage_target *to, struct err *e)
{
	struct stat st = { 0 };
	int failed = 0;

	if (to->log_fd >= 0)
		fstat(to->log_fd, &st);
	intent->is_stderr = to->is_stderr;
	intent->dev = st.st_dev;
	intent->ino = to->log_fd >= 0 ? st.st_ino : 0;
	intent->offset = st.st_size;
	intent->n = n;
	snprintf((char *)intent->id, sizeof(intent->id), "%s", to->id);
	set_phase(SPLICING);
	splice_in(pipe_fd, n);
	if (to->log_fd >= 0) {
		set_phase(WRITING);
		failed = append_formatted(to->log_fd, chunk, n, to->is_stderr, e);
	}
	set_phase(DRAINING);
	drop_staged();
	set_phase(IDLE);
	return failed;
}

/* ---- after a restart ---- */

static int log_of_intent(struct err *e)
{
	char name[128], id[sizeof(intent->id)];
	struct stat st;
	int fd;

	memcpy(id, (const char *)intent->id, sizeof(id));
	id[sizeof(id) - 1] = '\0';
	snprintf(name, sizeof(name), "container/%s/log", id);
	fd = keeper_copy(name);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != intent->dev || st.st_ino != intent->ino)
		return err_set(e, ERR_INTERNAL, "its log is not held any more");
	return fd;
}

static int redo(struct err *e)
{
	size_t n = staged();
	const char *bytes;
	int fd;

	if (!intent->ino || !n)
		return 0;
	fd = log_of_intent(e);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, intent->offset) < 0)
		return err_os(e, ERR_INTERNAL, "cut the log to %lld bytes", (long long)intent->offset);
	if (log_stage_peek(stage_r, &bytes) != (ssize_t)n)
		return err_os(e, ERR_INTERNAL, "read %zu staged bytes", n);
	set_phase(WRITING);
	return append_formatted(fd, bytes, n, intent->is_stderr, e);
}

static void finish_last_life(void)
{
	struct err e;

	if (intent->phase == IDLE)
		return;
	log_info("log_intent container=%.12s phase=%u staged=%zu", (const char *)intent->id, intent->phase, staged());
	if (intent->phase != DRAINING && redo(&e) < 0)
		log_error("log_intent container=%.12s lost_bytes=%zu error=%s", (const char *)intent->id, staged(),
			  log_quote(e.msg));
	set_phase(DRAINING);
	drop_staged();
	set_phase(IDLE);
}

/* ---- opening ---- */

/* keeper_copy() of the name, made by `make` and given to the keeper when it is not there. */
static int held_or_made(const char *name, int made)
{
	if (keeper_copy(name) < 0)
		keeper_ask_hold(name, made);
	return keeper_copy(name);
}

static int make_stage(struct err *e)
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

static int make_intent(struct err *e)
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
	if (make_stage(e) < 0 || make_intent(e) < 0)
		return -1;
	finish_last_life();
	return 0;
}
