/* shift.c - see shift.h. */
#include "images/unpack/shift.h"

#include <stdbool.h>
#include <stdio.h>

int shift_parse(const char *text, struct shift *out, struct err *e)
{
	out->n = 0;
	while (text && *text) {
		unsigned inside, outside, count;
		int used = 0;

		if (out->n == SHIFT_RANGES_MAX || sscanf(text, "%u %u %u%n", &inside, &outside, &count, &used) != 3 ||
		    (text[used] && text[used] != '\n') || count == 0)
			return err_set(e, ERR_INVALID_ARGUMENT, "id mappings that are none");
		out->at[out->n].inside = inside;
		out->at[out->n].outside = outside;
		out->at[out->n++].count = count;
		text += used + (text[used] == '\n');
	}
	return 0;
}

static bool shift_find(const struct shift *s, uint32_t id, uint32_t *out)
{
	for (size_t i = 0; i < s->n; i++)
		if (id >= s->at[i].inside && id - s->at[i].inside < s->at[i].count) {
			*out = s->at[i].outside + (id - s->at[i].inside);
			return true;
		}
	return false;
}

uint32_t shift_id(const struct shift *s, uint32_t id)
{
	uint32_t to = id;

	if (s->n > 0 && !shift_find(s, id, &to) && !shift_find(s, 0, &to))
		to = s->at[0].outside;
	return to;
}
