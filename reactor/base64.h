/* base64.h - reads base64. Spec: RFC 4648, section 4. */
#ifndef REACTOR_BASE64_H
#define REACTOR_BASE64_H

#include <stddef.h>
#include <sys/types.h>

/* Decodes len bytes of text, with their padding; blanks and newlines around it are left out. `out` has room for
 * len / 4 * 3 bytes, which may all be written. Returns the number of bytes without those of the padding; -1: it is no
 * base64. */
ssize_t base64_decode(void *out, const char *text, size_t len);

#endif
