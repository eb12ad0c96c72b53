/* ws.c - see ws.h. Payload of messages passes through; only control frames (at most 125 bytes) are gathered. */
#include "reactor/ws.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { FIN = 0x80, RESERVED = 0x70, MASKED = 0x80, LEN16 = 126, LEN64 = 127, MASK_SIZE = 4 };

void ws_reader_stop(struct ws_reader *r)
{
	r->stopped = true;
}

static bool is_control(enum ws_opcode o)
{
	return o >= WS_CLOSE;
}

static size_t head_size(const struct ws_reader *r)
{
	unsigned len;

	if (r->have < 2)
		return 2;
	len = r->head[1] & ~MASKED;
	return 2 + (len == LEN16 ? 2 : len == LEN64 ? 8 : 0) + MASK_SIZE;
}

static uint64_t get_be(const uint8_t *at, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *at++;
	return v;
}

static int check_first_two(const struct ws_reader *r, struct err *e)
{
	unsigned opcode = r->head[0] & 15, len = r->head[1] & ~MASKED;

	if (r->head[0] & RESERVED)
		return err_set(e, ERR_INVALID_ARGUMENT, "websocket: an extension that was not agreed on");
	if (!(r->head[1] & MASKED))
		return err_set(e, ERR_INVALID_ARGUMENT, "websocket: a frame without a mask");
	if (opcode > WS_PONG || (opcode > WS_BINARY && opcode < WS_CLOSE))
		return err_set(e, ERR_INVALID_ARGUMENT, "websocket: opcode %u", opcode);
	if (opcode >= WS_CLOSE && (len > WS_CONTROL_MAX || !(r->head[0] & FIN)))
		return err_set(e, ERR_INVALID_ARGUMENT, "websocket: a control frame that is too long or in pieces");
	if (opcode == WS_CONTINUATION && !r->message)
		return err_set(e, ERR_INVALID_ARGUMENT, "websocket: a continuation without a message");
	if ((opcode == WS_TEXT || opcode == WS_BINARY) && r->message)
		return err_set(e, ERR_INVALID_ARGUMENT, "websocket: a message inside another one");
	return 0;
}

static int on_ws_head(struct ws_reader *r, struct err *e)
{
	unsigned len = r->head[1] & ~MASKED;

	r->frame = (enum ws_opcode)(r->head[0] & 15);
	r->fin = r->head[0] & FIN;
	r->left = len == LEN16 ? get_be(r->head + 2, 2) : len == LEN64 ? get_be(r->head + 2, 8) : len;
	if (r->left >> 63)
		return err_set(e, ERR_INVALID_ARGUMENT, "websocket: a frame of over 2^63 bytes");
	memmove(r->head, r->head + r->have - MASK_SIZE, MASK_SIZE); /* of the head only the mask is still needed */
	r->have = 0;
	r->at = 0;
	r->in_payload = true;
	if (!is_control(r->frame) && r->frame != WS_CONTINUATION) {
		r->message = r->frame;
		r->begun = false;
	}
	return 0;
}

static size_t ws_take_head(struct ws_reader *r, const uint8_t *p, size_t n, struct err *e, int *rc)
{
	size_t want = head_size(r) - r->have;

	if (n > want)
		n = want;
	memcpy(r->head + r->have, p, n);
	r->have += n;
	if (r->have == 2)
		*rc = check_first_two(r, e);
	else if (r->have > 2 && r->have == head_size(r))
		*rc = on_ws_head(r, e);
	return n;
}

static void unmask(const struct ws_reader *r, uint8_t *p, size_t n)
{
	uint8_t turned[8];
	uint64_t mask, word;
	size_t i = 0;

	for (; i < 8; i++)
		turned[i] = r->head[(r->at + i) % MASK_SIZE];
	memcpy(&mask, turned, 8);
	for (i = 0; i + 8 <= n; i += 8) {
		memcpy(&word, p + i, 8);
		word ^= mask;
		memcpy(p + i, &word, 8);
	}
	for (; i < n; i++)
		p[i] ^= turned[i % 8];
}

static size_t ws_take_payload(struct ws_reader *r, uint8_t *p, size_t n, ws_on_piece *fn, void *arg)
{
	struct ws_piece piece = { .opcode = is_control(r->frame) ? r->frame : r->message,
				  .first = !r->begun,
				  .data = p };
	bool whole;

	if (n > r->left)
		n = (size_t)r->left;
	whole = n == r->left;
	unmask(r, p, n);
	piece.len = n;
	if (is_control(r->frame)) {
		memcpy(r->control + r->at, p, n);
		piece = (struct ws_piece){ r->frame, true, true, r->control, (size_t)r->at + n };
	} else {
		piece.last = whole && r->fin;
		r->begun = true;
		r->message = piece.last ? 0 : r->message;
	}
	r->at += n;
	r->left -= n;
	r->in_payload = !whole;
	if (whole || !is_control(piece.opcode))
		fn(arg, &piece);
	return n;
}

int ws_read(struct ws_reader *r, uint8_t *p, size_t n, ws_on_piece *fn, void *arg, struct err *e)
{
	int rc = 0;

	/* An empty payload is complete without a further byte. */
	while ((n || (r->in_payload && !r->left)) && !r->stopped && rc == 0) {
		size_t took = r->in_payload ? ws_take_payload(r, p, n, fn, arg) : ws_take_head(r, p, n, e, &rc);

		p += took;
		n -= took;
	}
	if (rc < 0)
		r->stopped = true;
	return rc;
}

static void ws_put_head(struct buf *out, enum ws_opcode opcode, size_t n)
{
	uint8_t head[10] = { (uint8_t)(FIN | opcode) };
	size_t size = n < LEN16 ? 0 : n <= UINT16_MAX ? 2 : 8;

	head[1] = (uint8_t)(size == 0 ? n : size == 2 ? LEN16 : LEN64);
	for (size_t i = 0; i < size; i++)
		head[2 + i] = (uint8_t)((uint64_t)n >> 8 * (size - 1 - i));
	buf_append(out, head, 2 + size);
}

void ws_put(struct buf *out, enum ws_opcode opcode, const void *p, size_t n)
{
	ws_put_head(out, opcode, n);
	buf_append(out, p, n);
}

void ws_put_close(struct buf *out, enum ws_close code, const char *reason)
{
	size_t len = strnlen(reason, WS_CONTROL_MAX - 2);
	uint8_t number[2] = { (uint8_t)(code >> 8), (uint8_t)code };

	ws_put_head(out, WS_CLOSE, 2 + len);
	buf_append(out, number, 2);
	buf_append(out, reason, len);
}

void ws_accept_key(const char *key, char out[WS_ACCEPT_SIZE])
{
	unsigned char sha1[EVP_MAX_MD_SIZE];
	char text[256];
	unsigned n = 0;

	snprintf(text, sizeof(text), "%.128s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	EVP_Digest(text, strlen(text), sha1, &n, EVP_sha1(), NULL);
	EVP_EncodeBlock((unsigned char *)out, sha1, (int)n);
}
