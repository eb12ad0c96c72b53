/* print.c - see probe.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/oracle/probe.h"

static void put_clean(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c < ' ' || *c >= 0x7f || *c == '\\')
			printf("\\x%02x", *c);
		else
			putchar(*c);
	}
}

void say(const char *key, const char *fmt, ...)
{
	char *value;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&value, fmt, ap) < 0)
		abort();
	va_end(ap);
	put_clean(key);
	putchar('\t');
	put_clean(value);
	putchar('\n');
	free(value);
}

const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "?";
}

void say_errno(const char *key, int error)
{
	say(key, "%s", error ? error_name(error) : "ok");
}

ssize_t slurp(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), saved;
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -1;
	while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	saved = errno;
	close(fd);
	text[len] = '\0';
	errno = saved;
	return n < 0 ? -1 : (ssize_t)len;
}
