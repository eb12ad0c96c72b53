/* input.h - reads the compressed blob: first the partial download of an earlier try, then the pipe.
 * Every byte is counted and hashed, so that the digest can be verified even when the layer could not be unpacked. */
#ifndef IMAGES_UNPACK_INPUT_H
#define IMAGES_UNPACK_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "images/digest.h"
#include "reactor/err.h"

struct input_spec {
	int blob_fd, pipe_fd; /* borrowed; blob_fd -1: none. Read with pread(2), because crispd shares its offset */
	uint64_t blob_bytes;  /* how many of its bytes to read; crispd may be appending to the file meanwhile */
	uint64_t size_bytes;  /* of the whole, as the descriptor says */
	/* The pipe has words of 8 bytes (uint64_t, this machine's order): how many of the blob's first bytes the file
	 * has by now. After the word UNPACK_RAW the pipe has the blob's next bytes themselves. */
	bool grows;
};

#define UNPACK_RAW UINT64_MAX

struct input {
	struct input_spec spec;
	uint64_t total;       /* bytes read so far */
	uint8_t *buf;
	size_t pos, len;      /* buf[pos..len) is unread */
	bool end;
	struct digest_state *sha;
};

void input_open(struct input *in, const struct input_spec *spec);
void input_close(struct input *in);

/* Reads more bytes after the unread ones. Returns how many, 0 at the end, -1. DATA_LOSS: the blob is too long;
 * INTERNAL. */
ssize_t input_more(struct input *in, struct err *e);

/* Reads the rest. DATA_LOSS: the blob is shorter than size_bytes, or does not have the digest (NULL: not known). Ends
 * the hash: call once. */
int input_verify(struct input *in, const char *digest, struct err *e);

#endif
