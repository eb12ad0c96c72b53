/* contents.c - see contents.h. */
#include "images/unpack/contents.h"

#include <isa-l/crc64.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "reactor/own.h"

/* ---- one file ---- */

static bool all_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static void content_zeros(struct content *c, uint64_t n)
{
	static const uint8_t zeros[4096];

	while (n > 0) {
		size_t part = n < sizeof(zeros) ? (size_t)n : sizeof(zeros);

		c->crc = crc64_ecma_refl(c->crc, zeros, part);
		n -= part;
	}
}

static void content_move(struct content *c, uint64_t to)
{
	uint64_t end = c->at - c->at % CONTENT_BLOCK + CONTENT_BLOCK;

	if (c->open) {
		content_zeros(c, (to < end ? to : end) - c->at);
		c->open = to < end;
	}
	c->at = to;
}

/* The first byte of a block that is not zero may have zeros before it, which were not counted yet. */
static void content_open(struct content *c)
{
	uint64_t before = c->at % CONTENT_BLOCK, where = c->at - before;

	c->crc = crc64_ecma_refl(c->crc, (const uint8_t *)&where, sizeof(where));
	content_zeros(c, before);
	c->open = true;
}

void content_add(struct content *c, uint64_t offset, const uint8_t *p, size_t n)
{
	content_move(c, offset);
	while (n > 0) {
		size_t left = CONTENT_BLOCK - (size_t)(c->at % CONTENT_BLOCK), part = n < left ? n : left;

		if (!c->open && !all_zero(p, part))
			content_open(c);
		if (c->open)
			c->crc = crc64_ecma_refl(c->crc, p, part);
		c->open = c->open && part < left;
		c->at += part;
		p += part;
		n -= part;
	}
}

uint64_t content_end(struct content *c, uint64_t size)
{
	content_move(c, size);
	return c->crc;
}

/* ---- the table ---- */

void contents_add(struct contents *c, uint64_t inode, uint64_t crc)
{
	if (c->full || c->n == CONTENTS_FILES_MAX) {
		contents_free(c);
		c->full = true;
		return;
	}
	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 1024;
		c->files = own_must(realloc(c->files, c->room * sizeof(*c->files)));
	}
	c->files[c->n] = (struct contents_file){ inode, crc, c->n };
	c->n++;
}

int contents_note(struct contents *c, int fd, struct content *content, uint64_t size_bytes)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	contents_add(c, st.st_ino, content_end(content, size_bytes));
	return 0;
}

static int by_inode(const void *x, const void *y)
{
	const struct contents_file *a = x, *b = y;

	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return (a->order > b->order) - (a->order < b->order);
}

void contents_sort(struct contents *c)
{
	size_t kept = 0;

	if (c->n == 0)
		return;
	qsort(c->files, c->n, sizeof(*c->files), by_inode);
	for (size_t i = 1; i < c->n; i++) {
		kept += c->files[i].inode != c->files[kept].inode;
		c->files[kept] = c->files[i];
	}
	c->n = kept + 1;
}

static int is_inode(const void *inode, const void *file)
{
	uint64_t want = *(const uint64_t *)inode, is = ((const struct contents_file *)file)->inode;

	return (want > is) - (want < is);
}

bool contents_find(const struct contents *c, uint64_t inode, uint64_t *crc)
{
	const struct contents_file *f =
		c->n == 0 ? NULL : bsearch(&inode, c->files, c->n, sizeof(*c->files), is_inode);

	if (f)
		*crc = f->crc;
	return f != NULL;
}

void contents_free(struct contents *c)
{
	free(c->files);
	*c = (struct contents){ 0 };
}
