/* unpack.c - see unpack.h.
 *
 *   FEED ---finish---> FLUSH ---all written---> WAIT ---child ends---> MOVED
 *     |                  |                       ^  \
 *     +---broken pipe----+-----------------------+   +--child ends---> FAILED
 *
 * FEED and FLUSH also lead to MOVED or FAILED, when the child ends before it has read all bytes.
 * Waits on: room in the pipe (FLUSH, and FEED while the caller waits) and the child's end (all states). */
#include "images/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/config.h"
#include "images/digest.h"
#include "images/unpack/input.h"
#include "images/worker.h"
#include "reactor/arena.h"
#include "reactor/buf.h"
#include "reactor/child.h"
#include "reactor/fault.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { PIPE_BYTES = 1 << 20, BLOB_FD = 3, TELL_BYTES = 128 << 10 };
enum state { FEED, FLUSH, WAIT, MOVED, FAILED };

static const struct sm_state unpack_states[] = {
	[FEED] = { "FEED", TO(FLUSH) | TO(WAIT) | TO(MOVED) | TO(FAILED) },
	[FLUSH] = { "FLUSH", TO(WAIT) | TO(MOVED) | TO(FAILED) },
	[WAIT] = { "WAIT", TO(MOVED) | TO(FAILED) },
	[MOVED] = { "MOVED", 0 },
	[FAILED] = { "FAILED", 0 },
};

struct unpack {
	struct sm sm;
	struct arena *arena;
	char name[UNPACK_NAME_SIZE];
	const char *digest;
	int pipe;            /* our end; -1: closed */
	struct buf left;     /* taken from the caller, not yet written */
	bool grows;          /* the pipe has the sizes of the growing file so far, not bytes of the blob (input.h) */
	uint64_t grown, told; /* bytes that the file has; that the child knows of */
	struct fd_watch room;
	struct timer soon;   /* tells the caller of space, or of a failed start, in the next turn */
	void (*on_space)(void *arg);
	void *space_arg;
	struct child *child;
	struct err start_error;
	unpack_done *done;
	void *arg;
};

/* Renames the new layer to its place. Of a finished layer only ingest/<name>/fs becomes the layer directory; an
 * unfinished layer keeps `fs` and beside it `need`, the list of what it lacks. */
static int unpack_move_in(struct arena *a, const char *name, bool finished, struct err *e)
{
	const char *from = worker_ingest(a, name),
		   *to = arena_printf(a, "%s/layers/%s", images_config()->root, name);

	if (EFFECT(rename(finished ? arena_printf(a, "%s/fs", from) : from, to)) < 0) {
		err_os(e, ERR_INTERNAL, "rename %s to %s", from, to);
		unpack_remove_tree(from);
		return -1;
	}
	if (finished)
		EFFECT(rmdir(from));
	return 0;
}

void unpack_new_name(const char *digest, char out[UNPACK_NAME_SIZE])
{
	uint64_t noise;

	/* 40 random bits beside the digest's 32. If a name were taken all the same, rename(2) would fail: the
	 * directory is not empty. */
	if (getrandom(&noise, sizeof(noise), GRND_NONBLOCK) != sizeof(noise))
		noise = (uint64_t)loop_mono_ns();
	snprintf(out, UNPACK_NAME_SIZE, "%.8s-%010" PRIx64, digest_hex(digest), noise & 0xffffffffff);
}

/* ---- one layer ---- */

static void unpack_close_pipe(struct unpack *u)
{
	fd_watch_clear(&u->room);
	buf_free(&u->left);
	if (u->pipe >= 0)
		close(take_fd(&u->pipe));
}

static void unpack_free(struct unpack *u)
{
	unpack_close_pipe(u);
	timer_clear(&u->soon);
	arena_free(u->arena);
	free(u);
}

static void on_unpack_soon(struct timer *t)
{
	struct unpack *u = container_of(t, struct unpack, soon);
	void (*fn)(void *arg) = take_ptr(&u->on_space);

	if (fn)
		fn(u->space_arg);
}

static void tell_space(struct unpack *u)
{
	if (u->on_space && !timer_is_set(&u->soon))
		timer_set(&u->soon, 0, on_unpack_soon);
}

/* All bytes are written, or the child has closed its end. */
static void stop_feeding(struct unpack *u)
{
	unpack_close_pipe(u);
	sm_move(&u->sm, WAIT);
	tell_space(u);
}

static void on_unpack_room(struct fd_watch *w, int events)
{
	struct unpack *u = container_of(w, struct unpack, room);

	(void)events;
	while (u->left.len > 0) {
		if (buf_write(&u->left, u->pipe) >= 0)
			continue;
		if (errno != EAGAIN && errno != EINTR)
			stop_feeding(u); /* the child's answer has the reason */
		return;
	}
	fd_watch_clear(&u->room);
	if (u->sm.now == FLUSH)
		return stop_feeding(u);
	tell_space(u);
}

/* Words are short, and a slow child leaves at most one for each TELL_BYTES of the blob: `left` is bounded. */
static void unpack_say(struct unpack *u, uint64_t word)
{
	ssize_t n = u->left.len ? -1 : write(u->pipe, &word, sizeof(word));

	if (n < 0)
		n = 0;
	if (n == (ssize_t)sizeof(word))
		return;
	buf_append(&u->left, (const char *)&word + n, sizeof(word) - (size_t)n);
	fd_watch_set(&u->room, u->pipe, FD_WRITE, on_unpack_room); /* it also finds that the pipe is broken */
}

static void unpack_tell(struct unpack *u, uint64_t step)
{
	if (u->grown < u->told + step)
		return;
	u->told = u->grown;
	unpack_say(u, u->told);
}

void unpack_grown(struct unpack *u, uint64_t bytes)
{
	u->grown = bytes;
	if (u->grows && u->pipe >= 0)
		unpack_tell(u, TELL_BYTES);
}

static void unpack_say_raw(struct unpack *u)
{
	unpack_tell(u, 1);
	unpack_say(u, UNPACK_RAW);
	u->grows = false;
}

bool unpack_feed(struct unpack *u, const void *p, size_t n)
{
	ssize_t done;

	if (u->pipe < 0)
		return true; /* the child needs no more bytes; `done` follows */
	assert(u->sm.now == FEED);
	if (u->grows)
		unpack_say_raw(u);
	if (u->left.len > 0)
		return false;
	do
		done = write(u->pipe, p, n);
	while (done < 0 && errno == EINTR);
	if (done < 0 && errno != EAGAIN) {
		stop_feeding(u);
		return true;
	}
	if (done == (ssize_t)n)
		return true;
	fd_watch_set(&u->room, u->pipe, FD_WRITE, on_unpack_room);
	if (done < 0)
		return false;
	buf_append(&u->left, (const char *)p + done, n - (size_t)done);
	return true;
}

void unpack_on_space(struct unpack *u, void (*fn)(void *arg), void *arg)
{
	u->on_space = fn;
	u->space_arg = arg;
	if (!fn)
		timer_clear(&u->soon);
	else if (u->pipe < 0 || (u->left.len == 0 && !ev_is_active(&u->room.ev)))
		tell_space(u);
}

void unpack_finish(struct unpack *u)
{
	if (u->sm.now != FEED)
		return;
	if (u->grows && u->pipe >= 0)
		unpack_tell(u, 1);
	if (u->left.len == 0)
		return stop_feeding(u);
	sm_move(&u->sm, FLUSH);
}

static void unpack_fail(struct unpack *u, struct err *e)
{
	unpack_done *done = u->done;
	void *arg = u->arg;

	sm_move(&u->sm, FAILED);
	err_wrap(e, "unpack layer %.12s", digest_hex(u->digest));
	unpack_free(u);
	done(arg, e, NULL);
}

static void unpack_succeed(struct unpack *u, const struct answer *a)
{
	const char *name = arena_strdup(u->arena, u->name);
	const struct unpack_result r = { name, a->bytes, a->inodes, a->self_contained, a->digest, a->finished };
	struct arena *arena = take_ptr(&u->arena);
	unpack_done *done = u->done;
	void *arg = u->arg;

	sm_move(&u->sm, MOVED);
	log_info("unpack layer=%.12s dir=%s bytes=%" PRIu64 " inodes=%" PRIu64 " self_contained=%d finished=%d "
		 "xattrs_left_out=%" PRIu64, digest_hex(u->digest), u->name, a->bytes, a->inodes, a->self_contained,
		 a->finished, a->xattrs_left_out);
	unpack_free(u);
	done(arg, NULL, &r);
	arena_free(arena);
}

static void on_layer_end(void *arg, const struct err *failed, struct child_result *r)
{
	struct unpack *u = arg;
	struct answer a;
	struct err e;

	u->child = NULL;
	unpack_close_pipe(u);
	if (worker_answer(failed, r, &a, &e) == 0) {
		if (unpack_move_in(u->arena, u->name, a.finished, &e) == 0)
			return unpack_succeed(u, &a);
	} else if (worker_died(failed, r)) {
		unpack_remove_tree(worker_ingest(u->arena, u->name)); /* the child died before it could do so */
	}
	unpack_fail(u, &e);
}

static void on_unpack_start_failed(struct timer *t)
{
	struct unpack *u = container_of(t, struct unpack, soon);
	struct err e = u->start_error;

	unpack_fail(u, &e);
}

static void unpack_start_child(struct unpack *u, const struct unpack_spec *s, int read_end)
{
	struct worker c;

	worker_open(&c, u->arena, "layer");
	worker_add(&c, images_config()->root);
	worker_add(&c, u->name);
	worker_add_option(&c, "digest", s->digest);
	worker_add_option(&c, "diff-id", s->diff_id);
	if (s->file)
		worker_add_option(&c, "file", s->file);
	worker_add_number(&c, "size", s->size_bytes);
	worker_add_number(&c, "max-bytes", images_config()->max_layer_bytes);
	worker_add_option(&c, "min-free", images_config()->min_free);
	worker_add_parents(&c, s->parents);
	c.fds[c.spec.nfds++] = (struct child_fd){ read_end, STDIN_FILENO };
	if (s->blob_fd >= 0) {
		worker_add_number(&c, "blob-fd", BLOB_FD);
		worker_add_number(&c, "blob-bytes", s->blob_bytes);
		if (s->grows)
			worker_add(&c, "--grows");
		c.fds[c.spec.nfds++] = (struct child_fd){ s->blob_fd, BLOB_FD };
	}
	c.spec.unshare = CLONE_NEWNET;
	c.spec.about = arena_printf(u->arena, " layer=%.19s", s->digest);
	u->child = child_start(&c.spec, on_layer_end, u);
}

struct unpack *unpack_start(const struct unpack_spec *spec, unpack_done *done, void *arg)
{
	struct unpack *u = new_zero(struct unpack);
	auto_fd int read_end = -1;
	int ends[2];

	u->arena = arena_new();
	u->digest = arena_strdup(u->arena, spec->digest);
	u->sm = (struct sm){ unpack_states, "unpack", digest_hex(u->digest), FEED };
	u->pipe = -1;
	u->grows = spec->grows;
	u->grown = u->told = spec->blob_bytes;
	u->done = done;
	u->arg = arg;
	unpack_new_name(spec->diff_id, u->name);
	if (pipe2(ends, O_CLOEXEC) < 0) {
		err_os(&u->start_error, ERR_INTERNAL, "open the unpacker's input");
		timer_set(&u->soon, 0, on_unpack_start_failed);
		return u;
	}
	read_end = ends[0];
	u->pipe = ends[1];
	fcntl(u->pipe, F_SETFL, O_NONBLOCK);
	fcntl(u->pipe, F_SETPIPE_SZ, PIPE_BYTES); /* fewer wakeups; if it fails, the default of 64 KiB works too */
	unpack_start_child(u, spec, read_end);
	return u;
}

void unpack_cancel(struct unpack *u)
{
	if (u->child)
		child_cancel(u->child);
	unpack_remove_tree(worker_ingest(u->arena, u->name));
	unpack_free(u);
}

/* ---- the one-shot jobs ---- */

struct unpack_task {
	struct arena *arena;
	struct child *child;
	const char *name; /* merge: the new layer; volumes: their directory; else NULL */
	unpack_done *merged;
	unpack_usage_done *measured;
	unpack_volumes_done *filled;
	unpack_sum_done *summed;
	unpack_sync_done *synced;
	void *arg;
};

static struct unpack_task *task_new(void *arg)
{
	struct unpack_task *t = new_zero(struct unpack_task);

	t->arena = arena_new();
	t->arg = arg;
	return t;
}

static void task_free(struct unpack_task *t)
{
	arena_free(t->arena);
	free(t);
}

static void on_merge_end(void *arg, const struct err *failed, struct child_result *r)
{
	struct unpack_task *t = arg;
	struct unpack_result result;
	struct answer a;
	struct err e;
	int bad = worker_answer(failed, r, &a, &e);

	if (bad && worker_died(failed, r))
		unpack_remove_tree(worker_ingest(t->arena, t->name));
	if (!bad)
		bad = unpack_move_in(t->arena, t->name, true, &e);
	if (bad)
		err_wrap(&e, "finish layer %s", t->name);
	else
		result = (struct unpack_result){ t->name, a.bytes, a.inodes, false, a.digest, true };
	t->merged(t->arg, bad ? &e : NULL, bad ? NULL : &result);
	task_free(t);
}

struct unpack_task *unpack_merge_start(const char *dir, const char *const *parents, const char *name, unpack_done *done,
				       void *arg)
{
	struct unpack_task *t = task_new(arg);
	struct worker c;

	assert(parents && strlen(name) < UNPACK_NAME_SIZE);
	t->name = arena_strdup(t->arena, name);
	t->merged = done;
	worker_open(&c, t->arena, "merge");
	worker_add(&c, images_config()->root);
	worker_add(&c, t->name);
	worker_add_option(&c, "from", dir);
	worker_add_option(&c, "min-free", images_config()->min_free);
	worker_add_parents(&c, parents);
	t->child = child_start(&c.spec, on_merge_end, t);
	return t;
}

static void on_usage_end(void *arg, const struct err *failed, struct child_result *r)
{
	struct unpack_task *t = arg;
	struct answer a = { 0 };
	struct err e;
	int bad = worker_answer(failed, r, &a, &e);

	t->measured(t->arg, bad ? &e : NULL, a.bytes, a.inodes);
	task_free(t);
}

struct unpack_task *unpack_usage(const char *path, const char *path2, unpack_usage_done *done, void *arg)
{
	struct unpack_task *t = task_new(arg);
	struct worker c;

	t->measured = done;
	worker_open_tree(&c, t->arena, "usage");
	worker_add(&c, path);
	if (path2)
		worker_add(&c, path2);
	t->child = child_start(&c.spec, on_usage_end, t);
	return t;
}

/* A job on paths, of which there may be more than struct worker has room for. */
static void start_on_paths(struct unpack_task *t, struct worker *c, const char *const *paths, child_done *done)
{
	const char **argv;
	size_t n = 0;

	while (paths[n])
		n++;
	argv = arena_zalloc(t->arena, ((size_t)c->n + n + 1) * sizeof(*argv));
	memcpy(argv, c->argv, (size_t)c->n * sizeof(*argv));
	memcpy(argv + c->n, paths, n * sizeof(*argv));
	c->spec.argv = argv;
	t->child = child_start(&c->spec, done, t);
}

static void on_volumes_end(void *arg, const struct err *failed, struct child_result *r)
{
	struct unpack_task *t = arg;
	const char *ingest = worker_ingest(t->arena, t->name);
	struct answer a;
	struct err e;
	int bad = worker_answer(failed, r, &a, &e);

	t->filled(t->arg, bad ? &e : NULL, bad ? NULL : arena_printf(t->arena, "%s/fs", ingest));
	unpack_remove_tree(ingest);
	task_free(t);
}

struct unpack_task *unpack_volumes(const struct unpack_volumes_spec *s, unpack_volumes_done *done, void *arg)
{
	struct unpack_task *t = task_new(arg);
	char name[UNPACK_NAME_SIZE];
	struct worker c;

	unpack_new_name("sha256:volume", name);
	t->name = arena_strdup(t->arena, name);
	t->filled = done;
	worker_open(&c, t->arena, "volumes");
	worker_add_number(&c, "max-bytes", images_config()->max_layer_bytes);
	worker_add_option(&c, "min-free", images_config()->min_free);
	worker_add_parents(&c, s->layers);
	worker_add_option(&c, "uids", s->uids);
	worker_add_option(&c, "gids", s->gids);
	worker_add(&c, "--");
	worker_add(&c, images_config()->root);
	worker_add(&c, t->name);
	start_on_paths(t, &c, s->paths, on_volumes_end);
	return t;
}

static void on_sum_end(void *arg, const struct err *failed, struct child_result *r)
{
	struct unpack_task *t = arg;
	struct answer a;
	struct err e;
	int bad = worker_answer(failed, r, &a, &e);

	t->summed(t->arg, bad ? &e : NULL, bad ? NULL : a.digest);
	task_free(t);
}

struct unpack_task *unpack_sum(const char *dir, unpack_sum_done *done, void *arg)
{
	struct unpack_task *t = task_new(arg);
	struct worker c;

	t->summed = done;
	worker_open(&c, t->arena, "sum");
	worker_add(&c, images_config()->root);
	worker_add(&c, dir);
	t->child = child_start(&c.spec, on_sum_end, t);
	return t;
}

static void on_sync_end(void *arg, const struct err *failed, struct child_result *r)
{
	struct unpack_task *t = arg;
	struct answer a;
	struct err e;
	int bad = worker_answer(failed, r, &a, &e);

	t->synced(t->arg, bad ? &e : NULL);
	task_free(t);
}

struct unpack_task *unpack_sync(unpack_sync_done *done, void *arg)
{
	struct unpack_task *t = task_new(arg);
	struct worker c;

	t->synced = done;
	worker_open_tree(&c, t->arena, "sync");
	worker_add(&c, images_config()->root);
	t->child = child_start(&c.spec, on_sync_end, t);
	return t;
}

struct unpack_task *unpack_sync_files(const char *const *paths, unpack_sync_done *done, void *arg)
{
	struct unpack_task *t = task_new(arg);
	struct worker c;

	t->synced = done;
	worker_open_tree(&c, t->arena, "fsync");
	start_on_paths(t, &c, paths, on_sync_end);
	return t;
}

struct unpack_task *unpack_label(const char *label, const char *const *paths, unpack_sync_done *done, void *arg)
{
	struct unpack_task *t = task_new(arg);
	struct worker c;

	t->synced = done;
	worker_open_tree(&c, t->arena, "label");
	worker_add(&c, label);
	start_on_paths(t, &c, paths, on_sync_end);
	return t;
}

void unpack_task_cancel(struct unpack_task *t)
{
	child_cancel(t->child);
	if (t->name)
		unpack_remove_tree(worker_ingest(t->arena, t->name));
	task_free(t);
}
