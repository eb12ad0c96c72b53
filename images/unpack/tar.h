/* tar.h - reads the entries of a tar stream, one after the other.
 *
 * Formats: V7, ustar, pax, GNU (long names, base-256 numbers, old sparse), star's prefix; sparse by pax 0.0, 0.1, 1.0.
 * Names are bytes and are not converted. (libarchive 3.6 is not used for this reason: in a UTF-8 locale it converts
 * names from pax headers to Unicode NFC, so that two files of one layer may become one; in the C locale it reports each
 * name beyond ASCII in the same way as damage.) Pax global headers and bodies of links are skipped, as by Go's
 * archive/tar, which containerd uses.
 * Specs: POSIX.1-2017 pax "ustar Interchange Format", "pax Header Block"; GNU tar manual, "Tar Internals".
 * (ARCHITECTURE I6, X9) */
#ifndef IMAGES_UNPACK_TAR_H
#define IMAGES_UNPACK_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "images/unpack/inflate.h"
#include "reactor/buf.h"
#include "reactor/err.h"

enum { TAR_BLOCK = 512 };
enum { TAR_META_MAX = 1 << 20 };    /* one pax header or GNU long name; Go's reader has the same limit */
enum { TAR_SPARSE_MAX = 1 << 18 };  /* pieces of one sparse file */

enum tar_type { TAR_FILE, TAR_HARDLINK, TAR_SYMLINK, TAR_CHAR, TAR_BLOCKDEV, TAR_DIR, TAR_FIFO };

struct tar_xattr {
	const char *name;  /* "user.a", "security.capability" */
	const void *value; /* of `size` bytes, any bytes */
	size_t size;
};

struct tar_piece { /* of a file's content */
	uint64_t offset, size;
};

struct tar_entry { /* valid until the next tar_next() */
	enum tar_type type;
	const char *name, *link; /* as in the tar: untrusted input; "" when absent */
	mode_t mode;             /* permission bits, setuid, setgid, sticky */
	uint32_t uid, gid;
	uint64_t size;           /* of the extracted file; 0 for all but TAR_FILE */
	struct timespec mtime;
	uint32_t major, minor;
	const struct tar_xattr *xattrs;
	size_t nxattrs;
};

/* The pax headers of the next entry; values point into `text` of struct tar. */
struct tar_pax {
	const char *path, *linkpath, *sparse_name; /* NULL: absent */
	bool has_size, has_uid, has_gid, has_mtime, has_realsize;
	uint64_t size, realsize;
	uint32_t uid, gid;
	struct timespec mtime;
	int sparse_major, sparse_minor; /* -1: absent */
};

struct tar {
	struct inflate *in;           /* borrowed */
	struct tar_entry entry;
	struct tar_pax pax;
	struct buf text;              /* the pax header's body */
	struct buf long_name, long_link;
	char name[256 + 1], link[100 + 1]; /* of the plain header */
	struct tar_xattr *xattrs;
	size_t nxattrs, room_xattrs;
	uint64_t left, padding;       /* stored bytes of this entry not yet read, and the padding of its last block */
	bool sparse;
	struct tar_piece *pieces;     /* ascending, not overlapping, within entry.size */
	size_t npieces, room_pieces, piece;
	uint64_t done;                /* content bytes of the current piece (or of a plain file) that were handed out */
};

void tar_open(struct tar *t, struct inflate *in);
void tar_close(struct tar *t);

/* 1: *entry is the next entry; 0: the archive ended in order, with only zeros after it; -1: INVALID_ARGUMENT, or the
 * error of inflate_peek(). */
int tar_next(struct tar *t, const struct tar_entry **entry, struct err *e);

/* The next bytes of a file: their offset in it, *p and how many; 0 at its end. Holes are left out. */
ssize_t tar_data(struct tar *t, uint64_t *offset, const uint8_t **p, struct err *e);

/* ---- between tar.c, pax.c and sparse.c ---- */

/* Decimal digits, all of `n` bytes. */
int tar_decimal(const char *p, size_t n, uint64_t *out);

/* Octal or GNU base-256. */
int tar_number(const uint8_t *field, size_t n, int64_t *out);

/* The next block of the current entry's stored bytes; INVALID_ARGUMENT when there is none. */
int tar_block(struct tar *t, uint8_t block[TAR_BLOCK], struct err *e);

int tar_bad(struct tar *t, struct err *e, const char *what); /* damage, with the entry's name */

int pax_parse(struct tar *t, struct err *e); /* t->text into t->pax, t->xattrs and, for sparse 0.x, t->pieces */
int sparse_add(struct tar *t, uint64_t offset, uint64_t size, struct err *e);
int sparse_old_gnu(struct tar *t, const uint8_t header[TAR_BLOCK], struct err *e);
int sparse_pax(struct tar *t, struct err *e); /* 1.0's map from the front of the data; 0.x: only the checks */

#endif
