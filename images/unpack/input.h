/* input.h - the compressed blob as it comes: what was kept of an earlier try, then the pipe.
 * Counts and hashes every byte, so that the digest is known whatever became of the layer. */
#ifndef IMAGES_UNPACK_INPUT_H
#define IMAGES_UNPACK_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "images/digest.h"
#include "reactor/err.h"

struct input_spec {
	int blob_fd, pipe_fd; /* borrowed; blob_fd -1: none. It is read with pread(2): its offset is the daemon's */
	uint64_t blob_bytes;  /* of it; the daemon may be appending to the file what it feeds into the pipe */
	uint64_t size_bytes;  /* of the whole, as the descriptor says */
};

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

/* More unread bytes behind those there are: how many, 0 at the end, -1. DATA_LOSS: the blob is too long; INTERNAL. */
ssize_t input_more(struct input *in, struct err *e);

/* Reads what is left. DATA_LOSS: the blob is shorter than size_bytes, or is not `digest` (NULL: not known). Ends the
 * hash: call once. */
int input_verify(struct input *in, const char *digest, struct err *e);

#endif
