/* url.c - see url.h. */
#include "images/registry/url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bool url_is_https(const char *url)
{
	return strncasecmp(url, "https://", 8) == 0;
}

static bool is_ours(const char *url)
{
	return url_is_https(url) || strncasecmp(url, "http://", 7) == 0;
}

/* Where the authority begins; the URL must be is_ours(). */
static const char *authority(const char *url)
{
	return strstr(url, "://") + 3;
}

static size_t authority_len(const char *at)
{
	return strcspn(at, "/?#");
}

char *url_host(const char *url, struct arena *a)
{
	const char *at = authority(url);
	char *host = arena_strndup(a, at, authority_len(at)), *user = strrchr(host, '@');

	return user ? user + 1 : host;
}

char *url_no_query(const char *url, struct arena *a)
{
	const char *at = authority(url), *path = at + authority_len(at);

	return arena_printf(
		a, "%.*s://%s%.*s", (int)(at - 3 - url), url, url_host(url, a), (int)strcspn(path, "?#"), path);
}

/* Host and port with the scheme's default port left out, in lower case. */
static void origin(const char *url, char *out, size_t size)
{
	const char *at = authority(url), *user;
	size_t n = authority_len(at);
	const char *port = url_is_https(url) ? ":443" : ":80";

	user = memrchr(at, '@', n);
	if (user) {
		n -= (size_t)(user + 1 - at);
		at = user + 1;
	}
	if (n >= strlen(port) && strncmp(at + n - strlen(port), port, strlen(port)) == 0)
		n -= strlen(port);
	snprintf(out, size, "%s%.*s", url_is_https(url) ? "s" : "p", (int)n, at);
	for (char *c = out; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

bool url_same_origin(const char *x, const char *y)
{
	char ox[512], oy[512];

	origin(x, ox, sizeof(ox));
	origin(y, oy, sizeof(oy));
	return strlen(ox) + 1 < sizeof(ox) && strcmp(ox, oy) == 0;
}

/* The length of host:port without the port. */
static size_t name_len(const char *host)
{
	return *host == '[' ? strcspn(host, "]") : strcspn(host, ":");
}

bool url_same_name(const char *x, const char *y)
{
	const char *hx = authority(x), *hy = authority(y), *user;
	size_t nx = authority_len(hx), ny = authority_len(hy);

	user = memrchr(hx, '@', nx);
	hx = user ? user + 1 : hx;
	user = memrchr(hy, '@', ny);
	hy = user ? user + 1 : hy;
	nx = name_len(hx) < authority_len(hx) ? name_len(hx) : authority_len(hx);
	ny = name_len(hy) < authority_len(hy) ? name_len(hy) : authority_len(hy);
	return nx == ny && strncasecmp(hx, hy, nx) == 0;
}

static bool is_clean(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return true;
}

/* Drops "." and ".." segments from the path that begins at `path`, in place (section 5.2.4). */
static char *without_dots(char *url, char *path)
{
	char *to = path, *end = path + strcspn(path, "?#");

	for (char *from = path, *next; from < end; from = next) {
		size_t n = 1 + strcspn(from + 1, "/?#");
		bool up = n == 3 && strncmp(from, "/..", n) == 0, dots = up || (n == 2 && from[1] == '.');

		next = from + n;
		while (up && to > path && *--to != '/')
			;
		if (!dots)
			memmove(to, from, n);
		/* Behind a last segment of dots the slash stays. */
		to += !dots ? n : next == end ? 1 : 0;
		if (dots && next == end)
			to[-1] = '/';
	}
	memmove(to, end, strlen(end) + 1);
	return url;
}

char *url_resolve(const char *base, const char *location, struct arena *a)
{
	const char *at = authority(base), *path = at + authority_len(at), *slash = path;
	char *url;

	if (!is_clean(location) || !*location)
		return NULL;
	if (is_ours(location))
		return authority_len(authority(location)) ? arena_strdup(a, location) : NULL;
	if (strncmp(location, "//", 2) == 0)
		return authority_len(location + 2) ? arena_printf(a, "%.*s:%s", (int)(at - 3 - base), base, location)
						   : NULL;
	if (*location == '/') {
		url = arena_printf(a, "%.*s%s", (int)(path - base), base, location);
		return without_dots(url, url + (path - base));
	}
	if (strcspn(location, ":") < strcspn(location, "/?#"))
		return NULL; /* another scheme */
	for (size_t i = 0, n = strcspn(path, "?#"); i < n; i++)
		if (path[i] == '/')
			slash = path + i;
	url = arena_printf(a, "%.*s/%s", (int)(slash - base), base, location);
	return without_dots(url, url + (path - base));
}

char *url_escape(const char *s, struct arena *a)
{
	char *out = arena_zalloc(a, 3 * strlen(s) + 1), *to = out;

	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr("-._~", *s))
			*to++ = *s;
		else
			to += snprintf(to, 4, "%%%02X", (unsigned char)*s);
	}
	return out;
}
