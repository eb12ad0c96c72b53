/* sparse.c - the maps of sparse files: where in the file the stored bytes belong.
 * Spec: GNU tar manual, "Storing Sparse Files": old GNU, pax 0.0, 0.1 and 1.0. */
#include <stdlib.h>
#include <string.h>

#include "images/unpack/tar.h"
#include "reactor/own.h"

enum { S_MAP = 386, S_EXTENDED = 482, S_REALSIZE = 483, S_NUMBER = 12, S_HEADER_PIECES = 4 };
enum { X_PIECES = 21, X_EXTENDED = 504 }; /* an extension block */
enum { MAP_DIGITS = 20 };

int sparse_add(struct tar *t, uint64_t offset, uint64_t size, struct err *e)
{
	if (t->npieces == TAR_SPARSE_MAX)
		return tar_bad(t, e, "too many pieces in a sparse file");
	if (t->npieces == t->room_pieces) {
		t->room_pieces = t->room_pieces ? 2 * t->room_pieces : 16;
		t->pieces = own_must(realloc(t->pieces, t->room_pieces * sizeof(*t->pieces)));
	}
	t->pieces[t->npieces++] = (struct tar_piece){ offset, size };
	t->sparse = true;
	return 0;
}

/* The pieces must be in order, inside the file, and together as long as the stored bytes. */
static int sparse_check(struct tar *t, struct err *e)
{
	uint64_t at = 0, stored = 0;

	for (size_t i = 0; i < t->npieces; i++) {
		const struct tar_piece *p = &t->pieces[i];

		if (p->offset < at || p->offset > t->entry.size || p->size > t->entry.size - p->offset)
			return tar_bad(t, e, "bad sparse map");
		at = p->offset + p->size;
		stored += p->size;
	}
	return stored == t->left ? 0 : tar_bad(t, e, "a sparse map that is not as long as the data");
}

static int add_numbers(struct tar *t, const uint8_t *p, int pieces, struct err *e)
{
	for (int i = 0; i < pieces; i++, p += 2 * S_NUMBER) {
		int64_t offset, size;

		if (p[0] == 0 || p[0] == ' ')
			break;
		if (tar_number(p, S_NUMBER, &offset) < 0 || tar_number(p + S_NUMBER, S_NUMBER, &size) < 0 ||
		    offset < 0 || size < 0)
			return tar_bad(t, e, "bad sparse map");
		if (sparse_add(t, (uint64_t)offset, (uint64_t)size, e) < 0)
			return -1;
	}
	return 0;
}

int sparse_old_gnu(struct tar *t, const uint8_t header[TAR_BLOCK], struct err *e)
{
	bool more = header[S_EXTENDED];
	uint8_t block[TAR_BLOCK];
	uint64_t stored = t->left;
	int64_t real;

	if (tar_number(header + S_REALSIZE, S_NUMBER, &real) < 0 || real < 0)
		return tar_bad(t, e, "bad size");
	t->sparse = true;
	t->entry.size = (uint64_t)real;
	if (add_numbers(t, header + S_MAP, S_HEADER_PIECES, e) < 0)
		return -1;
	while (more) {
		t->left = TAR_BLOCK; /* extension blocks are not part of the stored size */
		if (tar_block(t, block, e) < 0 || add_numbers(t, block, X_PIECES, e) < 0)
			return -1;
		more = block[X_EXTENDED];
	}
	t->left = stored;
	return sparse_check(t, e);
}

/* One decimal line of the 1.0 map, which runs over blocks. */
static int map_number(struct tar *t, uint8_t block[TAR_BLOCK], size_t *at, uint64_t *out, struct err *e)
{
	char digits[MAP_DIGITS];
	size_t n = 0;

	for (;;) {
		if (*at == TAR_BLOCK) {
			if (tar_block(t, block, e) < 0)
				return -1;
			*at = 0;
		}
		if (block[*at] == '\n')
			break;
		if (n == sizeof(digits))
			return tar_bad(t, e, "bad sparse map");
		digits[n++] = (char)block[(*at)++];
	}
	(*at)++;
	return tar_decimal(digits, n, out) < 0 ? tar_bad(t, e, "bad sparse map") : 0;
}

static int read_map(struct tar *t, struct err *e)
{
	uint8_t block[TAR_BLOCK];
	size_t at = TAR_BLOCK;
	uint64_t n, offset, size;

	if (map_number(t, block, &at, &n, e) < 0)
		return -1;
	if (n > TAR_SPARSE_MAX)
		return tar_bad(t, e, "too many pieces in a sparse file");
	for (; n > 0; n--)
		if (map_number(t, block, &at, &offset, e) < 0 || map_number(t, block, &at, &size, e) < 0 ||
		    sparse_add(t, offset, size, e) < 0)
			return -1;
	t->sparse = true;
	return 0;
}

int sparse_pax(struct tar *t, struct err *e)
{
	const struct tar_pax *pax = &t->pax;
	bool has_map = pax->sparse_major == 1;

	if (!t->sparse && pax->sparse_major < 0)
		return 0;
	if (pax->sparse_major > 1 || pax->sparse_minor > (has_map ? 0 : 1))
		return tar_bad(t, e, "a sparse format newer than pax 1.0");
	if (!pax->has_realsize)
		return tar_bad(t, e, "a sparse file without a size");
	t->entry.size = pax->realsize;
	if (has_map && read_map(t, e) < 0)
		return -1;
	return sparse_check(t, e);
}
