/* err.c - see err.h. Nothing here allocates: an error must survive an empty heap. */
#include "reactor/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	e->code = code;
	e->reason = NULL;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return -1;
}

static bool used_up(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE || error == ENOMEM;
}

int err_os(struct err *e, enum err_code code, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	size_t used;

	e->code = code;
	if ((code == ERR_INTERNAL || code == ERR_INVALID_ARGUMENT) && used_up(saved))
		e->code = ERR_RESOURCE_EXHAUSTED;
	e->reason = NULL;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	used = strlen(e->msg);
	snprintf(e->msg + used, sizeof(e->msg) - used, ": %s", strerror(saved));
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char outer[sizeof(e->msg)];
	size_t inner_len = strlen(e->msg);
	va_list ap;
	int outer_len;

	va_start(ap, fmt);
	outer_len = vsnprintf(outer, sizeof(outer), fmt, ap);
	va_end(ap);
	if (outer_len < 0 || (size_t)outer_len >= sizeof(outer) || (size_t)outer_len + 2 + inner_len >= sizeof(e->msg))
		return -1; /* both do not fit: the context goes, never the cause */
	memmove(e->msg + outer_len + 2, e->msg, inner_len + 1);
	memcpy(e->msg, outer, (size_t)outer_len);
	memcpy(e->msg + outer_len, ": ", 2);
	return -1;
}

const char *err_name(enum err_code code)
{
	switch (code) {
#define X(name, value) case ERR_##name: return #name;
	ERR_CODES(X)
#undef X
	}
	return "?";
}
