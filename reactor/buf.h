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
void buf_free(struct buf *buf); /* leaves it empty and usable */
void buf_append(struct buf *buf, const void *bytes, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Room for len bytes at the end: the caller fills it and confirms by buf_added(). The pointer is valid until the next
 * call. */
void *buf_room(struct buf *buf, size_t len);
void buf_added(struct buf *buf, size_t len);

void buf_consume(struct buf *buf, size_t len); /* at most buf->len; an empty buf holds no memory */

/* A NUL-terminated view of the content (which may itself hold NULs); valid until the next call. */
const char *buf_str(struct buf *buf);

/* One read(2) of at most `max` bytes appended. As read(2): 0 is end of file, -1 with errno. */
ssize_t buf_read(struct buf *buf, int fd, size_t max);

/* One write(2); what was written is consumed. As write(2). */
ssize_t buf_write(struct buf *buf, int fd);

#endif
