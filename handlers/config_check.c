/* config_check.c - see config_read.h: what can be wrong with a value besides its kind. Each fault names the line that
 * gave the value. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "handlers/config_read.h"
#include "handlers/image_volumes.h"
#include "handlers/stream.h"
#include "images/space.h"
#include "procs/keeper.h"
#include "reactor/listen.h"

enum { SPLIT_MIN = 1 << 20 }; /* a part has half of it: less would be more requests than bytes */

/* "FILE:LINE", or the file alone when the value is a default one. */
static const char *place_text(const struct reading *r, const char *section, const char *name)
{
	const struct config_place *p = &r->places[config_key_find(section, name) - config_keys];

	return p->path ? arena_printf(r->c->arena, "%s:%zu", p->path, p->line) : r->path;
}

static int fault_at_key(const struct reading *r, const char *section, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int fault_at_key(const struct reading *r, const char *section, const char *name, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return err_set(r->e, ERR_INVALID_ARGUMENT, "%s: %s", place_text(r, section, name), text);
}

/* What is served beyond this machine is encrypted. */
static int check_http(const struct reading *r)
{
	const struct config *c = r->c;
	bool tls = *c->http_tls_cert || *c->http_tls_key || *c->http_tls_client_ca;

	if (tls && (!*c->http_tls_cert || !*c->http_tls_key))
		return fault_at_key(r, "http_tls", *c->http_tls_cert ? "cert" : *c->http_tls_key ? "key" : "client_ca",
				    "http_tls needs both of http_tls.cert and http_tls.key");
	if (listen_check(c->http, true, r->e) < 0)
		return err_wrap(r->e, "%s: http", place_text(r, "", "http"));
	if (tls && strncmp(c->http, "unix:", 5) == 0)
		return fault_at_key(r, "http_tls", "cert", "http_tls is for a tcp:// address of http, not for %s",
				    c->http);
	if (!tls && listen_check(c->http, false, r->e) < 0)
		return fault_at_key(r, "", "http", "http: %s is not a loopback address: beyond loopback it needs "
				    "http_tls.cert and http_tls.key (and http_tls.client_ca, to choose the clients)",
				    c->http);
	return 0;
}

static int check_addresses(const struct reading *r)
{
	const struct config *c = r->c;

	if (!c->listen.n)
		return fault_at_key(r, "", "listen", "listen names no address");
	for (size_t i = 0; i < c->listen.n; i++)
		if (listen_check(c->listen.at[i], false, r->e) < 0)
			return err_wrap(r->e, "%s: listen", place_text(r, "", "listen"));
	if (check_http(r) < 0)
		return -1;
	if (listen_check(stream_listens_at(c->stream_address, c->stream_port, c->arena), true, r->e) < 0)
		return err_wrap(r->e, "%s: stream", place_text(r, "stream", "address"));
	if (!*c->stream_tls_cert != !*c->stream_tls_key)
		return fault_at_key(r, "stream", *c->stream_tls_cert ? "tls_cert" : "tls_key",
				    "stream.tls_cert and stream.tls_key need each other");
	return 0;
}

static int check_images(const struct reading *r)
{
	const struct config *c = r->c;
	struct space min_free;

	if (!image_volumes_known(c->images_volumes))
		return fault_at_key(r, "images", "volumes", "images.volumes must be bind, mkdir or ignore, not %s",
				    c->images_volumes);
	if (!c->images_parallel_downloads)
		return fault_at_key(r, "images", "parallel_downloads", "images.parallel_downloads must be at least 1");
	if (!c->images_progress_timeout_s)
		return fault_at_key(r, "images", "progress_timeout", "images.progress_timeout must be at least 1");
	if (c->images_split_bytes < SPLIT_MIN)
		return fault_at_key(r, "images", "split_bytes", "images.split_bytes must be at least 1MiB");
	if (space_parse(c->images_min_free, &min_free, r->e) < 0)
		return err_wrap(r->e, "%s", place_text(r, "images", "min_free"));
	return 0;
}

static int check_default_runtime(const struct reading *r)
{
	const struct runtimes_config *all = &r->c->runtimes;
	bool named = r->places[config_key_find("runtime", "default") - config_keys].path;

	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->handlers[i].name, all->default_name) == 0)
			return 0;
	return fault_at_key(r, named ? "runtime" : "", named ? "default" : "runtimes",
			    "runtime.default %s is not among the runtimes", all->default_name);
}

int config_check(const struct reading *r)
{
	const struct config *c = r->c;

	if (check_default_runtime(r) < 0 || check_images(r) < 0 || check_addresses(r) < 0)
		return -1;
	if (strcmp(c->cgroup.driver, "cgroupfs") != 0 && strcmp(c->cgroup.driver, "systemd") != 0 &&
	    strcmp(c->cgroup.driver, "auto") != 0)
		return fault_at_key(r, "cgroup", "driver", "cgroup.driver must be cgroupfs, systemd or auto, not %s",
				    c->cgroup.driver);
	if (network_choice(c->network) < 0)
		return fault_at_key(r, "", "network", "network must be cni, native or auto, not %s", c->network);
	if (c->watchdog_s && c->watchdog_s < WATCHDOG_MIN_S)
		return fault_at_key(r, "", "watchdog", "watchdog is 0 or at least %d seconds", WATCHDOG_MIN_S);
	if (!c->nri_register_s || !c->nri_request_s)
		return fault_at_key(r, "nri", c->nri_register_s ? "request_timeout" : "registration_timeout",
				    "the timeouts of nri are at least one second");
	return 0;
}
