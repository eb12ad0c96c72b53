/* utf8.h - is this UTF-8? As RFC 3629 says it: no overlong form, no surrogate, nothing above U+10FFFF. */
#ifndef REACTOR_UTF8_H
#define REACTOR_UTF8_H

#include <stdbool.h>
#include <stddef.h>

size_t utf8_char(const char *text, size_t len); /* bytes of the character at `text`; 0: no valid one in len bytes */
bool utf8_valid(const char *text, size_t len);

#endif
