/* buf.c - see buf.h. Unread bytes move to the front only when there is no room left behind them. */
#include "reactor/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reactor/own.h"

void buf_free(struct buf *b)
{
	if (b->at)
		free(b->at - b->head);
	*b = (struct buf){ 0 };
}

void *buf_room(struct buf *b, size_t n)
{
	uint8_t *base = b->at ? b->at - b->head : NULL;
	size_t want = b->len + n;

	if (b->head + want <= b->size)
		return b->at + b->len;
	if (b->head && want <= b->size) {
		memmove(base, b->at, b->len);
	} else {
		size_t size = b->size ? b->size : 256;

		while (size < want)
			size *= 2;
		if (b->head)
			memmove(base, b->at, b->len);
		base = own_must(realloc(base, size));
		b->size = size;
	}
	b->at = base;
	b->head = 0;
	return b->at + b->len;
}

void buf_added(struct buf *b, size_t n)
{
	b->len += n;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
	if (!n)
		return;
	memcpy(buf_room(b, n), p, n);
	b->len += n;
}

void buf_puts(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	va_start(ap, fmt);
	vsnprintf(buf_room(b, (size_t)n + 1), (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void buf_consume(struct buf *b, size_t n)
{
	b->len -= n;
	if (b->len == 0) {
		buf_free(b);
		return;
	}
	b->at += n;
	b->head += n;
}

const char *buf_str(struct buf *b)
{
	*(char *)buf_room(b, 1) = '\0';
	return (const char *)b->at;
}

ssize_t buf_read(struct buf *b, int fd, size_t max)
{
	ssize_t n = read(fd, buf_room(b, max), max);

	if (n > 0)
		b->len += (size_t)n;
	return n;
}

ssize_t buf_write(struct buf *b, int fd)
{
	ssize_t n = write(fd, b->at, b->len);

	if (n > 0)
		buf_consume(b, (size_t)n);
	return n;
}
