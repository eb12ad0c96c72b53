/* input.c - see input.h. */
#include "images/unpack/input.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "reactor/own.h"

enum { INPUT_BYTES = 256 << 10 }; /* a quarter of the pipe: crispd fills the pipe while this process inflates */

void input_open(struct input *in, const struct input_spec *spec)
{
	*in = (struct input){ .spec = *spec };
	in->buf = own_must(malloc(INPUT_BYTES));
	in->sha = digest_new();
}

void input_close(struct input *in)
{
	if (in->sha)
		digest_free(in->sha);
	free(in->buf);
	*in = (struct input){ .end = true };
}

/* 1: the file has more bytes, or bytes of the blob follow in the pipe; 0: the pipe is at its end. */
static ssize_t input_grow(struct input *in)
{
	uint64_t word = 0;
	size_t have = 0;

	while (have < sizeof(word)) {
		ssize_t n = read(in->spec.pipe_fd, (char *)&word + have, sizeof(word) - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n;
		have += (size_t)n;
	}
	if (word == UNPACK_RAW)
		in->spec.grows = false;
	else
		in->spec.blob_bytes = word;
	return 1;
}

static ssize_t read_once(struct input *in, void *to, size_t room)
{
	uint64_t kept;
	ssize_t n;

	while (in->spec.grows && in->total >= in->spec.blob_bytes) {
		n = input_grow(in);
		if (n <= 0)
			return n;
	}
	kept = in->spec.blob_fd >= 0 && in->total < in->spec.blob_bytes ? in->spec.blob_bytes - in->total : 0;
	if (kept == 0)
		return read(in->spec.pipe_fd, to, room);
	n = pread(in->spec.blob_fd, to, room < kept ? room : kept, (off_t)in->total);
	if (n == 0) {
		errno = ENODATA; /* the file was truncated: the bytes from the pipe do not follow on it */
		return -1;
	}
	return n;
}

ssize_t input_more(struct input *in, struct err *e)
{
	ssize_t n;

	if (in->end)
		return 0;
	if (in->pos > 0) {
		memmove(in->buf, in->buf + in->pos, in->len - in->pos);
		in->len -= in->pos;
		in->pos = 0;
	}
	do
		n = read_once(in, in->buf + in->len, INPUT_BYTES - in->len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_os(e, ERR_INTERNAL, "read the blob at byte %" PRIu64, in->total);
	in->end = n == 0;
	digest_update(in->sha, in->buf + in->len, (size_t)n);
	in->total += (uint64_t)n;
	in->len += (size_t)n;
	if (in->total > in->spec.size_bytes)
		return err_set(e, ERR_DATA_LOSS, "the blob is longer than the %" PRIu64 " bytes its manifest says",
			       in->spec.size_bytes);
	return n;
}

int input_verify(struct input *in, const char *digest, struct err *e)
{
	char got[DIGEST_SIZE];
	ssize_t n;

	do {
		in->pos = in->len;
		n = input_more(in, e);
	} while (n > 0);
	if (n < 0)
		return -1;
	if (in->total < in->spec.size_bytes)
		return err_set(e, ERR_DATA_LOSS, "the blob ends after %" PRIu64 " of %" PRIu64 " bytes", in->total,
			       in->spec.size_bytes);
	digest_final(take_ptr(&in->sha), got);
	if (digest && strcmp(got, digest) != 0)
		return err_set(e, ERR_DATA_LOSS, "the blob's digest is %.19s.., its manifest says %.19s..", got,
			       digest);
	return 0;
}
