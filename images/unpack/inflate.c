/* inflate.c - see inflate.h. */
#include "images/unpack/inflate.h"

#include <assert.h>
#include <inttypes.h>
#include <isa-l/igzip_lib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <zstd.h>

#include "images/digest.h"
#include "images/unpack/ahead.h"
#include "images/unpack/confine.h"
#include "images/unpack/input.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { PLAIN_BYTES = 256 << 10 }; /* fits into the L2 cache; large enough for one write(2); a multiple of tar's 512 */
enum { MAGIC_BYTES = 4 };
/* A decoder must take windows of 8 MiB (RFC 8878 3.1.1.1.2); zstd's own limit without --long is 128 MiB. */
enum { ZSTD_WINDOW_LOG_MAX = 27 };

enum format { FORMAT_UNKNOWN, FORMAT_PLAIN, FORMAT_GZIP, FORMAT_ZSTD };
enum member { MEMBER_NONE, MEMBER_OPEN, MEMBER_PADDING }; /* gzip: between members, in one, in zeros after the last */

struct inflate {
	struct inflate_spec spec;
	struct input input;
	enum format format;
	enum member member;
	bool end;        /* of the bytes for the reader */
	bool blob_end;
	_Atomic bool damaged;
	struct ahead *ahead; /* NULL: filled when the reader asks */
	uint8_t *own;        /* the buffer without `ahead` */
	const uint8_t *out;
	size_t pos, len; /* out[pos..len) is unread */
	uint8_t *to;     /* being filled, to[0..made) of to[0..room) */
	size_t made, room;
	uint64_t total;
	struct digest_state *sha; /* of the plain bytes; NULL when the blob is not compressed */
	struct inflate_state gzip;
	ZSTD_DStream *zstd;
	size_t zstd_wants; /* 0: at a frame's end */
};

static const char *const format_names[] = { "of unknown format", "plain", "gzip", "zstd" };

struct inflate *inflate_open(const struct inflate_spec *spec)
{
	struct inflate *z = own_must(aligned_alloc(64, (sizeof(*z) + 63) & ~(size_t)63));

	memset(z, 0, sizeof(*z));
	z->spec = *spec;
	input_open(&z->input, &spec->source);
	z->own = own_must(malloc(PLAIN_BYTES));
	return z;
}

static void inflate_stop(struct inflate *z)
{
	if (z->ahead)
		ahead_stop(take_ptr(&z->ahead));
}

void inflate_close(struct inflate *z)
{
	inflate_stop(z);
	input_close(&z->input);
	if (z->sha)
		digest_free(z->sha);
	ZSTD_freeDStream(z->zstd);
	free(z->own);
	free(z);
}

int inflate_damaged(struct inflate *z, struct err *e, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	z->damaged = true;
	return err_set(e, ERR_INVALID_ARGUMENT, "%s", text);
}

/* ---- which format ---- */

static enum format format_of_bytes(const uint8_t *p, size_t n)
{
	if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b)
		return FORMAT_GZIP;
	/* A frame, or a skippable frame, which may come first (0x184d2a5?). */
	if (n >= 4 && ((p[0] == 0x28 && p[1] == 0xb5 && p[2] == 0x2f && p[3] == 0xfd) ||
		       ((p[0] & 0xf0) == 0x50 && p[1] == 0x2a && p[2] == 0x4d && p[3] == 0x18)))
		return FORMAT_ZSTD;
	return FORMAT_PLAIN;
}

static int choose_format(struct inflate *z, struct err *e)
{
	enum format is;
	ssize_t n = 1;

	while (n > 0 && z->input.len - z->input.pos < MAGIC_BYTES)
		n = input_more(&z->input, e);
	if (n < 0)
		return -1;
	is = format_of_bytes(z->input.buf + z->input.pos, z->input.len - z->input.pos);
	z->format = is;
	if (is == FORMAT_GZIP) {
		isal_inflate_init(&z->gzip);
		z->gzip.crc_flag = ISAL_GZIP;
	} else if (is == FORMAT_ZSTD) {
		z->zstd = own_must(ZSTD_createDStream());
		ZSTD_DCtx_setParameter(z->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	}
	if (is != FORMAT_PLAIN && z->spec.digest)
		z->sha = digest_new();
	return 0;
}

/* ---- one step: from input.buf to the room left in to ---- */

static const char *gzip_fault(int r)
{
	switch (r) {
	case ISAL_INVALID_BLOCK: return "invalid block";
	case ISAL_INVALID_SYMBOL: return "invalid symbol";
	case ISAL_INVALID_LOOKBACK: return "reference before the start";
	case ISAL_INVALID_WRAPPER: return "invalid header";
	case ISAL_UNSUPPORTED_METHOD: return "unsupported method";
	case ISAL_INCORRECT_CHECKSUM: return "checksum does not match";
	default: return "unknown fault";
	}
}

/* Zeros after the last member are padding, as for gzip(1); anything else must be another member. */
static int between_members(struct inflate *z, struct err *e)
{
	struct input *in = &z->input;

	if (in->buf[in->pos] == 0)
		z->member = MEMBER_PADDING;
	if (z->member == MEMBER_PADDING) {
		while (in->pos < in->len)
			if (in->buf[in->pos++] != 0)
				return inflate_damaged(z, e, "gzip: bytes after the end");
		return 0;
	}
	if (in->buf[in->pos] != 0x1f)
		return inflate_damaged(z, e, "gzip: bytes after the end");
	isal_inflate_reset(&z->gzip);
	z->gzip.crc_flag = ISAL_GZIP;
	z->member = MEMBER_OPEN;
	return 0;
}

static int step_gzip(struct inflate *z, struct err *e)
{
	struct input *in = &z->input;
	struct inflate_state *s = &z->gzip;
	int r;

	if (z->member != MEMBER_OPEN)
		return between_members(z, e);
	s->next_in = in->buf + in->pos;
	s->avail_in = (uint32_t)(in->len - in->pos);
	s->next_out = z->to + z->made;
	s->avail_out = (uint32_t)(z->room - z->made);
	r = isal_inflate(s);
	in->pos = in->len - s->avail_in;
	z->made = z->room - s->avail_out;
	if (r < 0)
		return inflate_damaged(z, e, "gzip: %s", gzip_fault(r));
	if (s->block_state == ISAL_BLOCK_FINISH)
		z->member = MEMBER_NONE;
	return 0;
}

static int step_zstd(struct inflate *z, struct err *e)
{
	struct input *in = &z->input;
	ZSTD_inBuffer from = { in->buf, in->len, in->pos };
	ZSTD_outBuffer to = { z->to, z->room, z->made };
	size_t r = ZSTD_decompressStream(z->zstd, &to, &from);

	in->pos = from.pos;
	z->made = to.pos;
	if (ZSTD_isError(r))
		return inflate_damaged(z, e, "zstd: %s", ZSTD_getErrorName(r));
	z->zstd_wants = r;
	return 0;
}

static void step_plain(struct inflate *z)
{
	struct input *in = &z->input;
	size_t n = in->len - in->pos, room = z->room - z->made;

	if (n > room)
		n = room;
	memcpy(z->to + z->made, in->buf + in->pos, n);
	in->pos += n;
	z->made += n;
}

static int inflate_step(struct inflate *z, struct err *e)
{
	if (z->format == FORMAT_GZIP)
		return step_gzip(z, e);
	if (z->format == FORMAT_ZSTD)
		return step_zstd(z, e);
	step_plain(z);
	return 0;
}

static bool is_inside(const struct inflate *z)
{
	return (z->format == FORMAT_GZIP && z->member == MEMBER_OPEN) ||
	       (z->format == FORMAT_ZSTD && z->zstd_wants > 0);
}

/* Fills all of `to`, unless the blob ends: full buffers keep tar's blocks whole and the writes large. */
static int inflate_fill(struct inflate *z, struct err *e)
{
	z->made = 0;
	while (z->made < z->room) {
		size_t had_out = z->made, had_in;
		ssize_t n = 1;

		if (z->input.pos == z->input.len)
			n = input_more(&z->input, e);
		if (n < 0)
			return -1;
		had_in = z->input.pos;
		if (n == 0 && !is_inside(z)) {
			z->blob_end = true;
			return 0;
		}
		if (inflate_step(z, e) < 0)
			return -1;
		/* A decoder may hold output back for which there was no room. So at the blob's end it is called until
		 * it gives no more. */
		if (n == 0 && z->made == had_out && z->input.pos == had_in && is_inside(z))
			return inflate_damaged(z, e, "%s: the stream ends early", format_names[z->format]);
	}
	return 0;
}

/* ahead_fill(): all that touches the blob is done here. */
static ssize_t inflate_make(void *arg, uint8_t *to, size_t room, struct err *e)
{
	struct inflate *z = arg;

	if (z->blob_end)
		return 0;
	if (z->format == FORMAT_UNKNOWN && choose_format(z, e) < 0)
		return -1;
	z->to = to;
	z->room = room;
	if (inflate_fill(z, e) < 0)
		return -1;
	z->total += z->made;
	if (z->sha)
		digest_update(z->sha, to, z->made);
	if (z->total > z->spec.max_bytes)
		return err_set(e, ERR_RESOURCE_EXHAUSTED,
			       "the layer unpacks to more than %" PRIu64 " bytes (images.max_layer_bytes)",
			       z->spec.max_bytes);
	return (ssize_t)z->made;
}

/* The thread takes what CPU time is left over: pods start as fast as without it. */
static int inflate_seal(struct err *e)
{
	enum { NICE = 15 };

	if (setpriority(PRIO_PROCESS, 0, NICE) < 0) /* of this thread */
		return err_os(e, ERR_INTERNAL, "setpriority");
	return confine_thread(e);
}

int inflate_ahead(struct inflate *z, struct err *e)
{
	z->ahead = ahead_start(PLAIN_BYTES, inflate_seal, inflate_make, z, e);
	return z->ahead ? 0 : -1;
}

ssize_t inflate_peek(struct inflate *z, const uint8_t **p, struct err *e)
{
	if (z->pos == z->len) {
		ssize_t n = 0;

		if (!z->end && z->ahead)
			n = ahead_next(z->ahead, &z->out, e);
		else if (!z->end)
			n = inflate_make(z, z->own, PLAIN_BYTES, e);
		if (n < 0)
			return -1;
		if (!z->ahead)
			z->out = z->own;
		z->end = n == 0;
		z->pos = 0;
		z->len = (size_t)n;
	}
	*p = z->out + z->pos;
	return (ssize_t)(z->len - z->pos);
}

void inflate_skip(struct inflate *z, size_t n)
{
	assert(n <= z->len - z->pos);
	z->pos += n;
}

int inflate_verify(struct inflate *z, struct err *e)
{
	const char *diff_id = z->spec.diff_id, *plain = z->spec.digest;
	char got[DIGEST_SIZE];

	inflate_stop(z);
	if (input_verify(&z->input, z->spec.digest, e) < 0)
		return -1;
	if (!plain)
		return 0;
	if (z->sha) {
		digest_final(take_ptr(&z->sha), got);
		plain = got;
	}
	if (strcmp(plain, diff_id) != 0)
		return err_set(e, ERR_DATA_LOSS, "the layer's diff_id is %.19s.., the image's config says %.19s..",
			       plain, diff_id);
	return 0;
}

void inflate_blame(struct inflate *z, struct err *e)
{
	struct err why, seen = *e;

	if (z->damaged && z->spec.digest)
		inflate_stop(z);
	if (z->damaged && z->spec.digest && input_verify(&z->input, z->spec.digest, &why) < 0)
		err_set(e, why.code, "%s (%.300s)", why.msg, seen.msg);
}
