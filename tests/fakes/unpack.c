/* unpack.c - see unpack.h. */
#include "tests/fakes/unpack.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/config.h"
#include "images/digest.h"
#include "images/unpack.h"
#include "reactor/buf.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

bool fake_unpack_full;
enum err_code fake_unpack_error;
int fake_unpack_running, fake_unpack_most, fake_unpack_started, fake_unpack_merges, fake_unpack_syncs,
	fake_unpack_removed;
const char *fake_unpack_root;

struct unpack {
	struct link link; /* of `running` */
	char digest[DIGEST_SIZE], diff_id[DIGEST_SIZE];
	uint64_t size;
	bool lowest, grows, file;
	int fd; /* of the file that grows; -1 */
	struct buf got;
	struct timer timer;
	void (*space)(void *arg);
	void *space_arg;
	unpack_done *done;
	void *arg;
};

struct unpack_task {
	struct timer timer;
	char from[UNPACK_NAME_SIZE], name[UNPACK_NAME_SIZE];
	unpack_done *merged;
	unpack_usage_done *used;
	unpack_sum_done *summed;
	unpack_sync_done *synced;
	void *arg;
};

static struct link running = { &running, &running }; /* of struct unpack.link */
static unsigned serial;

void unpack_open(void)
{
	fake_unpack_root = images_config()->root;
}

void unpack_new_name(const char *digest, char out[UNPACK_NAME_SIZE])
{
	snprintf(out, UNPACK_NAME_SIZE, "%.8s-%u", digest_hex(digest), serial++);
}

static void make_layer(const char *name, const void *p, size_t n)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/layers/%s", fake_unpack_root, name);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/layers/%s/content", fake_unpack_root, name);
	f = own_must(fopen(path, "w"));
	fwrite(p, 1, n, f);
	fclose(f);
}

static void unpack_free(struct unpack *u)
{
	list_drop(&u->link);
	timer_clear(&u->timer);
	buf_free(&u->got);
	if (u->fd >= 0)
		close(u->fd);
	free(u);
	fake_unpack_running--;
}

static void end(struct unpack *u, const struct err *e, const struct unpack_result *r)
{
	unpack_done *done = u->done;
	void *arg = u->arg;

	unpack_free(u);
	done(arg, e, r);
}

static void on_end(struct timer *t)
{
	struct unpack *u = container_of(t, struct unpack, timer);
	char got[DIGEST_SIZE], name[UNPACK_NAME_SIZE];
	bool raw = u->got.len >= 3 && memcmp(u->got.at, "raw", 3) == 0;
	struct unpack_result r = { name, u->got.len, 2, !raw, got, !raw || u->lowest };
	struct err e;

	if (fake_unpack_error) {
		err_set(&e, fake_unpack_error, "as the test wants it");
		fake_unpack_error = ERR_OK;
		return end(u, &e, NULL);
	}
	digest_of(u->got.at, u->got.len, got);
	if (strcmp(got, u->digest) != 0 || (!u->file && strcmp(got, u->diff_id) != 0) ||
	    u->got.len != u->size) {
		err_set(&e, ERR_DATA_LOSS, "the blob's digest is %s", got);
		return end(u, &e, NULL);
	}
	unpack_new_name(got, name);
	make_layer(name, u->got.at, u->got.len);
	end(u, NULL, &r);
}

static void read_file(struct unpack *u, uint64_t upto)
{
	char block[4096];

	while (u->fd >= 0 && u->got.len < upto) {
		size_t most = upto - u->got.len < sizeof(block) ? upto - u->got.len : sizeof(block);
		ssize_t n = pread(u->fd, block, most, (off_t)u->got.len);

		if (n <= 0)
			break;
		buf_append(&u->got, block, (size_t)n);
	}
}

void unpack_grown(struct unpack *u, uint64_t bytes)
{
	if (u->grows)
		read_file(u, bytes);
}

struct unpack *unpack_start(const struct unpack_spec *spec, unpack_done *done, void *arg)
{
	struct unpack *u = new_zero(struct unpack);

	u->fd = spec->blob_fd >= 0 ? fcntl(spec->blob_fd, F_DUPFD_CLOEXEC, 3) : -1;
	u->grows = spec->grows;
	u->file = spec->file != NULL;
	snprintf(u->digest, sizeof(u->digest), "%s", spec->digest);
	snprintf(u->diff_id, sizeof(u->diff_id), "%s", spec->diff_id);
	u->size = spec->size_bytes;
	u->lowest = spec->parents != NULL;
	u->done = done;
	u->arg = arg;
	read_file(u, spec->blob_bytes);
	list_append(&running, &u->link);
	fake_unpack_started++;
	if (++fake_unpack_running > fake_unpack_most)
		fake_unpack_most = fake_unpack_running;
	return u;
}

bool unpack_feed(struct unpack *u, const void *p, size_t n)
{
	if (fake_unpack_full)
		return false;
	u->grows = false;
	buf_append(&u->got, p, n);
	return true;
}

void unpack_on_space(struct unpack *u, void (*fn)(void *arg), void *arg)
{
	u->space = fn;
	u->space_arg = arg;
}

void fake_unpack_space(void)
{
	fake_unpack_full = false;
	list_each(it, &running) {
		struct unpack *u = container_of(it, struct unpack, link);
		void (*space)(void *arg) = take_ptr(&u->space);

		if (space)
			space(u->space_arg);
	}
}

void unpack_finish(struct unpack *u)
{
	timer_set(&u->timer, 0, on_end);
}

void unpack_cancel(struct unpack *u)
{
	unpack_free(u);
}

/* The sum of a layer is the digest of its one file. */
static void tell_sum(const struct unpack_task *k)
{
	char path[PATH_MAX], text[4096], sum[DIGEST_SIZE];
	struct err e;
	FILE *f;

	snprintf(path, sizeof(path), "%s/layers/%s/content", fake_unpack_root, k->name);
	f = fopen(path, "r");
	if (!f) {
		err_set(&e, ERR_DATA_LOSS, "open content: it is gone");
		return k->summed(k->arg, &e, NULL);
	}
	digest_of(text, fread(text, 1, sizeof(text), f), sum);
	fclose(f);
	k->summed(k->arg, NULL, sum);
}

static void on_task(struct timer *t)
{
	struct unpack_task *k = container_of(t, struct unpack_task, timer), copy = *k;
	char sum[DIGEST_SIZE];
	struct unpack_result r = { copy.name, 10, 2, false, sum, true };

	free(k);
	digest_of("merged", 6, sum);
	if (copy.summed) {
		tell_sum(&copy);
	} else if (copy.merged) {
		make_layer(copy.name, "merged", 6);
		copy.merged(copy.arg, NULL, &r);
	} else if (copy.used) {
		copy.used(copy.arg, NULL, 4096, 7);
	} else {
		copy.synced(copy.arg, NULL);
	}
}

static struct unpack_task *task(void *arg)
{
	struct unpack_task *k = new_zero(struct unpack_task);

	k->arg = arg;
	timer_set(&k->timer, 0, on_task);
	return k;
}

void unpack_task_cancel(struct unpack_task *k)
{
	timer_clear(&k->timer);
	free(k);
}

struct unpack_task *unpack_merge_start(
	const char *dir, const char *const *parents, const char *name, unpack_done *done, void *arg)
{
	struct unpack_task *k = task(arg);

	(void)parents;
	snprintf(k->from, sizeof(k->from), "%s", dir);
	snprintf(k->name, sizeof(k->name), "%s", name);
	k->merged = done;
	fake_unpack_merges++;
	return k;
}

struct unpack_task *unpack_usage(const char *path, const char *path2, unpack_usage_done *done, void *arg)
{
	struct unpack_task *k = task(arg);

	(void)path;
	(void)path2;
	k->used = done;
	return k;
}

struct unpack_task *unpack_sum(const char *dir, unpack_sum_done *done, void *arg)
{
	struct unpack_task *k = task(arg);

	snprintf(k->name, sizeof(k->name), "%s", dir);
	k->summed = done;
	return k;
}

struct unpack_task *unpack_sync(unpack_sync_done *done, void *arg)
{
	struct unpack_task *k = task(arg);

	k->synced = done;
	fake_unpack_syncs++;
	return k;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

void unpack_remove_tree(const char *path)
{
	fake_unpack_removed++;
	nftw(path, drop, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
