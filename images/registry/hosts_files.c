/* hosts_files.c - see hosts_toml.h. Finds the directory of a registry and reads its certificates; and which of them
 * count for another URL. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "images/registry/hosts_toml.h"
#include "images/registry/url.h"
#include "reactor/buf.h"
#include "reactor/own.h"
#include "reactor/words.h"

enum {
	FILE_MAX = 1 << 20,
	TOTAL_MAX = 4 << 20, /* of one host's CAs, and of its certificates and keys: libcurl takes 8,000,000 bytes */
};

/* Docker's layout: each *.crt has CAs, and x.cert belongs to x.key; without that file the key is in x.cert. With such a
 * file a registry on loopback is asked by TLS too. */
static int certificate_files(struct host *h, struct lookup *l, const char *dir, const char *domain, struct arena *a,
	struct err *e)
{
	const struct looked *there = lookup_get(l, LOOKUP_DIR, dir, e);
	struct strings names;

	if (!there)
		return -1;
	errno = there->error;
	if (errno)
		return err_os(e, ERR_INTERNAL, "open %s", dir);
	if (lookup_names(there, dir, &names, a, e) < 0)
		return -1;
	h->ca_files.at = arena_zalloc(a, (names.n + 1) * sizeof(char *));
	h->client_certs.at = arena_zalloc(a, (names.n + 1) * sizeof(char *));
	h->client_keys.at = arena_zalloc(a, (names.n + 1) * sizeof(char *));
	for (size_t i = 0; i < names.n; i++) {
		const char *path = arena_printf(a, "%s/%s", dir, names.at[i]), *key;

		if (word_ends_in(path, ".crt")) {
			h->ca_files.at[h->ca_files.n++] = path;
		} else if (word_ends_in(path, ".cert")) {
			key = arena_printf(a, "%.*s.key", (int)(strlen(names.at[i]) - 5), names.at[i]);
			h->client_certs.at[h->client_certs.n++] = path;
			h->client_keys.at[h->client_keys.n++] =
				strings_have(&names, key) ? arena_printf(a, "%s/%s", dir, key) : path;
		}
	}
	if (h->ca_files.n + h->client_certs.n > 0 && strncmp(h->url, "http://", 7) == 0)
		h->url = arena_printf(a, "https://%s/v2", domain);
	return 0;
}

/* *out NULL: no directory for this domain. */
static int host_dir(const char **out, struct lookup *l, const char *config_path, const char *domain, struct arena *a,
	struct err *e)
{
	const char *colon = strrchr(domain, ':');
	const char *names[] = { colon && colon > domain && colon[1] &&
						colon[strspn(colon + 1, "0123456789") + 1] == '\0'
					? arena_printf(a, "%.*s_%s_", (int)(colon - domain), domain, colon + 1)
					: domain,
		domain, "_default" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		lookup_add(l, LOOKUP_NODE, arena_printf(a, "%s/%s", config_path, names[i]));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *dir = arena_printf(a, "%s/%s", config_path, names[i]);
		const struct looked *f = lookup_get(l, LOOKUP_NODE, dir, e);

		if (!f)
			return -1;
		if (!f->error && S_ISDIR(f->mode)) {
			*out = dir;
			return 0;
		}
	}
	*out = NULL;
	return 0;
}

/* -1: the file system must be asked first. A file that cannot be read, or has nothing of the kind, makes the host
 * unusable, not the others. *total counts the bytes. */
static int read_pem(struct http_pem *out, struct host *h, struct lookup *l, const char *path, const char *kind,
	size_t *total, struct arena *a, struct err *e)
{
	auto_free char *text = NULL;
	size_t len;

	*out = (struct http_pem){ path, "", 0 };
	text = lookup_read(l, path, FILE_MAX, &len, ERR_INTERNAL, e);
	if (!text) {
		h->fault = arena_strdup(a, e->msg);
		return e->code == ERR_UNAVAILABLE ? -1 : 0;
	}
	*total += len;
	if (*total > TOTAL_MAX)
		h->fault = arena_printf(a, "%s: with it a host's files have more than 4 MiB", path);
	else if (!strstr(text, "-----BEGIN ") || !strstr(text, kind))
		h->fault = arena_printf(a, "%s: it has no %s in PEM format", path, kind);
	if (!h->fault)
		*out = (struct http_pem){ path, arena_strndup(a, text, len), strlen(text) };
	return 0;
}

/* All files of CAs together: libcurl takes one text. */
static int read_cas(struct host *h, struct lookup *l, struct arena *a, struct err *e)
{
	struct buf text = { 0 };
	struct http_pem *all = arena_zalloc(a, sizeof(*all));
	size_t total = 0;
	int rc = 0;

	for (size_t i = 0; i < h->ca_files.n && rc == 0; i++) {
		struct http_pem one;

		rc = read_pem(&one, h, l, h->ca_files.at[i], "CERTIFICATE", &total, a, e);
		buf_append(&text, one.text, one.len_bytes);
		buf_append(&text, "\n", 1);
		all->name = i == 0 ? one.name : arena_printf(a, "%s, %s", all->name, one.name);
	}
	all->text = arena_strndup(a, buf_str(&text), text.len);
	all->len_bytes = strlen(all->text);
	buf_free(&text);
	if (h->ca_files.n > 0)
		h->ca = all;
	return rc;
}

static int read_pems(struct hosts *all, struct lookup *l, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < all->n; i++) {
		struct host *h = &all->at[i];
		struct http_pair *pairs = arena_zalloc(a, (h->client_certs.n + 1) * sizeof(*pairs));
		size_t total = 0;

		if (read_cas(h, l, a, e) < 0)
			return -1;
		for (size_t k = 0; k < h->client_certs.n; k++)
			if (read_pem(&pairs[k].cert, h, l, h->client_certs.at[k], "CERTIFICATE", &total, a, e) < 0 ||
				read_pem(&pairs[k].key, h, l, h->client_keys.at[k], "PRIVATE KEY", &total, a, e) < 0)
				return -1;
		h->clients = pairs;
		h->nclients = h->client_certs.n;
	}
	return 0;
}

/* hosts.toml of dir, or what stands in its place. */
static int read_dir(struct hosts *out, struct lookup *l, const char *dir, const char *domain, struct arena *a,
	struct err *e)
{
	const char *path = dir ? arena_printf(a, "%s/hosts.toml", dir) : NULL;
	size_t len;
	auto_free char *text = path ? lookup_read(l, path, FILE_MAX, &len, ERR_INTERNAL, e) : NULL;

	if (text)
		return hosts_toml_parse(out, text, len, dir, domain, a, e);
	if (path && !lookup_missing(l, LOOKUP_TEXT, path))
		return -1;
	*out = (struct hosts){ .at = arena_zalloc(a, sizeof(*out->at)), .n = 1, .file = path ? path : "" };
	*out->at = (struct host){ .url = hosts_default_url(domain, a), .pull = true, .resolve = true };
	return dir ? certificate_files(out->at, l, dir, domain, a, e) : 0;
}

int hosts_load(struct hosts *out, struct lookup *l, const char *config_path, const char *domain, struct arena *a,
	struct err *e)
{
	const char *dir = NULL;

	if (*config_path && host_dir(&dir, l, config_path, domain, a, e) < 0)
		return -1;
	if (read_dir(out, l, dir, domain, a, e) < 0 || read_pems(out, l, a, e) < 0)
		return -1;
	if (!*out->file && *config_path)
		out->file = arena_printf(a, "%s/%s/hosts.toml", config_path, domain);
	return 0;
}

/* ---- another URL than a host's own ---- */

const struct host *hosts_for_url(const struct hosts *hosts, const struct host *asked, const char *url)
{
	if (url_same_origin(asked->url, url))
		return asked;
	for (size_t i = 0; i < hosts->n; i++)
		if (url_same_origin(hosts->at[i].url, url))
			return &hosts->at[i];
	if (url_same_name(asked->url, url))
		return asked;
	for (size_t i = 0; i < hosts->n; i++)
		if (url_same_name(hosts->at[i].url, url))
			return &hosts->at[i];
	return NULL;
}

bool hosts_plain_allowed(const struct hosts *hosts, const struct host *asked, const char *url, struct arena *a)
{
	if (!url_is_https(asked->url) || asked->skip_verify || domain_is_loopback(url_host(url, a)))
		return true;
	for (size_t i = 0; i < hosts->n; i++)
		if (url_same_origin(hosts->at[i].url, url))
			return true;
	return false;
}

const char *hosts_untrusted(const struct hosts *hosts, const struct host *asked, const char *url, const struct err *e,
	struct arena *a)
{
	const struct host *h = hosts_for_url(hosts, asked, url);

	if (e->code != ERR_FAILED_PRECONDITION || (h && h->ca) || url_same_origin(asked->url, url))
		return e->msg;
	return arena_printf(a, "%s; to give this host a ca, %s", e->msg, hosts_advice(hosts, url, a));
}

const char *hosts_advice(const struct hosts *hosts, const char *url, struct arena *a)
{
	const char *host = arena_printf(a, "%s://%s", url_is_https(url) ? "https" : "http", url_host(url, a));

	if (!*hosts->file)
		return arena_printf(a, "set registry.config_path, and add [host.\"%s\"] with "
			"capabilities = [\"push\"] to the registry's hosts.toml", host);
	return arena_printf(a, "add [host.\"%s\"] with capabilities = [\"push\"] to %s", host, hosts->file);
}

const char *hosts_set_tls(struct http_request *q, const struct hosts *hosts, const struct host *asked, bool away)
{
	const struct host *h = away ? hosts_for_url(hosts, asked, q->url) : asked;

	q->connect_timeout_ms = asked->connect_timeout_ms;
	if (!h)
		return NULL;
	q->ca = h->ca;
	q->skip_verify = h->skip_verify;
	if (!away || url_same_origin(h->url, q->url)) {
		q->clients = h->clients;
		q->nclients = h->nclients;
	}
	return h->fault;
}
