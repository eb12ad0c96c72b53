/* passwd.c - see user.h. */
#include <string.h>

#include "procs/spec/user.h"

enum { FIELDS = 8 }; /* passwd has 7 fields; text behind them is not split */

/* Cuts the next piece up to `sep` off *rest. false: *rest was empty. */
static bool span_cut(struct span *rest, char sep, struct span *piece)
{
	const char *end;

	if (!rest->at)
		return false;
	end = memchr(rest->at, sep, rest->len);
	piece->at = rest->at;
	piece->len = end ? (size_t)(end - rest->at) : rest->len;
	*rest = end ? (struct span){ end + 1, rest->len - piece->len - 1 } : (struct span){ NULL, 0 };
	return true;
}

static size_t span_split(struct span line, struct span *fields)
{
	size_t n = 0;

	while (n < FIELDS && span_cut(&line, ':', &fields[n]))
		n++;
	return n;
}

static bool span_same(struct span x, struct span y)
{
	return x.len == y.len && (x.len == 0 || memcmp(x.at, y.at, x.len) == 0);
}

bool id_parse(struct span s, int64_t *out)
{
	int64_t v = 0;

	if (s.len == 0 || s.len > 10)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		v = v * 10 + (s.at[i] - '0');
	}
	if (v >= UINT32_MAX) /* (uid_t)-1 means "leave as it is" to the kernel */
		return false;
	*out = v;
	return true;
}

bool id_is_number(struct span s)
{
	size_t i = s.len > 0 && (s.at[0] == '-' || s.at[0] == '+');

	if (i == s.len)
		return false;
	for (; i < s.len; i++)
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
	return true;
}

static bool passwd_line(struct span line, struct passwd_entry *out)
{
	struct span f[FIELDS];
	size_t n = span_split(line, f);

	if (n < 4 || f[0].len == 0 || f[0].at[0] == '#')
		return false;
	out->name = f[0];
	out->home = n > 5 ? f[5] : (struct span){ "", 0 };
	return id_parse(f[2], &out->uid) && id_parse(f[3], &out->gid);
}

bool passwd_by_name(struct span text, struct span name, struct passwd_entry *out)
{
	struct span line;

	while (span_cut(&text, '\n', &line))
		if (passwd_line(line, out) && span_same(out->name, name))
			return true;
	return false;
}

bool passwd_by_uid(struct span text, int64_t uid, struct passwd_entry *out)
{
	struct span line;

	while (span_cut(&text, '\n', &line))
		if (passwd_line(line, out) && out->uid == uid)
			return true;
	return false;
}

static bool group_line(struct span line, struct span *name, int64_t *gid, struct span *members)
{
	struct span f[FIELDS];
	size_t n = span_split(line, f);

	if (n < 3 || f[0].len == 0 || f[0].at[0] == '#')
		return false;
	*name = f[0];
	*members = n > 3 ? f[3] : (struct span){ NULL, 0 };
	return id_parse(f[2], gid);
}

bool group_by_name(struct span text, struct span name, int64_t *gid)
{
	struct span line, found, members;

	while (span_cut(&text, '\n', &line))
		if (group_line(line, &found, gid, &members) && span_same(found, name))
			return true;
	return false;
}

static bool lists(struct span members, struct span user)
{
	struct span one;

	while (span_cut(&members, ',', &one))
		if (span_same(one, user))
			return true;
	return false;
}

size_t group_memberships(struct span text, struct span user, int64_t *gids, size_t max)
{
	struct span line, name, members;
	size_t n = 0;
	int64_t gid;

	while (span_cut(&text, '\n', &line)) {
		if (!group_line(line, &name, &gid, &members) || span_same(name, user) || !lists(members, user))
			continue;
		if (n < max)
			gids[n] = gid;
		n++;
	}
	return n;
}
