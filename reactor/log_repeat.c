/* log_repeat.c - see log_repeat.h. The lines are known by a hash; the table is small, and a line that came long ago
 * gives its place to a new one. */
#include "reactor/log_repeat.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "reactor/log_field.h"

enum { LINES = 64, SHOWN = 160 };

static struct repeat {
	uint64_t key; /* 0: free */
	int64_t begun_ms;
	unsigned written, left_out;
	char shown[SHOWN];
} lines[LINES];

/* Spec: FNV-1a. Whoever makes two lines collide hides some of his own. */
static uint64_t hash_bytes(uint64_t hash, const char *at, size_t n, bool digits)
{
	for (size_t i = 0; i < n; i++)
		if (digits || !isdigit((unsigned char)at[i]))
			hash = (hash ^ (unsigned char)at[i]) * 0x100000001b3;
	return hash;
}

static bool key_ends(const struct log_field *f, const char *with)
{
	size_t n = strlen(with);

	return f->key_len >= n && memcmp(f->key + f->key_len - n, with, n) == 0;
}

static bool tells_only_a_number(const struct log_field *f)
{
	static const char *const ends[] = { "_ms", "_us", "bytes", "pid", "port", "queued", "inodes", "stuck" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (key_ends(f, ends[i]))
			return true;
	return false;
}

static bool is_prose(const struct log_field *f)
{
	return log_field_is(f, "error") || log_field_is(f, "why") || log_field_is(f, "stderr");
}

static uint64_t key_of(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;
	struct log_field f;

	while (log_field_next(&text, &f)) {
		if (f.key && tells_only_a_number(&f))
			continue;
		hash = hash_bytes(hash, f.key ? f.key : " ", f.key ? f.key_len : 1, true);
		hash = hash_bytes(hash, f.value, f.value_len, !(f.key && is_prose(&f)));
	}
	return hash ? hash : 1;
}

static void show_start(char out[SHOWN], const char *text)
{
	const char *at = text, *end = text;
	struct log_field f;

	while (log_field_next(&at, &f) && !(f.key && is_prose(&f)) && at - text < SHOWN)
		end = at;
	snprintf(out, SHOWN, "%.*s", (int)(end - text), text);
}

/* The place of this line: its own, a free one, or the oldest one of which nothing has to be told. */
static struct repeat *place_of(uint64_t key)
{
	struct repeat *best = &lines[0];

	for (struct repeat *r = lines; r < lines + LINES; r++) {
		bool worse = best->key && best->left_out;

		if (r->key == key)
			return r;
		if (!best->key)
			continue;
		if (!r->key || (worse && !r->left_out) || (worse == (r->left_out > 0) && r->begun_ms < best->begun_ms))
			best = r;
	}
	return best;
}

bool log_repeat_passes(const char *text, int64_t now_ms, unsigned *left_out)
{
	uint64_t key = key_of(text);
	struct repeat *r = place_of(key);

	*left_out = 0;
	if (r->key != key) {
		*r = (struct repeat){ .key = key, .begun_ms = now_ms };
		show_start(r->shown, text);
	} else if (now_ms - r->begun_ms >= LOG_REPEAT_MS) {
		*left_out = r->left_out;
		r->begun_ms = now_ms;
		r->written = r->left_out = 0;
	}
	if (r->written == LOG_REPEAT_MAX) {
		r->left_out++;
		return false;
	}
	r->written++;
	return true;
}

bool log_repeat_over(int64_t now_ms, void (*fn)(const char *line, unsigned left_out))
{
	bool more = false;

	for (struct repeat *r = lines; r < lines + LINES; r++) {
		if (!r->left_out)
			continue;
		if (now_ms - r->begun_ms < LOG_REPEAT_MS) {
			more = true;
			continue;
		}
		fn(r->shown, r->left_out);
		*r = (struct repeat){ 0 };
	}
	return more;
}
