/* findings.c - see findings.h. */
#include "procs/net/findings.h"

#include <stdarg.h>
#include <string.h>

#include "reactor/own.h"

struct findings *findings_new(void)
{
	struct findings *f = new_zero(struct findings);

	f->arena = arena_new();
	f->at = arena_zalloc(f->arena, (2 * FINDINGS_MAX + 3) * sizeof(*f->at));
	return f;
}

void findings_free(struct findings *f)
{
	arena_free(f->arena);
	free(f);
}

void finding(struct findings *f, bool mended, const char *fmt, ...)
{
	va_list ap;

	if (f->n == FINDINGS_MAX) {
		f->more++;
		return;
	}
	va_start(ap, fmt);
	f->at[2 * f->n] = mended ? "mended" : "left";
	f->at[2 * f->n + 1] = arena_vprintf(f->arena, fmt, ap);
	va_end(ap);
	f->n++;
}

bool findings_have(const struct findings *f, const char *sentence)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->at[2 * i + 1], sentence) == 0)
			return true;
	return false;
}

const char *const *findings_text(struct findings *f)
{
	if (f->more && !f->at[2 * f->n]) {
		f->at[2 * f->n] = "left";
		f->at[2 * f->n + 1] = arena_printf(f->arena, "%zu more are not named", f->more);
	}
	return (const char *const *)f->at;
}
