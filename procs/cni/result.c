/* result.c - see result.h. */
#include "procs/cni/result.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { SAID_MAX = 400 };

/* "10.1.2.3/24" to "10.1.2.3" in its canonical form; NULL when it is not an address. */
static const char *plain_ip(const char *cidr, char out[INET6_ADDRSTRLEN])
{
	char ip[INET6_ADDRSTRLEN + 1];
	unsigned char raw[sizeof(struct in6_addr)];
	size_t len = cidr ? strcspn(cidr, "/") : 0;
	int family;

	if (len == 0 || len >= sizeof(ip))
		return NULL;
	memcpy(ip, cidr, len);
	ip[len] = '\0';
	family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	return inet_pton(family, ip, raw) == 1 ? inet_ntop(family, raw, out, INET6_ADDRSTRLEN) : NULL;
}

static int check_ip(const json_t *cidr, struct err *e)
{
	char ip[INET6_ADDRSTRLEN];
	const char *text = json_string_value(cidr);

	if (plain_ip(text, ip))
		return 0;
	return err_set(e, ERR_INTERNAL, "its result has the address \"%.60s\"", text ? text : "");
}

static int check_shape(const json_t *result, struct err *e)
{
	const json_t *ips = json_object_get(result, "ips"), *interfaces = json_object_get(result, "interfaces"), *ip,
		     *at;
	size_t i;

	if (!json_is_object(result))
		return err_set(e, ERR_INTERNAL, "its result is not a JSON object");
	if ((ips && !json_is_array(ips) && !json_is_null(ips)) ||
	    (interfaces && !json_is_array(interfaces) && !json_is_null(interfaces)))
		return err_set(e, ERR_INTERNAL, "its result's ips or interfaces are not an array");
	json_array_foreach(ips, i, ip) {
		if (check_ip(json_object_get(ip, "address"), e) < 0)
			return -1;
		at = json_object_get(ip, "interface");
		if (json_is_integer(at) &&
		    (json_integer_value(at) < 0 || (size_t)json_integer_value(at) >= json_array_size(interfaces)))
			return err_set(e, ERR_INTERNAL, "its result has an address for interface %lld of %zu",
				       json_integer_value(at), json_array_size(interfaces));
	}
	for (const char *const *key = (const char *const[]){ "ip4", "ip6", NULL }; *key; key++) {
		const json_t *old = json_object_get(result, *key);

		if (json_is_object(old) && check_ip(json_object_get(old, "ip"), e) < 0)
			return -1;
	}
	return 0;
}

json_t *cni_result_parse(const char *text, size_t len, struct err *e)
{
	json_t *j;

	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	if (len == 0) {
		err_set(e, ERR_INTERNAL, "it printed no result");
		return NULL;
	}
	j = json_parse(text, len, "its result", e);
	if (j && check_shape(j, e) < 0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static void add_ip(struct strings *ips, struct arena *a, const json_t *cidr)
{
	char ip[INET6_ADDRSTRLEN];

	if (plain_ip(json_string_value(cidr), ip))
		ips->at[ips->n++] = arena_strdup(a, ip);
}

static void primary_first(struct strings *ips)
{
	for (size_t i = 0; i < ips->n; i++) {
		const char *primary = ips->at[i];

		if (strchr(primary, ':'))
			continue;
		memmove(ips->at + 1, ips->at, i * sizeof(*ips->at));
		ips->at[0] = primary;
		return;
	}
}

struct strings cni_result_ips(const json_t *result, const char *ifname, struct arena *a)
{
	const json_t *ips = json_object_get(result, "ips"), *interfaces = json_object_get(result, "interfaces"), *ip;
	struct strings out = { arena_zalloc(a, (json_array_size(ips) + 2) * sizeof(*out.at)), 0 };
	size_t i;

	json_array_foreach(ips, i, ip) {
		const json_t *at = json_object_get(ip, "interface");
		const json_t *owner =
			json_is_integer(at) ? json_array_get(interfaces, (size_t)json_integer_value(at)) : NULL;
		const char *name = json_string_value(json_object_get(owner, "name"));

		if (!name || strcmp(name, ifname) == 0)
			add_ip(&out, a, json_object_get(ip, "address"));
	}
	add_ip(&out, a, json_object_get(json_object_get(result, "ip4"), "ip"));
	add_ip(&out, a, json_object_get(json_object_get(result, "ip6"), "ip"));
	primary_first(&out);
	return out;
}

/* One line of at most SAID_MAX bytes of ASCII: the end of the text, since programs write the reason last. */
static const char *one_line(char out[SAID_MAX + 1], const char *text, size_t len)
{
	size_t n = 0;

	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	if (len > SAID_MAX) {
		text += len - SAID_MAX;
		len = SAID_MAX;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		out[n++] = c < 0x20 ? ' ' : c >= 0x7f ? '?' : (char)c;
	}
	out[n] = '\0';
	return out;
}

int cni_result_error(struct err *e, const char *how, const char *out, size_t out_len, const char *err_text,
		     size_t err_len)
{
	struct err ignored;
	auto_json json_t *j = out_len ? json_parse(out, out_len, "error", &ignored) : NULL;
	const char *msg = json_string_value(json_object_get(j, "msg")),
		   *details = json_string_value(json_object_get(j, "details"));
	const json_t *code = json_object_get(j, "code");
	char line[SAID_MAX + 1], more[SAID_MAX + 1];

	if (msg && json_is_integer(code))
		return err_set(e, ERR_INTERNAL, "code %lld: %s%s%s", json_integer_value(code),
			       one_line(line, msg, strlen(msg)), details && details[0] ? "; " : "",
			       details ? one_line(more, details, strlen(details)) : "");
	if (err_len)
		return err_set(e, ERR_INTERNAL, "%s: %s", how, one_line(line, err_text, err_len));
	if (out_len)
		return err_set(e, ERR_INTERNAL, "%s: %s", how, one_line(line, out, out_len));
	return err_set(e, ERR_INTERNAL, "%s, without any output", how);
}
