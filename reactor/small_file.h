/* small_file.h - a file that somebody else wrote, whole: small enough to be read at once, or refused. */
#ifndef REACTOR_SMALL_FILE_H
#define REACTOR_SMALL_FILE_H

#include <stddef.h>

#include "reactor/err.h"

/* Owned by the caller, with a NUL behind it; *len_bytes without that. NULL, with `code` and the path in e: it cannot be
 * read, is no regular file (a FIFO of that name does not stop the loop), or has more than max_bytes. */
char *small_file_read(const char *path, size_t max_bytes, size_t *len_bytes, enum err_code code, struct err *e);

#endif
