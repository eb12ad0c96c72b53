/* pax.c - the records of a pax extended header: "<length> <key>=<value>\n", where the length is that of the record.
 * Spec: POSIX.1-2017 pax, "pax Extended Header". An empty value cancels an earlier record of the same key. */
#include <stdlib.h>
#include <string.h>

#include "images/unpack/tar.h"
#include "reactor/own.h"

struct record {
	char *key, *value; /* in t->text; both end in a NUL that replaced '=' and '\n' */
	size_t size;       /* of the value, which may hold NULs of its own */
};

static int set_string(struct tar *t, const struct record *r, const char **out, struct err *e)
{
	if (strlen(r->value) != r->size)
		return tar_bad(t, e, "a NUL in a name");
	*out = r->size ? r->value : NULL;
	return 0;
}

static int set_number(struct tar *t, const struct record *r, uint64_t max, bool *has, uint64_t *out, struct err *e)
{
	*has = r->size > 0;
	if (*has && (tar_decimal(r->value, r->size, out) < 0 || *out > max))
		return tar_bad(t, e, "a malformed number in a pax header");
	return 0;
}

static int set_id(struct tar *t, const struct record *r, bool *has, uint32_t *out, struct err *e)
{
	uint64_t v = 0;

	if (set_number(t, r, UINT32_MAX, has, &v, e) < 0)
		return -1;
	*out = (uint32_t)v;
	return 0;
}

/* "1700000000.123456789", "-1.5"; digits beyond nanoseconds are cut. */
static int set_mtime(struct tar *t, const struct record *r, struct err *e)
{
	const char *p = r->value, *dot = memchr(p, '.', r->size);
	bool negative = r->size > 0 && p[0] == '-';
	size_t whole = dot ? (size_t)(dot - p) : r->size;
	uint64_t s;
	long ns = 0, unit = 100000000;

	t->pax.has_mtime = r->size > 0;
	if (r->size == 0)
		return 0;
	if (tar_decimal(p + negative, whole - negative, &s) < 0 || s > INT32_MAX * (uint64_t)1024)
		return tar_bad(t, e, "a malformed time in a pax header");
	for (const char *d = dot ? dot + 1 : ""; *d; d++, unit /= 10) {
		if (*d < '0' || *d > '9')
			return tar_bad(t, e, "a malformed time in a pax header");
		ns += (*d - '0') * unit;
	}
	t->pax.mtime = (struct timespec){ .tv_sec = (time_t)s, .tv_nsec = ns };
	if (negative) {
		t->pax.mtime.tv_sec = -(time_t)s - (ns > 0);
		t->pax.mtime.tv_nsec = ns > 0 ? 1000000000 - ns : 0;
	}
	return 0;
}

static void add_xattr(struct tar *t, const char *name, const struct record *r)
{
	if (t->nxattrs == t->room_xattrs) {
		t->room_xattrs = t->room_xattrs ? 2 * t->room_xattrs : 8;
		t->xattrs = own_must(realloc(t->xattrs, t->room_xattrs * sizeof(*t->xattrs)));
	}
	t->xattrs[t->nxattrs++] = (struct tar_xattr){ name, r->value, r->size };
}

/* Sparse 0.1: "offset,size,offset,size" */
static int sparse_list(struct tar *t, const struct record *r, struct err *e)
{
	const char *p = r->value, *end = r->value + r->size;
	uint64_t number[2];
	int have = 0;

	for (; p < end; p++) {
		size_t n = strcspn(p, ",");

		if (tar_decimal(p, n, &number[have]) < 0)
			return tar_bad(t, e, "bad sparse map");
		p += n;
		have = !have;
		if (!have && sparse_add(t, number[0], number[1], e) < 0)
			return -1;
	}
	t->sparse = true;
	return have ? tar_bad(t, e, "bad sparse map") : 0;
}

static int set_sparse(struct tar *t, const char *key, const struct record *r, struct err *e)
{
	struct tar_pax *pax = &t->pax;
	uint64_t v = 0;
	bool has;

	if (strcmp(key, "name") == 0)
		return set_string(t, r, &pax->sparse_name, e);
	if (strcmp(key, "map") == 0)
		return sparse_list(t, r, e);
	if (strcmp(key, "numblocks") == 0) {
		t->sparse = true; /* a key of 0.0 and 0.1; its value is not needed */
		return 0;
	}
	if (set_number(t, r, INT64_MAX, &has, &v, e) < 0)
		return -1;
	if (strcmp(key, "major") == 0) {
		pax->sparse_major = v > 100 ? 100 : (int)v;
	} else if (strcmp(key, "minor") == 0) {
		pax->sparse_minor = v > 100 ? 100 : (int)v;
	} else if (strcmp(key, "realsize") == 0 || strcmp(key, "size") == 0) {
		pax->has_realsize = has;
		pax->realsize = v;
	} else if (strcmp(key, "offset") == 0) { /* 0.0: pairs of records */
		return sparse_add(t, v, 0, e);
	} else if (strcmp(key, "numbytes") == 0) {
		if (t->npieces == 0)
			return tar_bad(t, e, "bad sparse map");
		t->pieces[t->npieces - 1].size = v;
	}
	return 0;
}

static int pax_apply(struct tar *t, const struct record *r, struct err *e)
{
	struct tar_pax *pax = &t->pax;

	if (strcmp(r->key, "path") == 0)
		return set_string(t, r, &pax->path, e);
	if (strcmp(r->key, "linkpath") == 0)
		return set_string(t, r, &pax->linkpath, e);
	if (strcmp(r->key, "size") == 0)
		return set_number(t, r, INT64_MAX, &pax->has_size, &pax->size, e);
	if (strcmp(r->key, "uid") == 0)
		return set_id(t, r, &pax->has_uid, &pax->uid, e);
	if (strcmp(r->key, "gid") == 0)
		return set_id(t, r, &pax->has_gid, &pax->gid, e);
	if (strcmp(r->key, "mtime") == 0)
		return set_mtime(t, r, e);
	if (strncmp(r->key, "GNU.sparse.", 11) == 0)
		return set_sparse(t, r->key + 11, r, e);
	if (strncmp(r->key, "SCHILY.xattr.", 13) == 0)
		add_xattr(t, r->key + 13, r);
	return 0; /* atime, ctime, uname, gname, comment and whatever vendors add */
}

/* Reads the record at *at and makes its key and value two C strings. */
static int pax_cut(struct tar *t, size_t *at, struct record *r, struct err *e)
{
	char *p = (char *)t->text.at + *at;
	size_t left = t->text.len - *at, digits = 0;
	uint64_t len;
	char *equals;

	while (digits < left && p[digits] >= '0' && p[digits] <= '9')
		digits++;
	if (digits == left || p[digits] != ' ' || tar_decimal(p, digits, &len) < 0 || len > left || len < digits + 3 ||
	    p[len - 1] != '\n')
		return tar_bad(t, e, "a pax record is malformed");
	r->key = p + digits + 1;
	equals = memchr(r->key, '=', len - digits - 2);
	if (!equals || equals == r->key)
		return tar_bad(t, e, "a pax record is malformed");
	p[len - 1] = *equals = '\0';
	if (strlen(r->key) != (size_t)(equals - r->key))
		return tar_bad(t, e, "a NUL in a pax key");
	r->value = equals + 1;
	r->size = (size_t)(p + len - 1 - r->value);
	*at += len;
	return 0;
}

int pax_parse(struct tar *t, struct err *e)
{
	size_t at = 0;

	/* A second header for the same entry replaces the first, whose text t->text no longer has. */
	t->pax = (struct tar_pax){ .sparse_major = -1, .sparse_minor = -1 };
	t->nxattrs = t->npieces = 0;
	t->sparse = false;
	while (at < t->text.len) {
		struct record r = { 0 };

		if (pax_cut(t, &at, &r, e) < 0 || pax_apply(t, &r, e) < 0)
			return -1;
	}
	return 0;
}
