/* buf.h - a growing run of bytes: append at the end, consume at the front. */
#ifndef REACTOR_BUF_H
#define REACTOR_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf {
	uint8_t *at; /* first unread byte; may be NULL when len is 0 */
	size_t len;  /* unread bytes */
	size_t head, size; /* private: consumed bytes before `at`, size of the allocation */
};

/* A zeroed buf is valid and empty. */
void buf_free(struct buf *b); /* leaves it empty and usable */
void buf_append(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Room for n bytes at the end, to be filled and then confirmed by buf_added(). The pointer dies with the next call. */
void *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);

void buf_consume(struct buf *b, size_t n); /* n <= len; memory is given back when the buf becomes empty */

/* A NUL-terminated view of the content (which may itself hold NULs); valid until the next call. */
const char *buf_str(struct buf *b);

/* One read(2) of at most `max` bytes appended. As read(2): 0 is end of file, -1 with errno. */
ssize_t buf_read(struct buf *b, int fd, size_t max);

/* One write(2); what was written is consumed. As write(2). */
ssize_t buf_write(struct buf *b, int fd);

#endif
