/* table.c - see table.h. */
#include "handlers/cli/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reactor/list.h"
#include "reactor/loop.h"

enum { COLUMNS_MAX = 12, GAP = 3 };

struct row {
	struct link link;
	const char *cells[COLUMNS_MAX];
};

struct cli_table {
	struct arena *arena;
	size_t columns;
	size_t width[COLUMNS_MAX];
	struct link rows; /* of struct row.link; the first is the headings */
};

/* Width on a terminal, counted in code points: right for ids and names, which have no wide and no combining characters.
 */
static size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static const char *cell_text(struct arena *a, const char *s)
{
	char *copy = arena_strdup(a, s);

	for (char *c = copy; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	return copy;
}

static struct row *add_row(struct cli_table *t)
{
	struct row *r = arena_zalloc(t->arena, sizeof(*r));

	list_append(&t->rows, &r->link);
	return r;
}

static void add_cell(struct cli_table *t, struct row *r, size_t column, const char *text)
{
	assert(column < COLUMNS_MAX);
	r->cells[column] = cell_text(t->arena, *text ? text : "-");
	if (text_width(r->cells[column]) > t->width[column])
		t->width[column] = text_width(r->cells[column]);
}

struct cli_table *cli_table_new(struct arena *a, ...)
{
	struct cli_table *t = arena_zalloc(a, sizeof(*t));
	struct row *r;
	const char *text;
	va_list ap;

	t->arena = a;
	list_init(&t->rows);
	r = add_row(t);
	va_start(ap, a);
	while ((text = va_arg(ap, const char *)))
		add_cell(t, r, t->columns++, text);
	va_end(ap);
	return t;
}

void cli_table_row(struct cli_table *t, ...)
{
	struct row *r = add_row(t);
	va_list ap;

	va_start(ap, t);
	for (size_t i = 0; i < t->columns; i++)
		add_cell(t, r, i, va_arg(ap, const char *));
	va_end(ap);
}

static const char *colour_of(const char *state)
{
	if (strcmp(state, "running") == 0 || strcmp(state, "ready") == 0)
		return "\033[32m";
	if (strcmp(state, "unknown") == 0)
		return "\033[33m";
	return "\033[2m";
}

void cli_table_print(const struct cli_table *t, FILE *to)
{
	const struct row *head = container_of(list_first(&t->rows), struct row, link);
	bool colours = isatty(fileno(to)) && !getenv("NO_COLOR");

	list_each(l, &t->rows) {
		const struct row *r = container_of(l, struct row, link);

		for (size_t i = 0; i < t->columns; i++) {
			bool last = i + 1 == t->columns,
			     colour = colours && r != head && strcmp(head->cells[i], "STATE") == 0;

			fprintf(to, "%s%s%s", colour ? colour_of(r->cells[i]) : "", r->cells[i],
				colour ? "\033[0m" : "");
			fprintf(to, "%*s", last ? 0 : (int)(t->width[i] - text_width(r->cells[i]) + GAP), "");
		}
		fputc('\n', to);
	}
}

const char *cli_table_id(struct arena *a, const char *id)
{
	return arena_strndup(a, strncmp(id, "sha256:", 7) == 0 ? id + 7 : id, CLI_SHORT_ID);
}

const char *cli_table_age(struct arena *a, int64_t at_ns)
{
	int64_t s = (loop_real_ns() - at_ns) / 1000000000;

	if (at_ns <= 0)
		return "-";
	if (s < 120)
		return arena_printf(a, "%llds", (long long)(s < 0 ? 0 : s));
	if (s < 120 * 60)
		return arena_printf(a, "%lldm", (long long)(s / 60));
	if (s < 48 * 3600)
		return arena_printf(a, "%lldh", (long long)(s / 3600));
	return arena_printf(a, "%lldd", (long long)(s / 86400));
}

const char *cli_table_size(struct arena *a, uint64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
	double v = (double)bytes / 1000;
	size_t i = 0;

	if (bytes < 1000)
		return arena_printf(a, "%llu B", (unsigned long long)bytes);
	for (; v >= 999.5 && i + 1 < sizeof(units) / sizeof(*units); i++)
		v /= 1000;
	return arena_printf(a, v < 9.95 ? "%.1f %s" : "%.0f %s", v, units[i]);
}
