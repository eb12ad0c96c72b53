/* http_path.c - see http_path.h. */
#include "reactor/http_path.h"

#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A "%" without two digits behind it stays as it is. */
static bool decode(char *path)
{
	char *to = path;

	for (const char *at = path; *at; at++) {
		int high = *at == '%' ? hex_digit(at[1]) : -1, low = high >= 0 ? hex_digit(at[2]) : -1;

		*to++ = low < 0 ? *at : (char)(high * 16 + low);
		if (low < 0)
			continue;
		if (!to[-1])
			return false;
		at += 2;
	}
	*to = '\0';
	return true;
}

/* path begins with "/". "..": the segment before it goes too; there is nothing above the root. */
static void remove_dot_segments(char *path)
{
	char *to = path;

	for (const char *at = path; *at;) {
		size_t len = 1 + strcspn(at + 1, "/");
		bool one = len == 2 && at[1] == '.', two = len == 3 && at[1] == '.' && at[2] == '.', last = !at[len];

		if (two)
			while (to > path && *--to != '/')
				;
		if (!one && !two) {
			memmove(to, at, len);
			to += len;
		} else if (last) {
			*to++ = '/';
		}
		at += len;
	}
	*to = '\0';
}

bool http_path_of(char *target)
{
	const char *path = target;

	if (strncasecmp(path, "http://", 7) == 0 || strncasecmp(path, "https://", 8) == 0) {
		path = strstr(path, "://") + 3;
		path += strcspn(path, "/?");
		if (*path != '/')
			path = "/";
	}
	if (*path != '/')
		return false;
	memmove(target, path, strlen(path) + 1);
	target[strcspn(target, "?#")] = '\0';
	if (!decode(target))
		return false;
	remove_dot_segments(target);
	return true;
}
