/* snapshot.c - see snapshot.h. The table of writable parts; overlay.c makes the mounts.
 *
 * A snapshot has a record <root>/snapshots/<id>.json and a directory <root>/snapshots/<id>. The record is written first
 * and removed last, so every directory has a record; a record without a directory is removed at start-up. Usage is
 * measured by one child at a time, in the order of the requests: a stats call for 1000 containers must not start 1000
 * children. */
#include "images/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/discard.h"
#include "images/overlay.h"
#include "images/unpack.h"
#include "images/unused.h"
#include "reactor/boot.h"
#include "reactor/dir.h"
#include "reactor/fault.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/record.h"

enum { SNAPSHOT_VERSION = 1, USAGE_AGE_S = 10, STACKED_MAX = 64 };

struct snapshot {
	const char *id;
	struct strings layers, borrowed; /* borrowed: of its image volumes */
	uint64_t bytes, inodes;
	int64_t at_ns;    /* CLOCK_REALTIME of the last measurement's end, 0: never measured */
	int64_t asked_ns; /* monotonic, when the last measurement was asked for */
	struct link queue; /* of `measuring`; the child measures the first */
	struct arena *arena;
};

static const struct field snapshot_fields[] = {
	F_STR(struct snapshot, id), F_STRINGS(struct snapshot, layers),
	F_STRINGS(struct snapshot, borrowed), F_END,
};

static char dir[PATH_MAX];
static struct map snapshots; /* id -> struct snapshot, which owns the key */
static struct link measuring; /* of struct snapshot.queue */
static struct unpack_task *measure;
static bool is_open, lost; /* lost: a snapshot is there whose record could not be read */

bool snapshot_is_open(void)
{
	return is_open;
}

bool snapshot_any_lost(void)
{
	return lost;
}

static const char *snapshot_path(const char *id, const char *part)
{
	static char path[PATH_MAX + NAME_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s%s", dir, id, part);
	return path;
}

static struct snapshot *snapshot_new(const struct snapshot *spec)
{
	struct arena *a = arena_new();
	struct snapshot *s = arena_zalloc(a, sizeof(*s));

	fields_copy(snapshot_fields, s, spec, a);
	s->arena = a;
	map_put(&snapshots, s->id, s);
	return s;
}

static bool snapshot_id_valid(const char *id)
{
	return *id && strlen(id) <= 128 &&
		id[strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-")] == '\0';
}

static int on_snapshot_record(void *arg, const char *name, struct record *r, struct err *e)
{
	struct arena *a = arena_new();
	struct snapshot spec = { 0 };
	struct stat st;
	int rc = record_fields(r, snapshot_fields, &spec, a, e);

	(void)arg;
	if (rc == 0 && (strcmp(spec.id, name) != 0 || !snapshot_id_valid(name)))
		rc = err_set(e, ERR_INTERNAL, "the record of snapshot %.128s says that it is %.128s", name, spec.id);
	if (rc == 0 && lstat(snapshot_path(name, ""), &st) < 0 && errno == ENOENT)
		record_remove(dir, name);
	else if (rc == 0)
		snapshot_new(&spec);
	arena_free(a);
	return rc;
}

/* The snapshot of a container that may run: which layers it needs is not known. */
static void on_snapshot_lost(void *arg, const char *name, enum record_loss how)
{
	struct stat st;
	struct err e;

	(void)arg;
	if (!snapshot_id_valid(name) || (lstat(snapshot_path(name, ""), &st) < 0 && errno == ENOENT))
		return;
	if (how == RECORD_UNREAD || !boot_is_new())
		lost = true;
	else if (discard(snapshot_path(name, ""), &e) < 0) /* its container ended with the machine */
		log_warn("snapshot_left snapshot=%.12s error=%s", name, log_quote(e.msg));
}

static void measure_drop(struct snapshot *s);

static void snapshot_forget(void)
{
	for (struct map_slot *m = map_next(&snapshots, NULL); m; m = map_next(&snapshots, m)) {
		struct snapshot *s = m->value;

		measure_drop(s);
		arena_free(s->arena);
	}
	map_free(&snapshots);
}

int snapshot_open(const char *root, struct err *e)
{
	if (!measuring.next)
		list_init(&measuring);
	snapshot_forget();
	lost = false;
	snprintf(dir, sizeof(dir), "%s/snapshots", root);
	if (overlay_open(root, e) < 0)
		return -1;
	if (dir_close(dir, DIR_NO_GROUP, e) < 0 ||
	    record_each(dir, SNAPSHOT_VERSION, on_snapshot_record, on_snapshot_lost, NULL, e) < 0)
		return -1;
	is_open = true;
	unused_ring();
	return 0;
}

bool snapshot_exists(const char *id)
{
	return map_get(&snapshots, id) != NULL;
}

/* The upper directory becomes the container's "/": it gets the mode and owner of the topmost layer's directory. */
static int snapshot_make_dirs(const struct snapshot *s, struct err *e)
{
	char top[PATH_MAX + NAME_MAX + 16];
	struct stat st = { .st_mode = 0755 };

	if (s->layers.n > 0) {
		snprintf(top, sizeof(top), "%s/../layers/%s", dir, s->layers.at[s->layers.n - 1]);
		if (stat(top, &st) < 0)
			return err_os(e, ERR_INTERNAL, "layer %s", s->layers.at[s->layers.n - 1]);
	}
	/* Overlayfs reaches its directories as crispd, which mounts it, also for a container in a user namespace. */
	if (EFFECT(mkdir(snapshot_path(s->id, ""), 0700)) < 0 ||
		EFFECT(mkdir(snapshot_path(s->id, "/work"), 0700)) < 0 ||
		EFFECT(mkdir(snapshot_path(s->id, "/fs"), 0755)) < 0)
		return err_os(e, ERR_INTERNAL, "make snapshot %s", s->id);
	if (chown(snapshot_path(s->id, "/fs"), st.st_uid, st.st_gid) < 0 ||
		chmod(snapshot_path(s->id, "/fs"), st.st_mode & 07777) < 0)
		return err_os(e, ERR_INTERNAL, "make snapshot %s", s->id);
	return 0;
}

int snapshot_prepare(const char *id, const struct strings *layers, struct err *e)
{
	const struct snapshot spec = { .id = id, .layers = *layers };
	auto_json json_t *j = NULL;
	struct err left;
	struct snapshot *s;

	if (!snapshot_id_valid(id))
		return err_set(e, ERR_INVALID_ARGUMENT, "\"%.128s\" is not a snapshot id", id);
	if (snapshot_exists(id))
		return err_set(e, ERR_ALREADY_EXISTS, "snapshot %s exists", id);
	s = snapshot_new(&spec);
	j = fields_to_json(snapshot_fields, s);
	if (record_write(dir, id, SNAPSHOT_VERSION, j, e) == 0 && snapshot_make_dirs(s, e) == 0)
		return 0;
	if (snapshot_remove(id, &left) < 0) /* the next start finds it: no container has it */
		log_warn("snapshot_left snapshot=%.12s error=%s", id, log_quote(left.msg));
	return -1;
}

/* The kernel marks the work directory of a `volatile` overlay. The mark stays after an unmount, and while it exists the
 * kernel refuses to mount the upper directory again. The mark guards against data lost in a power cut. As long as the
 * machine runs nothing is lost, and snapshots of an earlier boot are not mounted again, so the mark is removed.
 * (ARCHITECTURE X23) */
static void forget_volatile(const char *id)
{
	EFFECT(unlink(snapshot_path(id, "/work/work/incompat/volatile/dirty")));
	EFFECT(rmdir(snapshot_path(id, "/work/work/incompat/volatile")));
	EFFECT(rmdir(snapshot_path(id, "/work/work/incompat")));
}

/* target is the root of a mount. */
static bool is_mounted(const char *target)
{
	struct statx st;

	return statx(AT_FDCWD, target, AT_SYMLINK_NOFOLLOW, 0, &st) == 0 && (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

int snapshot_mount(const char *id, int userns, const char *label, const char *target, struct err *e)
{
	struct snapshot *s = map_get(&snapshots, id);
	char upper[PATH_MAX + NAME_MAX + 16];

	if (!s)
		return err_set(e, ERR_INTERNAL, "snapshot %.128s does not exist", id);
	if (is_mounted(target))
		return err_set(e, ERR_INTERNAL, "mount snapshot %s: %s is a mount already", id, target);
	forget_volatile(id);
	snprintf(upper, sizeof(upper), "%s", snapshot_path(id, ""));
	if (overlay_mount(&s->layers, upper, userns, label, target, e) < 0)
		return err_wrap(e, "mount snapshot %s", id);
	return 0;
}

int snapshot_unmount(const char *target, struct err *e)
{
	/* EINVAL: not a mount; ENOENT: no such directory. Another program may have mounted upon it. */
	for (int i = 0; i < STACKED_MAX; i++)
		if (EFFECT(umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW)) < 0)
			return errno == EINVAL || errno == ENOENT ? 0 : err_os(e, ERR_INTERNAL, "unmount %s", target);
	return err_set(e, ERR_INTERNAL, "unmount %s: more than %d mounts are upon it", target, STACKED_MAX);
}

int snapshot_mount_readonly(const struct strings *layers, int userns, const char *label, const char *target,
			    struct err *e)
{
	if (is_mounted(target))
		return err_set(e, ERR_INTERNAL, "mount image: %s is a mount already", target);
	return overlay_mount_readonly(layers, userns, label, target, e);
}

int snapshot_probe_userns(int userns, struct err *e)
{
	return overlay_probe_userns(userns, e);
}

static void measure_next(void);

static void measure_drop(struct snapshot *s)
{
	bool running = list_first(&measuring) == &s->queue;

	if (!list_linked(&s->queue))
		return;
	list_drop(&s->queue);
	if (running) {
		unpack_task_cancel(take_ptr(&measure));
		measure_next();
	}
}

int snapshot_remove(const char *id, struct err *e)
{
	struct snapshot *s = map_get(&snapshots, id);
	struct stat st;

	if (!s && (!snapshot_id_valid(id) || stat(snapshot_path(id, ""), &st) < 0))
		return 0;
	if (discard(snapshot_path(id, ""), e) < 0)
		return err_wrap(e, "remove snapshot %s", id);
	record_remove(dir, id);
	map_drop(&snapshots, id);
	if (s) {
		measure_drop(s);
		arena_free(s->arena);
	}
	unused_ring(); /* it may have been the last user of a removed image's layers */
	return 0;
}

const char *snapshot_upper(const char *id, struct arena *a)
{
	return arena_strdup(a, snapshot_path(id, "/fs"));
}

const char *const *snapshot_layers(const char *id, struct arena *a)
{
	const struct snapshot *s = map_get(&snapshots, id);
	const char **list = s ? arena_zalloc(a, (s->layers.n + 1) * sizeof(*list)) : NULL;

	for (size_t i = 0; s && i < s->layers.n; i++)
		list[i] = s->layers.at[i];
	return list;
}

/* A root of `fs` with the owner 0:0 and the mode 0755, which the unpacker gives when the tar does not say them, gets
 * the owner and mode that the snapshot's directory has from the image. */
int snapshot_replace(const char *id, const char *fs, struct err *e)
{
	struct stat was, is;

	if (stat(snapshot_path(id, "/fs"), &was) < 0 || stat(fs, &is) < 0)
		return err_os(e, ERR_INTERNAL, "snapshot %.128s", id);
	if (is.st_uid == 0 && is.st_gid == 0 && (is.st_mode & 07777) == 0755 &&
	    (chown(fs, was.st_uid, was.st_gid) < 0 || chmod(fs, was.st_mode & 07777) < 0))
		return err_os(e, ERR_INTERNAL, "snapshot %.128s", id);
	if (EFFECT(rmdir(snapshot_path(id, "/fs"))) < 0 || EFFECT(rename(fs, snapshot_path(id, "/fs"))) < 0)
		return err_os(e, ERR_INTERNAL, "replace the writable part of snapshot %.128s", id);
	return 0;
}

int snapshot_take_volumes(const char *id, const char *from, struct err *e)
{
	/* 0711: a container reaches its volume by the mount, not by this path. */
	if (chmod(from, 0711) < 0 || EFFECT(rename(from, snapshot_path(id, "/volumes"))) < 0)
		return err_os(e, ERR_INTERNAL, "keep the volumes of snapshot %.128s", id);
	return 0;
}

static bool strings_have_all(const struct strings *s, const struct strings *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (!strings_have(s, all->at[i]))
			return false;
	return true;
}

int snapshot_borrow(const char *id, const struct strings *layers, struct err *e)
{
	struct snapshot *s = map_get(&snapshots, id);
	struct strings all;

	if (!s)
		return err_set(e, ERR_INTERNAL, "snapshot %.128s does not exist", id);
	if (strings_have_all(&s->borrowed, layers))
		return 0; /* one image, mounted at many paths */
	all.at = arena_zalloc(s->arena, (s->borrowed.n + layers->n + 1) * sizeof(*all.at));
	for (all.n = 0; all.n < s->borrowed.n; all.n++)
		all.at[all.n] = s->borrowed.at[all.n];
	for (size_t i = 0; i < layers->n; i++)
		if (!strings_have(&s->borrowed, layers->at[i]))
			all.at[all.n++] = arena_strdup(s->arena, layers->at[i]);
	s->borrowed = all;
	return record_write_fields(dir, id, SNAPSHOT_VERSION, snapshot_fields, s, NULL, e);
}

const char *snapshot_volume(const char *id, size_t nth, struct arena *a)
{
	return arena_printf(a, "%s/%zu", snapshot_path(id, "/volumes"), nth);
}

void snapshot_each(void (*fn)(void *arg, const char *id), void *arg)
{
	for (struct map_slot *m = map_next(&snapshots, NULL); m; m = map_next(&snapshots, m))
		fn(arg, m->key);
}

void snapshot_each_layers(void (*fn)(void *arg, const struct strings *layers), void *arg)
{
	for (struct map_slot *m = map_next(&snapshots, NULL); m; m = map_next(&snapshots, m)) {
		const struct snapshot *s = m->value;

		fn(arg, &s->layers);
		if (s->borrowed.n)
			fn(arg, &s->borrowed);
	}
}

static void on_measured(void *arg, const struct err *e, uint64_t bytes, uint64_t inodes)
{
	struct snapshot *s = arg;

	measure = NULL;
	list_drop(&s->queue);
	if (e) {
		log_warn("snapshot_usage snapshot=%.12s error=%s", s->id, log_quote(e->msg));
	} else {
		s->bytes = bytes;
		s->inodes = inodes;
		s->at_ns = loop_real_ns();
	}
	measure_next();
}

static void measure_next(void)
{
	struct link *first = list_first(&measuring);
	struct snapshot *s = first ? container_of(first, struct snapshot, queue) : NULL;

	char volumes[PATH_MAX + NAME_MAX + 16];

	if (!s || measure)
		return;
	snprintf(volumes, sizeof(volumes), "%s", snapshot_path(s->id, "/volumes"));
	measure = unpack_usage(snapshot_path(s->id, "/fs"), access(volumes, F_OK) == 0 ? volumes : NULL, on_measured,
			       s);
}

void snapshot_usage(const char *id, uint64_t *bytes, uint64_t *inodes, int64_t *at_ns)
{
	struct snapshot *s = map_get(&snapshots, id);
	int64_t now = loop_mono_ns();

	*bytes = s ? s->bytes : 0;
	*inodes = s ? s->inodes : 0;
	*at_ns = s ? s->at_ns : 0;
	if (!s || list_linked(&s->queue) || (s->asked_ns && now - s->asked_ns < (int64_t)USAGE_AGE_S * 1000000000))
		return;
	s->asked_ns = now;
	list_append(&measuring, &s->queue);
	measure_next();
}
