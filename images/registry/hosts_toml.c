/* hosts_toml.c - see hosts_toml.h. */
#include "images/registry/hosts_toml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "images/ref.h"
#include "reactor/toml.h"
#include "reactor/own.h"

enum { FILE_MAX = 1 << 20 };

bool domain_is_loopback(const char *domain)
{
	size_t n = *domain == '[' ? strcspn(domain, "]") + 1 : strcspn(domain, ":");

	return (n == 9 && strncasecmp(domain, "localhost", n) == 0) || (n == 5 && strncmp(domain, "[::1]", n) == 0) ||
		(strncmp(domain, "127.", 4) == 0 && strspn(domain, "0123456789.") == n);
}

enum { WARNINGS_MAX = 32, FILES_MAX = 64 };

struct reading {
	struct hosts *out;
	const char *dir, *domain;
	struct arena *a;
	struct err *e;
};

/* Further ones of a file are left out. */
static void hosts_warn(struct reading *r, const char *host, const char *key, const char *cause)
{
	struct strings *w = &r->out->warnings;

	if (w->n < WARNINGS_MAX)
		w->at[w->n++] = arena_printf(r->a, "%s%.200s%s%.100s: %s", *host ? "host " : "", ref_shown(host, r->a),
			*host && *key ? ": " : "", key, cause);
}

/* docker.io is the only registry whose API has another host name. */
const char *hosts_default_url(const char *domain, struct arena *a)
{
	size_t n = strlen(domain);

	if (strcmp(domain, "docker.io") == 0)
		return "https://registry-1.docker.io/v2";
	if (domain_is_loopback(domain) && !(n > 4 && strcmp(domain + n - 4, ":443") == 0))
		return arena_printf(a, "http://%s/v2", domain);
	return arena_printf(a, "https://%s/v2", domain);
}

/* From "mirror", "https://mirror/" or "http://mirror/path/v2" the root of the API. NULL: not a usable URL. */
static const char *api_root(const char *text, bool override_path, struct arena *a)
{
	const char *scheme = strncmp(text, "http://", 7) == 0 ? "http" : "https", *sep = strstr(text, "://"), *rest,
		   *path;
	size_t n, host;

	if (sep && strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
		return NULL;
	rest = sep ? sep + 3 : text;
	host = strcspn(rest, "/");
	if (host == 0 || strpbrk(rest, "@?# \t\\\"<>") || rest[strcspn(rest, "\x7f\r\n")])
		return NULL;
	for (n = strlen(rest); n > host && rest[n - 1] == '/'; n--)
		;
	path = arena_strndup(a, rest + host, n - host);
	rest = arena_strndup(a, rest, host);
	if (strcmp(rest, "docker.io") == 0)
		rest = "registry-1.docker.io";
	n = strlen(path);
	if (override_path || (n >= 3 && strcmp(path + n - 3, "/v2") == 0))
		return arena_printf(a, "%s://%s%s", scheme, rest, path);
	return arena_printf(a, "%s://%s%s/v2", scheme, rest, path);
}

/* Is the URL's host the registry of the domain itself? Then it gets no ?ns=. */
static bool url_serves(const char *url, const char *domain)
{
	const char *host = strstr(url, "://") + 3;
	size_t n = strcspn(host, "/");

	if (strcmp(domain, "docker.io") == 0 && n == 20 && strncmp(host, "registry-1.docker.io", n) == 0)
		return true;
	return strlen(domain) == n && strncmp(host, domain, n) == 0;
}

static const char *path_from(struct reading *r, const char *path)
{
	return *path == '/' ? arena_strdup(r->a, path) : arena_printf(r->a, "%s/%s", r->dir, path);
}

static void read_capabilities(struct reading *r, struct host *h, const char *name, const json_t *v)
{
	json_t *word;
	size_t i;

	if (!json_is_array(v))
		return hosts_warn(r, name, "capabilities", "it is ignored, because it is no array of strings");
	if (json_array_size(v) > 0)
		h->pull = h->resolve = false;
	json_array_foreach(v, i, word) {
		const char *s = json_is_string(word) ? json_string_value(word) : "";

		if (strcasecmp(s, "pull") == 0)
			h->pull = true;
		else if (strcasecmp(s, "resolve") == 0)
			h->resolve = true;
		else if (strcasecmp(s, "push") != 0 && strcasecmp(s, "referrers") != 0)
			hosts_warn(r, name, "capabilities",
				"what is none of \"pull\", \"resolve\", \"push\", \"referrers\" is ignored");
	}
}

static void add_path(struct reading *r, struct strings *list, const char *path)
{
	if (!list->at)
		list->at = arena_zalloc(r->a, FILES_MAX * sizeof(*list->at));
	list->at[list->n++] = path_from(r, path);
}

/* "file" or ["file", ...]. */
static void read_ca(struct reading *r, struct host *h, const char *name, const json_t *v)
{
	auto_json json_t *list = json_is_array(v) ? json_incref((json_t *)v) : json_pack("[O]", v);
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		if (!json_is_string(one) || h->ca_files.n == FILES_MAX)
			hosts_warn(r, name, "ca", "what is no path, or comes behind 64 of them, is ignored");
		else
			add_path(r, &h->ca_files, json_string_value(one));
	}
}

/* "both.pem", or an array of such paths and of pairs ["cert.pem", "key.pem"]. Without a key's name the certificate's
 * file has both. */
static void read_client(struct reading *r, struct host *h, const char *name, const json_t *v)
{
	auto_json json_t *list = json_is_array(v) ? json_incref((json_t *)v) : json_pack("[O]", v);
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		const json_t *pair = json_is_array(one) && json_array_size(one) == 2 ? one : NULL;
		const char *cert = json_string_value(pair ? json_array_get(pair, 0) : one);
		const char *key = pair ? json_string_value(json_array_get(pair, 1)) : cert;

		if (!cert || !key || h->client_certs.n == FILES_MAX) {
			hosts_warn(r, name, "client",
				"what is neither a path nor a pair of paths, or comes behind 64 of them, is ignored");
			continue;
		}
		add_path(r, &h->client_certs, cert);
		add_path(r, &h->client_keys, *key ? key : cert);
	}
}

/* One number with its unit, as Go's time.ParseDuration reads it. */
static bool take_duration(const char **s, double *ms)
{
	static const struct { const char *unit; double ms; } units[] = {
		{ "ns", 1e-6 }, { "us", 1e-3 }, { "\u00b5s", 1e-3 }, { "\u03bcs", 1e-3 }, { "ms", 1 }, { "s", 1e3 },
		{ "m", 6e4 }, { "h", 3.6e6 },
	};
	size_t n = strspn(*s, "0123456789.");
	char *end;
	double v = strtod(*s, &end);

	if (n == 0 || end != *s + n)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strncmp(end, units[i].unit, strlen(units[i].unit)) != 0)
			continue;
		*s = end + strlen(units[i].unit);
		*ms += v * units[i].ms;
		return true;
	}
	return false;
}

static void read_timeout(struct reading *r, struct host *h, const char *name, const json_t *v)
{
	const char *s = json_is_string(v) ? json_string_value(v) : "";
	double ms = 0;

	s += *s == '+';
	if (strcmp(s, "0") == 0)
		s++;
	else
		while (take_duration(&s, &ms) && *s)
			;
	if (*s || !json_is_string(v))
		return hosts_warn(r, name, "dial_timeout",
			"it is ignored, because it is no duration like \"500ms\", \"1m30s\" or \"1.5h\"");
	if (!(ms >= 1))
		return hosts_warn(r, name, "dial_timeout", "less than 1 ms is not possible; 10 s are used");
	h->connect_timeout_ms = ms < 3.6e6 ? (int64_t)ms : 3600 * 1000;
}

static bool header_text_valid(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

static void read_header(struct reading *r, struct host *h, const char *name, const json_t *v)
{
	size_t n = 0;
	const char *key;
	json_t *value, *one;
	size_t i;

	if (!json_is_object(v))
		return hosts_warn(r, name, "header", "it is ignored, because it is no table");
	json_object_foreach((json_t *)v, key, value)
		n += json_is_array(value) ? json_array_size(value) : 1;
	h->headers = (struct strings){ arena_zalloc(r->a, n * sizeof(*h->headers.at)), 0 };
	json_object_foreach((json_t *)v, key, value) {
		auto_json json_t *list = json_is_array(value) ? json_incref(value) : json_pack("[O]", value);

		json_array_foreach(list, i, one) {
			if (!*key || strpbrk(key, ": \t") || !header_text_valid(key) || !json_is_string(one) ||
			    !header_text_valid(json_string_value(one)))
				hosts_warn(r, name, "header", "what has no plain name or no text as value is ignored");
			else
				h->headers.at[h->headers.n++] =
					arena_printf(r->a, "%s: %s", key, json_string_value(one));
		}
	}
}

static void read_bool(struct reading *r, const char *name, const char *key, const json_t *v, bool *out)
{
	if (!json_is_boolean(v))
		return hosts_warn(r, name, key, "it is ignored, because it is neither true nor false");
	*out = json_is_true(v);
}

/* Everything of a table but its URL. */
static bool read_settings(struct reading *r, struct host *h, const char *name, const json_t *table)
{
	bool override_path = false;
	const char *key;
	json_t *v;

	*h = (struct host){ .pull = true, .resolve = true };
	json_object_foreach((json_t *)table, key, v) {
		if (strcmp(key, "capabilities") == 0)
			read_capabilities(r, h, name, v);
		else if (strcmp(key, "ca") == 0)
			read_ca(r, h, name, v);
		else if (strcmp(key, "client") == 0)
			read_client(r, h, name, v);
		else if (strcmp(key, "dial_timeout") == 0)
			read_timeout(r, h, name, v);
		else if (strcmp(key, "header") == 0)
			read_header(r, h, name, v);
		else if (strcmp(key, "skip_verify") == 0)
			read_bool(r, name, key, v, &h->skip_verify);
		else if (strcmp(key, "override_path") == 0)
			read_bool(r, name, key, v, &override_path);
		else if (*name || (strcmp(key, "server") != 0 && strcmp(key, "host") != 0))
			hosts_warn(r, name, key, "unknown key, ignored");
	}
	return override_path;
}

/* name: the URL of a [host."..."] table, "" for the root table, which describes the server. -1: no usable URL. */
static int read_table(struct reading *r, struct host *h, const char *name, const json_t *table)
{
	bool override_path = read_settings(r, h, name, table);
	const json_t *server = *name ? NULL : json_object_get(table, "server");
	const char *url = server ? json_string_value(server) : name;

	if (url)
		h->url = *url ? api_root(url, override_path, r->a) : hosts_default_url(r->domain, r->a);
	if (!h->url)
		return -1;
	h->mirror = !url_serves(h->url, r->domain);
	return 0;
}

/* Many files name the server among its own mirrors. Then the server is asked once, with the settings of that table.
 * true: the table also has all the capabilities, so no entry of its own is needed for the server. */
static bool among_hosts(const struct hosts *mirrors, struct host *server)
{
	for (size_t i = 0; i < mirrors->n; i++) {
		const struct host *h = &mirrors->at[i];
		struct host same = *h;

		if (strcmp(h->url, server->url) != 0)
			continue;
		if (h->pull >= server->pull && h->resolve >= server->resolve)
			return true;
		same.pull = server->pull;
		same.resolve = server->resolve;
		*server = same;
	}
	return false;
}

int hosts_toml_parse(struct hosts *out, const char *text, size_t len, const char *dir, const char *domain,
	struct arena *a, struct err *e)
{
	struct reading r = { out, dir, domain, a, e };
	const char *file = arena_printf(a, "%s/hosts.toml", dir);
	auto_json json_t *j = toml_parse(text, len, file, e);
	const json_t *mirrors = json_object_get(j, "host");
	const char *name;
	json_t *table;

	if (!j)
		return -1;
	*out = (struct hosts){ .file = file };
	out->at = arena_zalloc(a, (json_object_size(mirrors) + 1) * sizeof(*out->at));
	out->warnings.at = arena_zalloc(a, WARNINGS_MAX * sizeof(*out->warnings.at));
	if (mirrors && !json_is_object(mirrors))
		hosts_warn(&r, "", "host", "it is ignored, because it is no table");
	json_object_foreach((json_t *)mirrors, name, table) {
		if (!json_is_object(table) || !*name)
			hosts_warn(&r, "", "host", "what is no table named by a URL is ignored");
		else if (read_table(&r, &out->at[out->n], name, table) < 0)
			hosts_warn(&r, name, "", "it is ignored, because its name is no http or https URL");
		else
			out->n++;
	}
	if (read_table(&r, &out->at[out->n], "", j) < 0)
		return err_set(e, ERR_INTERNAL, "%s: server: must be an http or https URL", file);
	if (!among_hosts(out, &out->at[out->n]))
		out->n++;
	return 0;
}
