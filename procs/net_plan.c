/* net_plan.c - see net_plan.h. */
#include "procs/net_plan.h"

#include <stdlib.h>
#include <string.h>

static const char LEASES[] = "/var/lib/cni/networks";
enum { BRIDGE_NAME_MAX = 15, MTU_MAX = 65535, PATH_BYTES_MAX = 1024 };

static int plan_refuse(struct err *e, const char *plugin, const char *what, const char *word)
{
	return err_set(e, ERR_UNIMPLEMENTED, "plugin %.64s: %s %.64s", plugin, what, word);
}

/* Each key must be in `known`, or in `off` with the value false. */
static int plan_keys(const json_t *object, const char *plugin, const char *const *known, const char *const *off,
		     struct err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		bool good = false;

		for (const char *const *k = known; !good && *k; k++)
			good = strcmp(*k, key) == 0;
		for (const char *const *k = off; !good && *k; k++)
			good = strcmp(*k, key) == 0 && json_is_false(value);
		if (!good)
			return plan_refuse(e, plugin, "the native network does not have its key", key);
	}
	return 0;
}

static int plan_bool(const json_t *object, const char *plugin, const char *key, bool absent, bool *out, struct err *e)
{
	const json_t *value = json_object_get(object, key);

	*out = value ? json_is_true(value) : absent;
	return !value || json_is_boolean(value) ? 0 : plan_refuse(e, plugin, "true or false is expected for", key);
}

static int plan_ip(const json_t *object, const char *key, struct net_ip *out, struct err *e)
{
	const json_t *value = json_object_get(object, key);

	*out = (struct net_ip){ 0 };
	if (!value || (json_is_string(value) && net_ip_parse(out, json_string_value(value)) == 0))
		return 0;
	return plan_refuse(e, "host-local", "no address that the native network takes is", key);
}

/* ---- host-local ---- */

static int plan_range(struct net_range *r, const json_t *from, struct err *e)
{
	const char *subnet = json_string_value(json_object_get(from, "subnet"));
	struct net_ip network;

	if (!subnet || net_prefix_parse(&r->subnet, subnet) < 0)
		return plan_refuse(e, "host-local", "this is no subnet that the native network takes:",
				   subnet ? subnet : "(none)");
	network = net_ip_network(&r->subnet);
	if (r->subnet.len + 2 > net_ip_bits(r->subnet.ip.family) || net_ip_cmp(&network, &r->subnet.ip) != 0)
		return plan_refuse(e, "host-local", "the subnet is too small or has host bits set:", subnet);
	if (plan_ip(from, "rangeStart", &r->first, e) < 0 || plan_ip(from, "rangeEnd", &r->last, e) < 0 ||
	    plan_ip(from, "gateway", &r->gateway, e) < 0)
		return -1;
	if (!r->gateway.family) {
		r->gateway = network;
		net_ip_next(&r->gateway);
	}
	if (!r->first.family) {
		r->first = network;
		net_ip_next(&r->first);
	}
	if (!r->last.family) {
		r->last = net_ip_last(&r->subnet);
		if (r->last.family == AF_INET)
			r->last.bytes[3]--; /* broadcast */
	}
	if (!net_prefix_has(&r->subnet, &r->first) || !net_prefix_has(&r->subnet, &r->last) ||
	    net_ip_cmp(&r->first, &r->last) > 0 || r->gateway.family != r->subnet.ip.family)
		return plan_refuse(e, "host-local", "rangeStart, rangeEnd or gateway do not fit the subnet", subnet);
	return 0;
}

static bool ranges_overlap(const struct net_range *x, const struct net_range *y)
{
	return net_ip_cmp(&x->first, &y->last) <= 0 && net_ip_cmp(&y->first, &x->last) <= 0 &&
	       x->first.family == y->first.family;
}

/* All ranges of all sets are disjoint; those of one set have one family. */
static int plan_ranges_fit(const struct net_plan *p, struct err *e)
{
	for (size_t i = 0; i < p->nsets; i++)
		for (size_t j = 0; j < p->sets[i].n; j++) {
			const struct net_range *x = &p->sets[i].at[j];

			if (x->subnet.ip.family != p->sets[i].at[0].subnet.ip.family)
				return plan_refuse(e, "host-local", "a range set mixes", "IPv4 and IPv6");
			for (size_t k = i; k < p->nsets; k++)
				for (size_t l = k == i ? j + 1 : 0; l < p->sets[k].n; l++)
					if (ranges_overlap(x, &p->sets[k].at[l]))
						return plan_refuse(e, "host-local", "ranges overlap in", p->network);
		}
	return 0;
}

static int plan_set(struct net_plan *p, struct arena *a, const json_t *ranges, struct err *e)
{
	static const char *const known[] = { "subnet", "rangeStart", "rangeEnd", "gateway", NULL };
	struct net_range_set *set = &p->sets[p->nsets];
	const json_t *range;
	size_t i;

	if (p->nsets == NET_SETS_MAX || !json_is_array(ranges) || json_array_size(ranges) == 0 ||
	    json_array_size(ranges) > NET_RANGES_MAX)
		return plan_refuse(e, "host-local", "too many range sets or ranges, or an empty one, in", p->network);
	set->at = arena_zalloc(a, json_array_size(ranges) * sizeof(*set->at));
	json_array_foreach(ranges, i, range) {
		if (plan_keys(range, "host-local", known, (const char *const[]){ NULL }, e) < 0 ||
		    plan_range(&set->at[i], range, e) < 0)
			return -1;
	}
	set->n = i;
	p->nsets++;
	return 0;
}

static int plan_sets(struct net_plan *p, struct arena *a, const json_t *ipam, struct err *e)
{
	const json_t *sets = json_object_get(ipam, "ranges"), *set;
	size_t i;

	p->sets = arena_zalloc(a, NET_SETS_MAX * sizeof(*p->sets));
	if (json_object_get(ipam, "subnet")) { /* the old style: one range beside the other keys */
		p->sets[0] = (struct net_range_set){ arena_zalloc(a, sizeof(struct net_range)), 1 };
		if (plan_range(p->sets[0].at, ipam, e) < 0)
			return -1;
		p->nsets = 1;
	} else if (json_object_get(ipam, "rangeStart") || json_object_get(ipam, "rangeEnd") ||
		   json_object_get(ipam, "gateway")) {
		return plan_refuse(e, "host-local", "a range without", "subnet");
	}
	if (sets && !json_is_array(sets))
		return plan_refuse(e, "host-local", "an array is expected for", "ranges");
	json_array_foreach(sets, i, set)
		if (plan_set(p, a, set, e) < 0)
			return -1;
	return p->nsets ? plan_ranges_fit(p, e) : plan_refuse(e, "host-local", "no range is in", p->network);
}

static int plan_route(struct net_route *r, const json_t *from, struct err *e)
{
	static const char *const known[] = { "dst", "gw", "priority", NULL };
	const char *to = json_string_value(json_object_get(from, "dst"));
	const json_t *priority = json_object_get(from, "priority");

	if (!json_is_object(from) || !to || net_prefix_parse(&r->to, to) < 0)
		return plan_refuse(e, "host-local", "this is no destination of a route:", to ? to : "(none)");
	r->to.ip = net_ip_network(&r->to);
	if (plan_keys(from, "host-local", known, (const char *const[]){ NULL }, e) < 0 ||
	    plan_ip(from, "gw", &r->via, e) < 0)
		return -1;
	if (priority && (!json_is_integer(priority) || json_integer_value(priority) < 0 ||
			 json_integer_value(priority) > INT32_MAX))
		return plan_refuse(e, "host-local", "no number that fits is", "priority");
	r->priority = (uint32_t)json_integer_value(priority);
	if (r->via.family && r->via.family != r->to.ip.family)
		return plan_refuse(e, "host-local", "a route and its gateway differ in their family:", to);
	return 0;
}

static int plan_routes(struct net_plan *p, struct arena *a, const json_t *ipam, struct err *e)
{
	const json_t *routes = json_object_get(ipam, "routes"), *route;
	size_t i;

	if (routes && (!json_is_array(routes) || json_array_size(routes) > NET_ROUTES_MAX))
		return plan_refuse(e, "host-local", "too many, or no array, are", "routes");
	p->routes = arena_zalloc(a, (json_array_size(routes) + 1) * sizeof(*p->routes));
	json_array_foreach(routes, i, route)
		if (plan_route(&p->routes[p->nroutes++], route, e) < 0)
			return -1;
	return 0;
}

/* An absolute path, of bounded length; NULL where the key is absent. */
static int plan_path(const json_t *object, const char *key, struct arena *a, const char **out, struct err *e)
{
	const json_t *value = json_object_get(object, key);
	const char *path = json_string_value(value);

	*out = NULL;
	if (!value || (path && !*path))
		return 0;
	if (!path || *path != '/' || strlen(path) > PATH_BYTES_MAX)
		return plan_refuse(e, "host-local", "an absolute path is expected for", key);
	*out = arena_strdup(a, path);
	return 0;
}

static int plan_ipam(struct net_plan *p, struct arena *a, const json_t *main_plugin, const char *type, struct err *e)
{
	static const char *const known[] = { "type", "dataDir", "resolvConf", "ranges", "routes", "subnet",
					     "rangeStart", "rangeEnd", "gateway", NULL };
	const json_t *ipam = json_object_get(main_plugin, "ipam");
	const char *ipam_type = json_string_value(json_object_get(ipam, "type")), *dir;

	if (!ipam_type || strcmp(ipam_type, "host-local") != 0)
		return plan_refuse(e, type, "the native network has host-local only, not the IPAM plugin",
				   ipam_type ? ipam_type : "(none)");
	if (plan_keys(ipam, "host-local", known, (const char *const[]){ NULL }, e) < 0 ||
	    plan_path(ipam, "dataDir", a, &dir, e) < 0 || plan_path(ipam, "resolvConf", a, &p->resolv_conf, e) < 0)
		return -1;
	p->leases = arena_printf(a, "%s/%s", dir ? dir : LEASES, p->network);
	return plan_sets(p, a, ipam, e) < 0 || plan_routes(p, a, ipam, e) < 0 ? -1 : 0;
}

/* ---- the other plugins ---- */

static int plan_mtu(struct net_plan *p, const json_t *plugin, const char *type, struct err *e)
{
	const json_t *mtu = json_object_get(plugin, "mtu");

	if (mtu && (!json_is_integer(mtu) || json_integer_value(mtu) < 0 || json_integer_value(mtu) > MTU_MAX))
		return plan_refuse(e, type, "no number that fits is", "mtu");
	p->mtu = (uint32_t)json_integer_value(mtu);
	return 0;
}

/* Rules by iptables cannot be written beside iptables' own ones: who asks for them gets the plugin. */
static int plan_backend(const json_t *plugin, const char *type, const char *key, struct err *e)
{
	const json_t *value = json_object_get(plugin, key);

	if (!value || (json_is_string(value) && strcmp(json_string_value(value), "nftables") == 0))
		return 0;
	return plan_refuse(e, type, "the native network writes nftables only, see", key);
}

/* As dev_valid_name() of the kernel, and no "%d", which the kernel would replace by a number. */
static bool device_name_fits(const char *name)
{
	return *name && strlen(name) <= BRIDGE_NAME_MAX && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strpbrk(name, "/:% \t\n\r\v\f") == NULL;
}

static int plan_bridge(struct net_plan *p, struct arena *a, const json_t *plugin, struct err *e)
{
	static const char *const known[] = { "type", "name", "cniVersion", "cniVersions", "capabilities", "bridge",
					     "isGateway", "isDefaultGateway", "ipMasq", "ipMasqBackend", "mtu",
					     "hairpinMode", "forceAddress", "ipam", NULL };
	static const char *const off[] = { "promiscMode", "portIsolation", "macspoofchk", "enabledad",
					   "preserveDefaultVlan", "disableContainerInterface", NULL };
	const json_t *name = json_object_get(plugin, "bridge");

	p->kind = NET_BRIDGE;
	p->bridge = name ? arena_strdup(a, json_is_string(name) ? json_string_value(name) : "") : "cni0";
	if (!device_name_fits(p->bridge))
		return plan_refuse(e, "bridge", "this is no name of a device:", p->bridge);
	if (plan_keys(plugin, "bridge", known, off, e) < 0 || plan_mtu(p, plugin, "bridge", e) < 0 ||
	    plan_backend(plugin, "bridge", "ipMasqBackend", e) < 0 ||
	    plan_bool(plugin, "bridge", "isGateway", false, &p->gateway, e) < 0 ||
	    plan_bool(plugin, "bridge", "isDefaultGateway", false, &p->default_route, e) < 0 ||
	    plan_bool(plugin, "bridge", "ipMasq", false, &p->masquerade, e) < 0 ||
	    plan_bool(plugin, "bridge", "hairpinMode", false, &p->hairpin, e) < 0 ||
	    plan_bool(plugin, "bridge", "forceAddress", false, &p->force_address, e) < 0)
		return -1;
	p->gateway |= p->default_route;
	return plan_ipam(p, a, plugin, "bridge", e);
}

static int plan_ptp(struct net_plan *p, struct arena *a, const json_t *plugin, struct err *e)
{
	static const char *const known[] = { "type", "name", "cniVersion", "cniVersions", "capabilities", "ipMasq",
					     "ipMasqBackend", "mtu", "ipam", NULL };

	p->kind = NET_PTP;
	if (plan_keys(plugin, "ptp", known, (const char *const[]){ NULL }, e) < 0 ||
	    plan_mtu(p, plugin, "ptp", e) < 0 || plan_backend(plugin, "ptp", "ipMasqBackend", e) < 0 ||
	    plan_bool(plugin, "ptp", "ipMasq", false, &p->masquerade, e) < 0)
		return -1;
	return plan_ipam(p, a, plugin, "ptp", e);
}

static int plan_portmap(struct net_plan *p, const json_t *plugin, struct err *e)
{
	static const char *const known[] = { "type", "name", "cniVersion", "capabilities", "snat", "backend", NULL };

	if (plan_keys(plugin, "portmap", known, (const char *const[]){ "masqAll", NULL }, e) < 0 ||
	    plan_backend(plugin, "portmap", "backend", e) < 0 ||
	    plan_bool(plugin, "portmap", "snat", true, &p->host_port_snat, e) < 0)
		return -1;
	p->host_ports = json_is_true(json_object_get(json_object_get(plugin, "capabilities"), "portMappings"));
	return 0;
}

static int plan_chain(struct net_plan *p, struct arena *a, const json_t *plugins, struct err *e)
{
	bool made = false, mapped = false;
	const json_t *plugin;
	size_t i;

	json_array_foreach(plugins, i, plugin) {
		const char *type = json_string_value(json_object_get(plugin, "type"));
		int ret = 0;

		if (!type)
			return plan_refuse(e, "(none)", "it has no", "type");
		if (strcmp(type, "loopback") == 0) /* it is up with the namespace */
			continue;
		if (!made && strcmp(type, "bridge") == 0)
			ret = plan_bridge(p, a, plugin, e);
		else if (!made && strcmp(type, "ptp") == 0)
			ret = plan_ptp(p, a, plugin, e);
		else if (made && !mapped && strcmp(type, "portmap") == 0)
			ret = plan_portmap(p, plugin, e);
		else
			ret = plan_refuse(e, type, "the native network does not have it, in", p->network);
		if (ret < 0)
			return -1;
		mapped |= made;
		made = true;
	}
	return made ? 0 : plan_refuse(e, "loopback", "it is the only one in", p->network);
}

int net_plan_read(struct net_plan *p, struct arena *a, const char *text, struct err *e)
{
	static const char *const known[] = { "name", "cniVersion", "plugins", "disableCheck", "disableGC", NULL };
	auto_json json_t *list = NULL;
	const char *name, *version;

	*p = (struct net_plan){ 0 };
	if (strlen(text) > NET_CONF_MAX)
		return err_set(e, ERR_UNIMPLEMENTED, "the conflist has more than %d bytes", NET_CONF_MAX);
	list = json_parse(text, strlen(text), "CNI configuration", e);
	if (!list)
		return -1;
	name = json_string_value(json_object_get(list, "name"));
	version = json_string_value(json_object_get(list, "cniVersion"));
	if (!name || !*name || strchr(name, '/') || strlen(name) > 200 || !version)
		return err_set(e, ERR_UNIMPLEMENTED,
			       "the conflist has no name or version that the native network takes");
	p->network = arena_strdup(a, name);
	p->cni_version = arena_strdup(a, version);
	if (plan_keys(list, "(the list)", known, (const char *const[]){ NULL }, e) < 0)
		return -1;
	return plan_chain(p, a, json_object_get(list, "plugins"), e);
}

const struct net_range *net_plan_range(const struct net_plan *p, const struct net_ip *ip)
{
	for (size_t i = 0; i < p->nsets; i++)
		for (size_t k = 0; k < p->sets[i].n; k++)
			if (net_prefix_has(&p->sets[i].at[k].subnet, ip))
				return &p->sets[i].at[k];
	return NULL;
}
