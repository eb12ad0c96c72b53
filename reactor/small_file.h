/* small_file.h - reads a whole file of another program, of which one over a limit is refused; replaces a file. */
#ifndef REACTOR_SMALL_FILE_H
#define REACTOR_SMALL_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "reactor/err.h"

/* The text is owned by the caller and has a NUL behind it, which *len_bytes does not count. NULL, with `code` and the
 * path in e: the file cannot be read, is no regular file (so that a FIFO of that name does not block the loop), or has
 * more than max_bytes. */
char *small_file_read(const char *path, size_t max_bytes, size_t *len_bytes, enum err_code code, struct err *e);

/* The same from a borrowed fd; path is for the words. */
char *small_file_read_fd(int fd, const char *path, size_t max_bytes, size_t *len_bytes, enum err_code code,
			 struct err *e);

/* As read(2) of a file, but until its end or `max` bytes: before a page that the disk does not give, one read(2)
 * returns what it has, and the next one tells the error. -1: errno. */
ssize_t small_file_bytes(int fd, char *to, size_t max);

/* The file at `path` becomes one with this text and mode 0600, by a rename of path.tmp: whoever reads it, also after a
 * kill, finds the text of before or this one. What has the name path.tmp goes first, a FIFO or a link too; a directory
 * only if it is empty. -1, with `code` and the path that it is about in e. */
int small_file_put(const char *path, const char *text, size_t len_bytes, enum err_code code, struct err *e);

#endif
