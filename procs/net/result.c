/* result.c - see result.h. */
#include "procs/net/result.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/net/link.h"
#include "reactor/fault.h"
#include "reactor/own.h"
#include "reactor/small_file.h"

enum { CACHE_FILE_MAX = 1 << 20, RESOLV_CONF_MAX = 64 * 1024 };

/* ---- the result ---- */

static void add_device(json_t *to, const char *name, const uint8_t mac[6], const char *sandbox)
{
	char text[MAC_TEXT];
	json_t *device = json_pack("{s:s, s:s}", "name", name, "mac", mac_text(mac, text));

	if (*sandbox)
		json_object_set_new(device, "sandbox", json_string(sandbox));
	json_array_append_new(to, device);
}

/* Versions before 1.0.0 tell the family of each address. */
static json_t *addresses_json(const struct net_plan *p, const struct result_made *m)
{
	json_t *all = json_array();

	for (size_t i = 0; i < m->n; i++) {
		const struct lease *l = &m->leases[i];
		char address[NET_PREFIX_TEXT], gateway[NET_IP_TEXT];
		json_t *one = json_pack("{s:s, s:s, s:i}", "address", net_prefix_text(&l->address, address), "gateway",
					net_ip_text(&l->gateway, gateway), "interface", p->kind == NET_BRIDGE ? 2 : 1);

		if (p->cni_version[0] == '0')
			json_object_set_new(one, "version", json_string(l->gateway.family == AF_INET ? "4" : "6"));
		json_array_append_new(all, one);
	}
	return all;
}

static void add_route(json_t *to, const struct net_route *r, const struct net_ip *via)
{
	char dst[NET_PREFIX_TEXT], gw[NET_IP_TEXT];
	json_t *one = json_pack("{s:s}", "dst", net_prefix_text(&r->to, dst));

	if (via->family)
		json_object_set_new(one, "gw", json_string(net_ip_text(via, gw)));
	if (r->priority)
		json_object_set_new(one, "priority", json_integer(r->priority));
	json_array_append_new(to, one);
}

static json_t *routes_json(const struct net_plan *p, const struct result_made *m)
{
	json_t *all = json_array();

	for (size_t i = 0; i < p->nroutes; i++)
		add_route(all, &p->routes[i], &p->routes[i].via);
	for (size_t i = 0; p->default_route && i < m->n; i++) {
		const struct net_ip *gateway = &m->leases[i].gateway;
		struct net_route r = { .to = { { gateway->family, { 0 } }, 0 } };
		bool have = false;

		for (size_t k = 0; k < i; k++)
			have |= m->leases[k].gateway.family == gateway->family;
		for (size_t k = 0; k < p->nroutes; k++)
			have |= p->routes[k].via.family == gateway->family && p->routes[k].to.len == 0;
		if (!have)
			add_route(all, &r, gateway);
	}
	return all;
}

json_t *result_json(const struct net_plan *p, const struct result_made *m)
{
	json_t *devices = json_array();

	if (p->kind == NET_BRIDGE)
		add_device(devices, p->bridge, m->bridge_mac, "");
	add_device(devices, m->host, m->host_mac, "");
	add_device(devices, m->ifname, m->inside_mac, m->netns_path);
	return json_pack("{s:s, s:o, s:o, s:o, s:O}", "cniVersion", p->cni_version, "interfaces", devices, "ips",
			 addresses_json(p, m), "routes", routes_json(p, m), "dns", m->dns);
}

/* The words behind the first one of a line, into an array; `one`: the next word alone, as the last such line says. */
static void dns_words(json_t *dns, const char *key, char *rest, bool one)
{
	json_t *all = json_object_get(dns, key);
	char *save;

	if (!one && !all) {
		all = json_array();
		json_object_set_new(dns, key, all);
	}
	for (char *word = strtok_r(rest, " \t\r", &save); word; word = strtok_r(NULL, " \t\r", &save)) {
		if (one)
			json_object_set_new(dns, key, json_string(word));
		else
			json_array_append_new(all, json_string(word));
		if (one)
			return;
	}
}

static void dns_line(json_t *dns, char *line)
{
	static const struct { const char *word, *key; bool one; } known[] = {
		{ "domain", "domain", true }, { "search", "search", false }, { "options", "options", false } };
	size_t space = strspn(line, " \t"), len = strcspn(line + space, " \t\r");
	char *word = line + space, *rest = word + len, *save;
	json_t *servers;

	if (!*rest || *word == '#' || *word == ';' || !*(rest + strspn(rest, " \t\r")))
		return;
	*rest++ = '\0';
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(word, known[i].word) == 0)
			dns_words(dns, known[i].key, rest, known[i].one);
	if (strcmp(word, "nameserver") != 0)
		return;
	servers = json_object_get(dns, "nameservers");
	if (!servers) {
		servers = json_array();
		json_object_set_new(dns, "nameservers", servers);
	}
	json_array_append_new(servers, json_string(strtok_r(rest, " \t\r", &save)));
}

json_t *result_dns(const char *path, struct err *e)
{
	size_t len;
	auto_free char *text = path ? small_file_read(path, RESOLV_CONF_MAX, &len, ERR_INTERNAL, e) : NULL;
	json_t *dns = path && !text ? NULL : json_object();

	for (char *line = text, *end; line && *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		dns_line(dns, line);
	}
	return dns;
}

struct strings result_addresses(struct arena *a, const struct result_made *m)
{
	struct strings out = { arena_zalloc(a, (m->n + 1) * sizeof(*out.at)), 0 };
	char text[NET_IP_TEXT];
	size_t first = 0;

	while (first < m->n && m->leases[first].address.ip.family != AF_INET)
		first++;
	if (first < m->n)
		out.at[out.n++] = arena_strdup(a, net_ip_text(&m->leases[first].address.ip, text));
	for (size_t i = 0; i < m->n; i++)
		if (i != first)
			out.at[out.n++] = arena_strdup(a, net_ip_text(&m->leases[i].address.ip, text));
	return out;
}

void result_read(struct result_known *out, struct arena *a, const char *text)
{
	struct err ignored;
	auto_json json_t *j = *text ? json_parse(text, strlen(text), "result", &ignored) : NULL;
	const json_t *devices = json_object_get(j, "interfaces"), *ips = json_object_get(j, "ips"), *one;
	size_t i;

	*out = (struct result_known){ .host = "" };
	json_array_foreach(ips, i, one) {
		const char *address = json_string_value(json_object_get(one, "address"));

		if (address && out->n < NET_SETS_MAX && net_prefix_parse(&out->addresses[out->n], address) == 0)
			out->n++;
	}
	i = json_array_size(devices);
	if (i >= 2)
		out->host = json_get_str(a, json_array_get(devices, i - 2), "name");
}

/* ---- the cache ---- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static const char *base64(struct arena *a, const char *text)
{
	const char *digits = base64_digits;
	size_t len = strlen(text);
	char *out = arena_zalloc(a, (len + 2) / 3 * 4 + 1), *to = out;

	for (size_t i = 0; i < len; i += 3) {
		size_t have = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)(uint8_t)text[i] << 16 | (have > 1 ? (uint32_t)(uint8_t)text[i + 1] << 8 : 0) |
			     (have > 2 ? (uint8_t)text[i + 2] : 0);

		*to++ = digits[v >> 18];
		*to++ = digits[v >> 12 & 63];
		*to++ = have > 1 ? digits[v >> 6 & 63] : '=';
		*to++ = have > 2 ? digits[v & 63] : '=';
	}
	return out;
}

/* "A=1;B=2" as [["A","1"],["B","2"]]. */
static json_t *args_json(struct arena *a, const char *args)
{
	json_t *all = json_array();

	while (*args) {
		size_t len = strcspn(args, ";"), key = strcspn(args, "=;");

		if (key < len)
			json_array_append_new(all, json_pack("[s, s]", arena_strndup(a, args, key),
							     arena_strndup(a, args + key + 1, len - key - 1)));
		args += len + (args[len] == ';');
	}
	return all;
}

static const char *cache_path(struct arena *a, const char *dir, const char *network, const char *id, const char *ifname)
{
	return arena_printf(a, "%s/results/%s-%s-%s", dir, network, id, ifname);
}

static int cache_put(struct arena *a, const char *dir, const char *path, const char *text)
{
	/* O_NONBLOCK: a FIFO that stands there is an error */
	const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	auto_fd int fd = EFFECT(open(path, flags, 0600));
	size_t len = strlen(text);

	if (fd < 0 && errno == ENOENT && (EFFECT(mkdir(dir, 0700)) == 0 || errno == EEXIST) &&
	    (EFFECT(mkdir(arena_printf(a, "%s/results", dir), 0700)) == 0 || errno == EEXIST))
		fd = open(path, flags, 0600);
	if (fd < 0)
		return -1;
	if (EFFECT(write(fd, text, len)) == (ssize_t)len)
		return 0;
	EFFECT(unlink(path)); /* half a file would be taken for damage */
	errno = ENOSPC;
	return -1;
}

int result_cache_write(const struct result_cache *c, const struct net_plan *p, const struct result_made *m,
		       const json_t *result, struct err *e)
{
	struct arena *a = arena_new();
	const char *path = cache_path(a, c->dir, p->network, m->id, m->ifname);
	struct err ignored;
	auto_json json_t *told = *c->caps ? json_parse(c->caps, strlen(c->caps), "arguments", &ignored) : NULL;
	auto_json json_t *all = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:O}", "kind", "cniCacheV1",
					  "containerId", m->id, "config", base64(a, c->conf), "ifName", m->ifname,
					  "networkName", p->network, "netns", m->netns_path, "cniArgs",
					  args_json(a, c->args), "crisp", c->owner, "result", (json_t *)result);
	int ret = 0;

	if (json_object_size(told))
		json_object_set(all, "capabilityArgs", told);
	if (cache_put(a, c->dir, path, json_text(a, all)) < 0)
		ret = err_os(e, ERR_INTERNAL, "%s", path);
	arena_free(a);
	return ret;
}

static int digit_of(char c)
{
	const char *at = c ? strchr(base64_digits, c) : NULL;

	return at ? (int)(at - base64_digits) : -1;
}

/* NULL: not base64. */
static const char *base64_text(struct arena *a, const char *from)
{
	size_t len = strcspn(from, "=");
	char *out = arena_zalloc(a, len / 4 * 3 + 4), *to = out;
	uint32_t bits = 0;

	for (size_t i = 0; i < len; i++) {
		int digit = digit_of(from[i]);

		if (digit < 0)
			return NULL;
		bits = bits << 6 | (uint32_t)digit;
		if (i % 4)
			*to++ = (char)(bits >> (6 - 2 * (i % 4)));
	}
	return out;
}

bool result_cache_read(struct result_cached *out, struct arena *a, const char *path, const char *owner)
{
	struct err ignored;
	size_t len;
	auto_free char *text = small_file_read(path, CACHE_FILE_MAX, &len, ERR_INTERNAL, &ignored);
	auto_json json_t *j = text ? json_parse(text, len, path, &ignored) : NULL;
	const json_t *caps = json_object_get(j, "capabilityArgs"), *result = json_object_get(j, "result");
	const char *conf = base64_text(a, json_get_str(a, j, "config"));

	if (strcmp(json_get_str(a, j, "crisp"), owner) != 0 || !*owner || !conf)
		return false;
	*out = (struct result_cached){ json_get_str(a, j, "containerId"), conf, caps ? json_text(a, caps) : "",
				       result ? json_text(a, result) : "" };
	return *out->id;
}

bool result_cache_find(struct result_cached *out, struct arena *a, const char *dir, const char *owner,
		       const char *id, const char *ifname)
{
	const char *results = arena_printf(a, "%s/results", dir), *end = arena_printf(a, "-%s-%s", id, ifname);
	auto_dir DIR *d = opendir(results);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		size_t n = strlen(entry->d_name), m = strlen(end);

		if (n > m && strcmp(entry->d_name + n - m, end) == 0 &&
		    result_cache_read(out, a, arena_printf(a, "%s/%s", results, entry->d_name), owner))
			return true;
	}
	return false;
}

void result_cache_remove(const char *dir, const char *network, const char *id, const char *ifname)
{
	struct arena *a = arena_new();

	EFFECT(unlink(cache_path(a, dir, network, id, ifname)));
	arena_free(a);
}
