/* Which conflists crisp does without plugins, and what it reads in them. */
#include "procs/net_plan.h"

#include <stdio.h>
#include <string.h>

#include "tests/tap.h"

static struct arena *arena;
static struct net_plan plan;
static struct err e;

static bool fits(const char *plugins)
{
	char text[4096];

	snprintf(text, sizeof(text), "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[%s]}", plugins);
	return net_plan_read(&plan, arena, text, &e) == 0;
}

/* A bridge with these keys, and a range with these. */
static bool bridge(const char *keys, const char *ipam)
{
	char text[2048];

	snprintf(text, sizeof(text), "{\"type\":\"bridge\"%s,\"ipam\":{\"type\":\"host-local\"%s}}", keys, ipam);
	return fits(text);
}

static bool refused(const char *keys, const char *ipam, const char *word)
{
	return !bridge(keys, ipam) && e.code == ERR_UNIMPLEMENTED && strstr(e.msg, word);
}

static const char SUBNET[] = ",\"subnet\":\"10.1.0.0/16\"";

static bool is_ip(const struct net_ip *ip, const char *text)
{
	char out[NET_IP_TEXT];

	return strcmp(net_ip_text(ip, out), text) == 0;
}

static void defaults_are_the_plugins(void)
{
	ok(bridge("", SUBNET));
	is_str(plan.bridge, "cni0");
	is_str(plan.leases, "/var/lib/cni/networks/n");
	ok(!plan.gateway && !plan.masquerade && !plan.hairpin && plan.mtu == 0);
	ok(plan.nsets == 1 && plan.sets[0].n == 1);
	ok(is_ip(&plan.sets[0].at[0].first, "10.1.0.1") && is_ip(&plan.sets[0].at[0].gateway, "10.1.0.1"));
	ok(is_ip(&plan.sets[0].at[0].last, "10.1.255.254"));
	ok(bridge("", ",\"subnet\":\"fd00:1::/64\"") && is_ip(&plan.sets[0].at[0].last, "fd00:1::ffff:ffff:ffff:ffff"));
	ok(bridge(",\"isDefaultGateway\":true", SUBNET) && plan.gateway && plan.default_route);
}

static void the_known_keys(void)
{
	ok(bridge(",\"bridge\":\"b\",\"isGateway\":true,\"ipMasq\":true,\"mtu\":1400,\"hairpinMode\":true,"
		  "\"forceAddress\":true,\"promiscMode\":false,\"ipMasqBackend\":\"nftables\"",
		  ",\"dataDir\":\"/run/leases\",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\",\"rangeStart\":\"10.1.0.10\","
		  "\"rangeEnd\":\"10.1.0.20\",\"gateway\":\"10.1.0.254\"},{\"subnet\":\"10.2.0.0/24\"}],"
		  "[{\"subnet\":\"fd00::/64\"}]],\"routes\":[{\"dst\":\"0.0.0.0/0\"},"
		  "{\"dst\":\"10.7.0.0/16\",\"gw\":\"10.1.0.9\",\"priority\":5}]"));
	ok(plan.gateway && plan.masquerade && plan.hairpin && plan.force_address && plan.mtu == 1400);
	is_str(plan.leases, "/run/leases/n");
	ok(plan.nsets == 2 && plan.sets[0].n == 2 && plan.sets[1].n == 1 && plan.nroutes == 2);
	ok(is_ip(&plan.sets[0].at[0].gateway, "10.1.0.254") && is_ip(&plan.sets[0].at[0].last, "10.1.0.20"));
	ok(!plan.routes[0].via.family && is_ip(&plan.routes[1].via, "10.1.0.9") && plan.routes[1].priority == 5);
	/* the old style and the new one together */
	ok(bridge("", ",\"subnet\":\"10.1.0.0/24\",\"ranges\":[[{\"subnet\":\"10.2.0.0/24\"}]]") && plan.nsets == 2);
}

static void what_plugins_do_is_named(void)
{
	ok(refused(",\"vlan\":5", SUBNET, "vlan") && strstr(e.msg, "bridge"));
	ok(refused(",\"promiscMode\":true", SUBNET, "promiscMode"));
	ok(refused(",\"ipMasqBackend\":\"iptables\"", SUBNET, "ipMasqBackend"));
	ok(refused(",\"isgateway\":true", SUBNET, "isgateway")); /* Go takes any case of letters */
	ok(refused(",\"isGateway\":1", SUBNET, "isGateway"));
	ok(refused(",\"mtu\":-1", SUBNET, "mtu"));
	ok(refused(",\"bridge\":\"a/b\"", SUBNET, "name of a device"));
	ok(refused(",\"bridge\":\"br%d\"", SUBNET, "name of a device"));
	ok(refused("", ",\"subnet\":\"10.1.0.0/16\",\"new\":1", "new"));
	ok(!fits("{\"type\":\"bridge\",\"ipam\":{\"type\":\"dhcp\"}}") && strstr(e.msg, "dhcp"));
	ok(!fits("{\"type\":\"bridge\"}") && strstr(e.msg, "IPAM"));
	ok(!fits("{\"type\":\"macvlan\"}") && strstr(e.msg, "macvlan"));
	ok(!fits("{\"type\":\"loopback\"}"));
	ok(!fits("{\"type\":\"portmap\"}"));
}

static void chains(void)
{
	static const char one[] = "{\"type\":\"bridge\",\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/16\"}}";
	char text[1024];

	snprintf(text, sizeof(text), "{\"type\":\"loopback\"},%s,{\"type\":\"portmap\",\"capabilities\":"
				     "{\"portMappings\":true}}", one);
	ok(fits(text) && plan.host_ports && plan.host_port_snat);
	snprintf(text, sizeof(text), "%s,{\"type\":\"portmap\",\"snat\":false}", one);
	ok(fits(text) && !plan.host_ports && !plan.host_port_snat);
	snprintf(text, sizeof(text), "%s,{\"type\":\"portmap\",\"conditionsV4\":[\"x\"]}", one);
	ok(!fits(text) && strstr(e.msg, "conditionsV4"));
	snprintf(text, sizeof(text), "%s,%s", one, one);
	ok(!fits(text));
	ok(fits("{\"type\":\"ptp\",\"ipMasq\":true,\"mtu\":1500,\"ipam\":{\"type\":\"host-local\",\"dataDir\":"
		"\"/run/cni-ipam-state\",\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"ranges\":[[{\"subnet\":"
		"\"10.244.0.0/24\"}]]}},"
		"{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}"));
	ok(plan.kind == NET_PTP && plan.masquerade && !plan.gateway && plan.host_ports);
	ok(!fits("{\"type\":\"ptp\",\"hairpinMode\":true,\"ipam\":{\"type\":\"host-local\","
		 "\"subnet\":\"10.1.0.0/16\"}}"));
	snprintf(text, sizeof(text), "%s,{\"type\":\"tuning\"}", one);
	ok(!fits(text) && strstr(e.msg, "tuning"));
	ok(net_plan_read(&plan, arena, "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"loadOnlyInlinedPlugins\":true,"
			 "\"plugins\":[]}", &e) < 0 && strstr(e.msg, "loadOnlyInlinedPlugins"));
}

static void ranges_that_host_local_refuses(void)
{
	ok(refused("", ",\"subnet\":\"10.1.0.5/16\"", "host bits"));
	ok(refused("", ",\"subnet\":\"10.1.0.0/31\"", "too small"));
	ok(refused("", ",\"subnet\":\"10.1.0.0\"", "no subnet"));
	ok(refused("", ",\"subnet\":\"10.1.0.0/16\",\"rangeStart\":\"10.2.0.1\"", "do not fit"));
	ok(refused("", ",\"subnet\":\"10.1.0.0/16\",\"rangeStart\":\"10.1.0.9\",\"rangeEnd\":\"10.1.0.8\"",
		   "do not fit"));
	ok(refused("", ",\"subnet\":\"10.1.0.0/16\",\"gateway\":\"fd00::1\"", "do not fit"));
	ok(refused("", ",\"rangeStart\":\"10.2.0.1\"", "subnet"));
	ok(refused("", ",\"ranges\":[[]]", "empty"));
	ok(refused("", ",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"},{\"subnet\":\"10.1.0.0/16\"}]]", "overlap"));
	ok(refused("", ",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"10.1.0.0/16\"}]]", "overlap"));
	ok(refused("", ",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"},{\"subnet\":\"fd00::/64\"}]]", "mixes"));
	/* Go and C print these differently, and files have these names */
	ok(refused("", ",\"subnet\":\"::ffff:10.1.0.0/112\"", "no subnet"));
	ok(refused("", ",\"subnet\":\"::1:0/112\"", "no subnet"));
	ok(refused("", ",\"subnet\":\"10.1.0.0/16\",\"dataDir\":\"run\"", "dataDir"));
}

static void addresses_count(void)
{
	struct net_prefix p;
	struct net_ip ip;
	char text[NET_PREFIX_TEXT];

	ok(net_ip_parse(&ip, "10.0.255.255") == 0);
	net_ip_next(&ip);
	ok(is_ip(&ip, "10.1.0.0"));
	ok(net_ip_parse(&ip, "fd00::ffff") == 0);
	net_ip_next(&ip);
	ok(is_ip(&ip, "fd00::1:0"));
	ok(net_prefix_parse(&p, "10.1.2.3/20") == 0);
	is_str(net_prefix_text(&p, text), "10.1.2.3/20");
	ip = net_ip_network(&p);
	ok(is_ip(&ip, "10.1.0.0"));
	ip = net_ip_last(&p);
	ok(is_ip(&ip, "10.1.15.255") && net_prefix_has(&p, &ip));
	net_ip_next(&ip);
	ok(!net_prefix_has(&p, &ip));
	ok(net_prefix_parse(&p, "10.1.2.3/33") < 0 && net_prefix_parse(&p, "10.1.2.3/-1") < 0);
	ok(net_prefix_parse(&p, "10.1.2.3/") < 0 && net_prefix_parse(&p, "fd00::/129") < 0);
	ok(net_prefix_parse(&p, "10.1.2.3/0008") < 0 && net_prefix_parse(&p, "::/0") == 0);
}

int main(void)
{
	arena = arena_new();
	defaults_are_the_plugins();
	the_known_keys();
	what_plugins_do_is_named();
	chains();
	ranges_that_host_local_refuses();
	addresses_count();
	arena_free(arena);
	return tap_end();
}
