/* hosts_toml.h - which hosts serve a registry's images, in the order to ask: containerd's certs.d directories.
 *
 * Of <dir>/<host>_<port>_, <dir>/<host>:<port>, <dir>/<host> and <dir>/_default the first that exists is used. It has a
 * hosts.toml, or the certificate files that Docker looks for (*.crt; *.cert with *.key). The files are read for each
 * pull. Spec: containerd docs/hosts.md. Two differences from containerd: a file that cannot be understood is an error
 * and not ignored; and a server that is named among its own hosts is asked once, with the settings of its table there.
 */
#ifndef IMAGES_REGISTRY_HOSTS_TOML_H
#define IMAGES_REGISTRY_HOSTS_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"

struct host {
	const char *url;      /* the API's root: "https://mirror.example:5000/v2" */
	bool pull, resolve;   /* blobs and manifests by digest; tags */
	bool mirror;          /* gets ?ns=<domain>, which names the registry of the image */
	const char *ca_file;  /* NULL: the system's CAs */
	const char *client_cert, *client_key; /* NULL: none */
	bool skip_verify;
	int64_t connect_timeout_ms; /* 0: the client's default */
	struct strings headers;     /* "Name: value" */
};

struct hosts {
	struct host *at; /* at least one */
	size_t n;
};

/* config_path "": there is no such directory. INTERNAL: a file that cannot be read or parsed, with name and line. */
int hosts_load(struct hosts *out, const char *config_path, const char *domain, struct arena *a, struct err *e);

/* Parses the text of one file; relative paths in it are relative to `dir`. */
int hosts_toml_parse(struct hosts *out, const char *text, size_t len, const char *dir, const char *domain,
	struct arena *a, struct err *e);

/* "localhost", 127.0.0.0/8, [::1], with or without a port: such a registry is asked by plain http. */
bool domain_is_loopback(const char *domain);

#endif
