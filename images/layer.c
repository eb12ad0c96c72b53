/* layer.c - see layer.h. */
#include "images/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "images/discard.h"
#include "reactor/arena.h"
#include "reactor/boot.h"
#include "reactor/dir.h"
#include "reactor/fields.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/record.h"

enum { LAYER_VERSION = 1 };

static const struct field layer_fields[] = {
	F_STR(struct layer, dir),
	F_STR(struct layer, diff_id),
	F_STR(struct layer, chain_id),
	F_U64(struct layer, bytes),
	F_U64(struct layer, inodes),
	F_BOOL(struct layer, unfinished),
	F_STR(struct layer, boot_id),
	F_STR(struct layer, sum),
	F_BOOL(struct layer, broken),
	F_END,
};

static struct link layers; /* of struct layer.link */
static struct lost_records lost, unread; /* unread: those of the lost ones that may be read later */
static char layers_dir[PATH_MAX], records_dir[PATH_MAX];

bool layer_of_this_boot(const struct layer *l)
{
	return strcmp(l->boot_id, boot_id()) == 0;
}

static const char *layer_path(const char *dir)
{
	static char path[PATH_MAX + NAME_MAX + 8];

	snprintf(path, sizeof(path), "%s/%s", layers_dir, dir);
	return path;
}

static struct layer *entry_new(const struct layer *spec)
{
	struct arena *a = arena_new();
	struct layer *l = arena_zalloc(a, sizeof(*l));

	fields_copy(layer_fields, l, spec, a);
	l->arena = a;
	l->made_ns = loop_mono_ns();
	l->kept = true;
	list_append(&layers, &l->link);
	return l;
}

static int on_layer_record(void *arg, const char *name, struct record *r, struct err *e)
{
	struct arena *a = arena_new();
	struct layer spec = { 0 };
	struct stat st;
	int rc = record_fields(r, layer_fields, &spec, a, e);

	(void)arg;
	if (rc == 0 && strcmp(spec.dir, name) != 0)
		rc = err_set(e, ERR_INTERNAL, "the record of layer %s says that it is %.40s", name, spec.dir);
	if (rc == 0 && lstat(layer_path(name), &st) < 0 && errno == ENOENT)
		record_remove(records_dir, name);
	else if (rc == 0)
		entry_new(&spec);
	arena_free(a);
	return rc;
}

/* The directory of a layer whose record cannot be read may be mounted by a running container. After a power cut it is
 * mounted by none, but an image may name one whose record the disk does not give now. (ARCHITECTURE R70, H9) */
static void on_layer_lost(void *arg, const char *name, enum record_loss how)
{
	(void)arg;
	if (how == RECORD_UNREAD || !boot_is_new())
		lost_records_add(&lost, name);
	if (how == RECORD_UNREAD)
		lost_records_add(&unread, name);
}

bool layer_lost(const char *name)
{
	return lost_records_have(&lost, name);
}

bool layer_unread(const char *name)
{
	return lost_records_have(&unread, name);
}

static void layer_discard(const char *name)
{
	struct err e;

	if (discard(layer_path(name), &e) < 0) /* the next start finds it: no record names it */
		log_warn("layer_left dir=%s error=%s", name, log_quote(e.msg));
}

/* A directory that no record names: the daemon ended between the rename and the record. */
static int drop_unknown(struct err *e)
{
	auto_dir DIR *d = opendir(layers_dir);

	if (!d)
		return err_os(e, ERR_INTERNAL, "open %s", layers_dir);
	for (struct dirent *f = readdir(d); f; f = readdir(d))
		if (*f->d_name != '.' && !layer_by_dir(f->d_name) && !layer_lost(f->d_name))
			layer_discard(f->d_name);
	return 0;
}

static void layer_forget(struct layer *l)
{
	list_drop(&l->link);
	arena_free(l->arena);
}

int layer_open(const char *root, struct err *e)
{
	if (!layers.next)
		list_init(&layers);
	list_each(it, &layers)
		layer_forget(container_of(it, struct layer, link));
	snprintf(layers_dir, sizeof(layers_dir), "%s/layers", root);
	snprintf(records_dir, sizeof(records_dir), "%s/layer-records", root);
	/* Layers have the owners and modes of their images, setuid programs too. (ARCHITECTURE I13) */
	if (dir_close(layers_dir, DIR_NO_GROUP, e) < 0)
		return -1;
	if (record_each(records_dir, LAYER_VERSION, on_layer_record, on_layer_lost, NULL, e) < 0)
		return -1;
	return drop_unknown(e);
}

struct layer *layer_find(const char *diff_id, const char *chain_id)
{
	list_each(it, &layers) {
		struct layer *l = container_of(it, struct layer, link);

		if (!l->unfinished && !l->broken &&
			(*l->chain_id ? strcmp(l->chain_id, chain_id) == 0 : strcmp(l->diff_id, diff_id) == 0))
			return l;
	}
	return NULL;
}

struct layer *layer_find_unfinished(const char *diff_id)
{
	list_each(it, &layers) {
		struct layer *l = container_of(it, struct layer, link);

		if (l->unfinished && !l->broken && strcmp(l->diff_id, diff_id) == 0)
			return l;
	}
	return NULL;
}

struct layer *layer_by_dir(const char *dir)
{
	list_each(it, &layers) {
		struct layer *l = container_of(it, struct layer, link);

		if (strcmp(l->dir, dir) == 0)
			return l;
	}
	return NULL;
}

static int layer_write(const struct layer *l, struct err *e)
{
	auto_json json_t *j = fields_to_json(layer_fields, l);

	return record_write(records_dir, l->dir, LAYER_VERSION, j, e);
}

struct layer *layer_add(const struct layer *spec, struct err *e)
{
	struct layer *l = entry_new(spec);

	l->boot_id = arena_strdup(l->arena, boot_id());
	if (layer_write(l, e) == 0)
		return l;
	layer_remove(l);
	return NULL;
}

/* An unfinished layer of the same tar shares its files with the layers that were made of it, by hard links. */
int layer_break(struct layer *l, struct err *e)
{
	int r = 0;

	list_each(it, &layers) {
		struct layer *x = container_of(it, struct layer, link);

		if (x != l && (!x->unfinished || strcmp(x->diff_id, l->diff_id) != 0))
			continue;
		x->broken = true;
		x->kept = false;
		r = layer_write(x, e) < 0 ? -1 : r;
	}
	return r;
}

void layer_named(struct layer *l)
{
	l->kept = false;
	l->on_disk = true;
}

void layer_hold(struct layer *l)
{
	l->holds++;
}

void layer_release(struct layer *l)
{
	assert(l->holds > 0);
	l->holds--;
}

/* The record is removed first. After a kill in between, the next start removes the directory that has no record. In the
 * other order a record could stay whose directory is only partly removed, and would be believed. */
void layer_remove(struct layer *l)
{
	assert(l->holds == 0);
	log_debug("layer_remove dir=%s diff_id=%.19s", l->dir, l->diff_id);
	record_remove(records_dir, l->dir);
	layer_discard(l->dir);
	layer_forget(l);
}

void layer_each(void (*fn)(void *arg, struct layer *l), void *arg)
{
	list_each(it, &layers)
		fn(arg, container_of(it, struct layer, link));
}
