/* report.c - see report.h. As bytes: records of one letter and its NUL-terminated paths, "E" last; behind the path of
 * "I" are the length of the value, four bytes, and the value. */
#include "images/unpack/report.h"

#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>

#include "images/path.h"
#include "reactor/own.h"

static void set_add(struct report *r, struct map *set, const char *path)
{
	if (map_get(set, path))
		return;
	map_put(set, arena_strdup(r->arena, path), r);
	r->text_bytes += strlen(path) + 1;
}

void report_open(struct report *r)
{
	*r = (struct report){ .arena = arena_new() };
}

void report_close(struct report *r)
{
	map_free(&r->opaque);
	map_free(&r->invented);
	map_free(&r->link_at);
	map_free(&r->ima_at);
	free(r->links);
	free(r->ima);
	arena_free(r->arena);
}

void report_opaque(struct report *r, const char *path)
{
	if (*path)
		set_add(r, &r->opaque, path);
	else
		r->opaque_root = true;
}

void report_invented(struct report *r, const char *path)
{
	set_add(r, &r->invented, path);
}

void report_named(struct report *r, const char *path)
{
	if (r->invented.used > 0)
		map_drop(&r->invented, path);
}

void report_link(struct report *r, const char *path, const char *target)
{
	if (r->nlinks == r->room_links) {
		r->room_links = r->room_links ? 2 * r->room_links : 16;
		r->links = own_must(realloc(r->links, r->room_links * sizeof(*r->links)));
	}
	r->links[r->nlinks++] = (struct report_link){ arena_strdup(r->arena, path), arena_strdup(r->arena, target) };
	r->text_bytes += strlen(path) + strlen(target) + 2;
	map_put(&r->link_at, r->links[r->nlinks - 1].path, (void *)(uintptr_t)r->nlinks);
}

void report_ima(struct report *r, const char *path, const void *value, size_t size)
{
	struct report_ima *x;

	if (r->nima == r->room_ima) {
		r->room_ima = r->room_ima ? 2 * r->room_ima : 16;
		r->ima = own_must(realloc(r->ima, r->room_ima * sizeof(*r->ima)));
	}
	x = &r->ima[r->nima++];
	*x = (struct report_ima){ arena_strdup(r->arena, path), arena_memdup(r->arena, value, size), size };
	r->text_bytes += strlen(path) + 1 + size;
	map_put(&r->ima_at, x->path, (void *)(uintptr_t)r->nima);
}

static size_t drop_index(struct map *at, const char *path)
{
	return at->used > 0 ? (size_t)(uintptr_t)map_drop(at, path) : 0;
}

void report_unlink(struct report *r, const char *path)
{
	size_t link = drop_index(&r->link_at, path), ima = drop_index(&r->ima_at, path);

	if (link > 0)
		r->links[link - 1].path = NULL;
	if (ima > 0)
		r->ima[ima - 1].path = NULL;
}

bool report_self_contained(const struct report *r)
{
	return r->invented.used == 0 && r->link_at.used == 0 && !r->opaque_root;
}

static void put(struct buf *out, char kind, const char *path)
{
	buf_append(out, &kind, 1);
	buf_append(out, path, strlen(path) + 1);
}

void report_encode(const struct report *r, struct buf *out)
{
	for (struct map_slot *s = map_next(&r->opaque, NULL); s; s = map_next(&r->opaque, s))
		put(out, 'O', s->key);
	if (r->opaque_root)
		put(out, 'O', "");
	for (struct map_slot *s = map_next(&r->invented, NULL); s; s = map_next(&r->invented, s))
		put(out, 'D', s->key);
	for (size_t i = 0; i < r->nlinks; i++) {
		if (!r->links[i].path)
			continue;
		put(out, 'L', r->links[i].path);
		buf_append(out, r->links[i].target, strlen(r->links[i].target) + 1);
	}
	for (size_t i = 0; i < r->nima; i++) {
		uint32_t size = (uint32_t)r->ima[i].size;

		if (!r->ima[i].path)
			continue;
		put(out, 'I', r->ima[i].path);
		buf_append(out, &size, sizeof(size));
		buf_append(out, r->ima[i].value, size);
	}
	buf_append(out, "E", 1);
}

static bool get_ima(struct report *r, const char *path, const char **p, const char *end)
{
	uint32_t size;

	if ((size_t)(end - *p) < sizeof(size))
		return false;
	memcpy(&size, *p, sizeof(size));
	*p += sizeof(size);
	if (size > XATTR_SIZE_MAX || size > (size_t)(end - *p))
		return false;
	report_ima(r, path, *p, size);
	*p += size;
	return true;
}

static const char *get_path(const char **p, const char *end)
{
	const char *path = *p;
	size_t n = strnlen(path, (size_t)(end - path));

	if (n == (size_t)(end - path) || !path_is_clean(path))
		return NULL;
	*p += n + 1;
	return path;
}

int report_decode(struct report *r, const char *p, size_t n, struct err *e)
{
	const char *end = p + n, *path, *target;

	while (p < end && *p != 'E') {
		char kind = *p++;

		path = get_path(&p, end);
		if (!path || (kind != 'O' && !*path))
			break;
		if (kind == 'O') {
			report_opaque(r, path);
		} else if (kind == 'D') {
			report_invented(r, path);
		} else if (kind == 'L' && (target = get_path(&p, end))) {
			report_link(r, path, target);
		} else if (kind != 'I' || !get_ima(r, path, &p, end)) {
			break;
		}
	}
	if (p + 1 != end || *p != 'E')
		return err_set(e, ERR_INTERNAL, "the list of what a layer lacks is damaged");
	return 0;
}
