/* hosts_toml.c - see hosts_toml.h. */
#include "images/registry/hosts_toml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "images/ref.h"
#include "images/registry/toml.h"
#include "reactor/buf.h"
#include "reactor/own.h"

enum { FILE_MAX = 1 << 20 };

bool domain_is_loopback(const char *domain)
{
	size_t n = *domain == '[' ? strcspn(domain, "]") + 1 : strcspn(domain, ":");

	return (n == 9 && strncasecmp(domain, "localhost", n) == 0) || (n == 5 && strncmp(domain, "[::1]", n) == 0) ||
		(strncmp(domain, "127.", 4) == 0 && strspn(domain, "0123456789.") == n);
}

struct reading {
	const char *file, *dir, *domain;
	struct arena *a;
	struct err *e;
};

static int hosts_bad(struct reading *r, const char *host, const char *key, const char *cause)
{
	return err_set(r->e, ERR_INTERNAL, "%s: %s%s%s%s: %s", r->file, *host ? "host " : "",
		ref_shown(host, r->a), *host ? ": " : "", key, cause);
}

/* The URL for a domain without a file. docker.io is the only registry whose API has another host name. */
static const char *default_url(const char *domain, struct arena *a)
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

static int read_capabilities(struct reading *r, struct host *h, const char *name, const json_t *v)
{
	json_t *word;
	size_t i;

	if (!json_is_array(v))
		return hosts_bad(r, name, "capabilities", "must be an array of strings");
	if (json_array_size(v) > 0)
		h->pull = h->resolve = false;
	json_array_foreach(v, i, word) {
		const char *s = json_is_string(word) ? json_string_value(word) : "";

		if (strcasecmp(s, "pull") == 0)
			h->pull = true;
		else if (strcasecmp(s, "resolve") == 0)
			h->resolve = true;
		else if (strcasecmp(s, "push") != 0)
			return hosts_bad(r, name, "capabilities", "only \"pull\", \"resolve\" and \"push\" are known");
	}
	return 0;
}

static int read_ca(struct reading *r, struct host *h, const char *name, const json_t *v)
{
	if (json_is_array(v) && json_array_size(v) == 1)
		v = json_array_get(v, 0);
	if (json_is_array(v))
		return hosts_bad(r, name, "ca", "only one file is supported: put all certificates into it");
	if (!json_is_string(v))
		return hosts_bad(r, name, "ca", "must be a path");
	h->ca_file = path_from(r, json_string_value(v));
	return 0;
}

/* "both.pem", ["both.pem"] or [["cert.pem", "key.pem"]]. Without a key's name the certificate's file has both. */
static int read_client(struct reading *r, struct host *h, const char *name, const json_t *v)
{
	const char *cert, *key = "";

	if (json_is_array(v) && json_array_size(v) != 1)
		return hosts_bad(r, name, "client", "only one certificate is supported");
	if (json_is_array(v))
		v = json_array_get(v, 0);
	if (json_is_array(v) && json_array_size(v) == 2) {
		key = json_string_value(json_array_get(v, 1));
		v = json_array_get(v, 0);
	}
	cert = json_string_value(v);
	if (!cert || !key)
		return hosts_bad(r, name, "client",
			"must be a path, an array of one, or an array of one pair of paths");
	h->client_cert = path_from(r, cert);
	h->client_key = *key ? path_from(r, key) : h->client_cert;
	return 0;
}

/* Of Go's durations only the forms "500ms", "10s" and "1m". */
static int read_timeout(struct reading *r, struct host *h, const char *name, const json_t *v)
{
	const char *s = json_is_string(v) ? json_string_value(v) : "";
	char *unit;
	double n = strtod(s, &unit);
	double ms = strcmp(unit, "ms") == 0 ? 1 : strcmp(unit, "s") == 0 ? 1000 : strcmp(unit, "m") == 0 ? 60000 : 0;

	if (unit == s || !(n * ms >= 1) || !(n * ms <= 3600000))
		return hosts_bad(r, name, "dial_timeout", "must be like \"500ms\", \"10s\" or \"1m\"");
	h->connect_timeout_ms = (int64_t)(n * ms);
	return 0;
}

static bool header_text_valid(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

static int read_header(struct reading *r, struct host *h, const char *name, const json_t *v)
{
	size_t n = 0;
	const char *key;
	json_t *value, *one;
	size_t i;

	if (!json_is_object(v))
		return hosts_bad(r, name, "header", "must be a table");
	json_object_foreach((json_t *)v, key, value)
		n += json_is_array(value) ? json_array_size(value) : 1;
	h->headers = (struct strings){ arena_zalloc(r->a, n * sizeof(*h->headers.at)), 0 };
	json_object_foreach((json_t *)v, key, value) {
		auto_json json_t *list = json_is_array(value) ? json_incref(value) : json_pack("[O]", value);

		json_array_foreach(list, i, one) {
			if (!*key || strpbrk(key, ": \t") || !header_text_valid(key) || !json_is_string(one) ||
			    !header_text_valid(json_string_value(one)))
				return hosts_bad(r, name, "header",
					"must have strings, or arrays of strings, as values");
			h->headers.at[h->headers.n++] = arena_printf(r->a, "%s: %s", key, json_string_value(one));
		}
	}
	return 0;
}

static int read_bool(struct reading *r, const char *name, const char *key, const json_t *v, bool *out)
{
	if (!json_is_boolean(v))
		return hosts_bad(r, name, key, "must be true or false");
	*out = json_is_true(v);
	return 0;
}

/* name: the URL of a [host."..."] table, "" for the root table, which describes the server. */
static int read_table(struct reading *r, struct host *h, const char *name, const json_t *table)
{
	bool override_path = false;
	const char *key, *url = name;
	json_t *v;
	int rc = 0;

	*h = (struct host){ .pull = true, .resolve = true };
	json_object_foreach((json_t *)table, key, v) {
		if (strcmp(key, "capabilities") == 0)
			rc = read_capabilities(r, h, name, v);
		else if (strcmp(key, "ca") == 0)
			rc = read_ca(r, h, name, v);
		else if (strcmp(key, "client") == 0)
			rc = read_client(r, h, name, v);
		else if (strcmp(key, "dial_timeout") == 0)
			rc = read_timeout(r, h, name, v);
		else if (strcmp(key, "header") == 0)
			rc = read_header(r, h, name, v);
		else if (strcmp(key, "skip_verify") == 0)
			rc = read_bool(r, name, key, v, &h->skip_verify);
		else if (strcmp(key, "override_path") == 0)
			rc = read_bool(r, name, key, v, &override_path);
		else if (!*name && strcmp(key, "server") == 0)
			rc = json_is_string(v) ? 0 : hosts_bad(r, name, key, "must be a string");
		else if (*name || strcmp(key, "host") != 0)
			rc = hosts_bad(r, name, key, "unknown key");
		if (rc < 0)
			return -1;
	}
	if (!*url && json_object_get(table, "server"))
		url = json_string_value(json_object_get(table, "server"));
	h->url = *url ? api_root(url, override_path, r->a) : default_url(r->domain, r->a);
	if (!h->url)
		return hosts_bad(r, name, *name ? "host" : "server", "must be an http or https URL");
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
	struct reading r = { arena_printf(a, "%s/hosts.toml", dir), dir, domain, a, e };
	auto_json json_t *j = toml_parse(text, len, r.file, e);
	const json_t *mirrors = json_object_get(j, "host");
	const char *name;
	json_t *table;

	if (!j)
		return -1;
	if (mirrors && !json_is_object(mirrors))
		return hosts_bad(&r, "", "host", "must be a table");
	*out = (struct hosts){ arena_zalloc(a, (json_object_size(mirrors) + 1) * sizeof(*out->at)), 0 };
	json_object_foreach((json_t *)mirrors, name, table) {
		if (!json_is_object(table) || !*name)
			return hosts_bad(&r, "", "host", "must have tables named by URLs");
		if (read_table(&r, &out->at[out->n++], name, table) < 0)
			return -1;
	}
	if (read_table(&r, &out->at[out->n], "", j) < 0)
		return -1;
	if (!among_hosts(out, &out->at[out->n]))
		out->n++;
	return 0;
}

/* Reads all of <dir>/hosts.toml. 1: done; 0: no such file. */
static int read_file(const char *path, struct buf *b, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_os(e, ERR_INTERNAL, "open %s", path);
	while (n > 0 && b->len <= FILE_MAX)
		n = buf_read(b, fd, 16384);
	if (n < 0)
		return err_os(e, ERR_INTERNAL, "read %s", path);
	return n == 0 ? 1 : err_set(e, ERR_INTERNAL, "%s: larger than %d bytes", path, FILE_MAX);
}

/* Docker's layout: *.crt is a CA, x.cert belongs to x.key. With such a file a registry on loopback is asked by TLS
 * too. */
static int certificate_files(struct host *h, const char *dir, const char *domain, struct arena *a, struct err *e)
{
	auto_dir DIR *d = opendir(dir);

	if (!d)
		return err_os(e, ERR_INTERNAL, "open %s", dir);
	for (struct dirent *f = readdir(d); f; f = readdir(d)) {
		const char *dot = strrchr(f->d_name, '.');

		if (dot && strcmp(dot, ".crt") == 0) {
			if (h->ca_file)
				return err_set(e, ERR_INTERNAL,
					"%s: more than one .crt file: put all certificates into one", dir);
			h->ca_file = arena_printf(a, "%s/%s", dir, f->d_name);
		} else if (dot && strcmp(dot, ".cert") == 0) {
			if (h->client_cert)
				return err_set(e, ERR_INTERNAL, "%s: more than one .cert file", dir);
			h->client_cert = arena_printf(a, "%s/%s", dir, f->d_name);
			h->client_key = arena_printf(a, "%s/%.*s.key", dir, (int)(dot - f->d_name), f->d_name);
		}
	}
	if ((h->ca_file || h->client_cert) && strncmp(h->url, "http://", 7) == 0)
		h->url = arena_printf(a, "https://%s/v2", domain);
	return 0;
}

/* NULL: no directory for this domain. */
static const char *host_dir(const char *config_path, const char *domain, struct arena *a)
{
	const char *colon = strrchr(domain, ':');
	const char *names[] = { colon && colon > domain && colon[1] &&
						colon[strspn(colon + 1, "0123456789") + 1] == '\0'
					? arena_printf(a, "%.*s_%s_", (int)(colon - domain), domain, colon + 1)
					: domain,
		domain, "_default" };
	struct stat st;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *dir = arena_printf(a, "%s/%s", config_path, names[i]);

		if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode))
			return dir;
	}
	return NULL;
}

int hosts_load(struct hosts *out, const char *config_path, const char *domain, struct arena *a, struct err *e)
{
	const char *dir = *config_path ? host_dir(config_path, domain, a) : NULL;
	struct buf text = { 0 };
	int rc = dir ? read_file(arena_printf(a, "%s/hosts.toml", dir), &text, e) : 0;

	if (rc > 0)
		rc = hosts_toml_parse(out, text.at ? (const char *)text.at : "", text.len, dir, domain, a, e);
	else if (rc == 0) {
		*out = (struct hosts){ arena_zalloc(a, sizeof(*out->at)), 1 };
		*out->at = (struct host){ .url = default_url(domain, a), .pull = true, .resolve = true };
		rc = dir ? certificate_files(out->at, dir, domain, a, e) : 0;
	}
	buf_free(&text);
	return rc;
}
