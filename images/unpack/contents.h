/* contents.h - the CRC-64 of a file's content, and a table of those that were taken while the files were written, so
 * that the sum of the layer reads no file again. (ARCHITECTURE I63, I83) */
#ifndef IMAGES_UNPACK_CONTENTS_H
#define IMAGES_UNPACK_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONTENT_BLOCK = 64 << 10 };    /* blocks of zeros count like holes */
enum { CONTENTS_FILES_MAX = 1 << 20 }; /* in one table: 24 MiB */

/* One file. Zero is the start. Each block that has a byte other than zero adds its offset and its bytes. */
struct content {
	uint64_t crc, at; /* at: so many bytes of the file are in crc, or are zeros */
	bool open;        /* the block of `at` has a byte other than zero */
};

/* Bytes of the file, in the order of their offsets and without overlap; what is left out is zeros. */
void content_add(struct content *c, uint64_t offset, const uint8_t *p, size_t n);

/* The CRC of all `size` bytes, of which none was added behind. */
uint64_t content_end(struct content *c, uint64_t size);

/* The files of one file system, by the numbers of their inodes. Zero is an empty table. */
struct contents_file {
	uint64_t inode, crc, order;
};

struct contents {
	struct contents_file *files; /* owned */
	size_t n, room;
	bool full; /* it had no room for a file: it knows none, also not those before, whose numbers may be used anew */
};

/* When a number comes again its file was removed meanwhile: the last one counts. */
void contents_add(struct contents *c, uint64_t inode, uint64_t crc);

/* The file `fd`, whose content of size_bytes ends here. -1, errno. */
int contents_note(struct contents *c, int fd, struct content *content, uint64_t size_bytes);

/* Once, after the last file. */
void contents_sort(struct contents *c);

/* In a sorted table. false: the table does not know the file. */
bool contents_find(const struct contents *c, uint64_t inode, uint64_t *crc);

void contents_free(struct contents *c);

#endif
