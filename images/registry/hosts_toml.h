/* hosts_toml.h - which hosts serve a registry's images, in the order to ask: containerd's certs.d directories.
 *
 * Of <dir>/<host>_<port>_, <dir>/<host>:<port>, <dir>/<host> and <dir>/_default the first that exists is used. It has a
 * hosts.toml, or the certificate files that Docker looks for (*.crt; *.cert with *.key). The files are read for each
 * pull. Spec: containerd docs/hosts.md. Differences from containerd:
 *
 * - A file that is not TOML, or whose server is no URL, is an error and not ignored: another server than the one
 *   that is meant would be asked. Whatever else cannot be used is a warning, and the rest of the file counts.
 * - A server that is named among its own hosts is asked once, with the settings of its table there.
 * - ca, client and skip_verify count for the host of their table alone, and not for another host that it redirects to
 *   or that has its token server. A table for that host has them; with capabilities = ["push"] it serves no pull.
 *   (ARCHITECTURE I44) */
#ifndef IMAGES_REGISTRY_HOSTS_TOML_H
#define IMAGES_REGISTRY_HOSTS_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/http_client.h"
#include "reactor/lookup.h"

struct host {
	const char *url;      /* the API's root: "https://mirror.example:5000/v2" */
	bool pull, resolve;   /* blobs and manifests by digest; tags */
	bool mirror;          /* gets ?ns=<domain>, which names the registry of the image */
	struct strings ca_files;     /* beside the system's CAs */
	struct strings client_certs; /* each with the key of the same place in client_keys */
	struct strings client_keys;
	const struct http_pem *ca;   /* what is in all of ca_files, read by hosts_load(); NULL: none */
	const struct http_pair *clients; /* and in the certificates and keys */
	size_t nclients;
	const char *fault;    /* NULL, or why they cannot be read: the host is not usable */
	bool skip_verify;
	int64_t connect_timeout_ms; /* 0: the client's default */
	struct strings headers;     /* "Name: value" */
};

struct hosts {
	struct host *at; /* at least one */
	size_t n;
	const char *file;        /* hosts.toml of this registry, whether it exists or not; "": no config_path */
	struct strings warnings; /* what of it cannot be used, each with its key and reason */
};

/* config_path "": there is no such directory. INTERNAL: a file that cannot be read or parsed, with name and line.
 * UNAVAILABLE: a file system must be asked first, by lookup_start(); then the same call goes on. */
int hosts_load(struct hosts *out, struct lookup *lookup, const char *config_path, const char *domain,
	struct arena *arena, struct err *e);

/* Parses the text of one file; relative paths in it are relative to `dir`. */
int hosts_toml_parse(struct hosts *out, const char *text, size_t len, const char *dir, const char *domain,
	struct arena *a, struct err *e);

/* The API's root of a domain without a file. */
const char *hosts_default_url(const char *domain, struct arena *a);

/* "localhost", 127.0.0.0/8, [::1], with or without a port: such a registry is asked by plain http. */
bool domain_is_loopback(const char *domain);

/* ---- another URL than a host's own: a redirect, a token server ---- */

/* The host whose ca and skip_verify count for the URL: one of the same scheme, name and port, else one of the same
 * name; of several `asked` comes first. NULL: none, so the system's CAs alone. Its client certificates count for the
 * same scheme and port only. */
const struct host *hosts_for_url(const struct hosts *hosts, const struct host *asked, const char *url);

/* May the URL be plain http, where `asked` is https? A loopback address, a host without verification, and a URL that a
 * table names as http may. */
bool hosts_plain_allowed(const struct hosts *hosts, const struct host *asked, const char *url, struct arena *a);

/* The text of an error of a request. Where a certificate does not verify, and no table has a ca for that other host, it
 * says where that belongs. */
const char *hosts_untrusted(const struct hosts *hosts, const struct host *asked, const char *url, const struct err *e,
	struct arena *a);

/* "add [host."https://x"] with capabilities = ["push"] to FILE": for errors. */
const char *hosts_advice(const struct hosts *hosts, const char *url, struct arena *a);

/* Sets the TLS members of a request for `url` that `asked` led to. `away`: by a redirect or a token server of another
 * origin. Returns NULL, or why the files of its table cannot be read: then it must not be sent. */
const char *hosts_set_tls(
	struct http_request *request, const struct hosts *hosts, const struct host *asked, bool away);

#endif
