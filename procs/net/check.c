/* check.c - see check.h: a pod. The look is made once; with `repair` all is made again that can be, and then the look
 * is made once more: what it does not find any more was mended. */
#include "procs/net/check.h"

#include <string.h>
#include <unistd.h>

#include "procs/net/inside.h"
#include "procs/net/lease.h"
#include "procs/net/link.h"
#include "procs/net/netlink.h"
#include "procs/net/nft.h"
#include "procs/net/ports.h"
#include "procs/net/result.h"
#include "procs/net_plan.h"
#include "reactor/own.h"

static const char IFNAME[] = "eth0";

struct check {
	const struct check_pod *pod;
	struct arena *arena;
	struct net_plan plan;
	struct host_port *ports; /* owned */
	size_t nports;
	struct lease leases[NET_SETS_MAX];
	size_t n;
	const char *host; /* name of the host's end of the veth */
	int node;	  /* a netlink socket */
	struct findings *found;
};

#define SAY(c, fmt, ...) finding((c)->found, false, "sandbox %.12s: " fmt, (c)->pod->id, ##__VA_ARGS__)

static struct nft_pod check_rules_of(const struct check *c, size_t nth)
{
	return (struct nft_pod){ c->plan.network, c->leases[nth].address, c->pod->id };
}

/* ---- looking ---- */

static void look_at_leases(struct check *c)
{
	char text[NET_IP_TEXT];

	for (size_t i = 0; i < c->n; i++) {
		const struct net_ip *ip = &c->leases[i].address.ip;
		enum lease_state s = lease_look(c->plan.leases, ip, c->pod->id, IFNAME);

		if (s == LEASE_FREE)
			SAY(c, "its address %s is not reserved in %s", net_ip_text(ip, text), c->plan.leases);
		if (s == LEASE_UNREAD)
			SAY(c, "the file of its address %s in %s cannot be read", net_ip_text(ip, text),
			    c->plan.leases);
		if (s == LEASE_OTHERS)
			SAY(c, "its address %s is reserved for another one in %s", net_ip_text(ip, text),
			    c->plan.leases);
	}
}

static void look_at_bridge(struct check *c, const struct link_info *bridge)
{
	char text[NET_PREFIX_TEXT];
	struct err e;

	if (!bridge->index)
		return SAY(c, "bridge %s is gone", c->plan.bridge);
	if (strcmp(bridge->kind, "bridge") != 0)
		return SAY(c, "device %s is no bridge", c->plan.bridge);
	if (!bridge->up)
		SAY(c, "bridge %s is down", c->plan.bridge);
	for (size_t i = 0; c->plan.gateway && i < c->n; i++) {
		struct net_prefix gateway = { c->leases[i].gateway, c->leases[i].address.len };
		int has = link_has_address(c->node, bridge, &gateway, &e);

		if (has < 0)
			SAY(c, "%s", e.msg);
		if (!has)
			SAY(c, "bridge %s has lost the address %s", c->plan.bridge, net_prefix_text(&gateway, text));
	}
}

static void look_at_host_end(struct check *c, const struct link_info *bridge)
{
	const char *alias = arena_printf(c->arena, LINK_ALIAS "%s", c->pod->id);
	char text[NET_IP_TEXT];
	struct link_info dev;
	struct err e;

	if (link_get(c->node, c->host, &dev, &e) < 0)
		return SAY(c, "%s", e.msg);
	if (!dev.index || strcmp(dev.alias, alias) != 0)
		return SAY(c, "its device %s is gone", *c->host ? c->host : "(unknown)");
	if (!dev.up)
		SAY(c, "its device %s is down", c->host);
	if (bridge && bridge->index && dev.master != (uint32_t)bridge->index)
		SAY(c, "its device %s is no port of bridge %s", c->host, c->plan.bridge);
	for (size_t i = 0; !bridge && i < c->n; i++) {
		const struct net_ip *ip = &c->leases[i].address.ip;
		int has = link_has_route(c->node, &dev, &(struct net_prefix){ *ip, net_ip_bits(ip->family) }, &e);

		if (has < 0)
			SAY(c, "%s", e.msg);
		if (!has)
			SAY(c, "the node has no route to %s by %s", net_ip_text(ip, text), c->host);
	}
}

static void look_inside_at(struct check *c, int fd)
{
	char text[NET_PREFIX_TEXT];
	struct link_info dev;
	struct err e;
	int has = 1;

	if (link_get(fd, IFNAME, &dev, &e) < 0)
		return SAY(c, "%s", e.msg);
	if (!dev.index)
		return SAY(c, "it has no device %s", IFNAME);
	if (!dev.up)
		SAY(c, "its device %s is down", IFNAME);
	for (size_t i = 0; has >= 0 && i < c->n; i++) {
		has = link_has_address(fd, &dev, &c->leases[i].address, &e);
		if (!has)
			SAY(c, "its device %s has not the address %s", IFNAME,
			    net_prefix_text(&c->leases[i].address, text));
	}
	for (size_t i = 0; has >= 0 && i < c->plan.nroutes; i++) {
		has = link_has_route(fd, &dev, &c->plan.routes[i].to, &e);
		if (!has)
			SAY(c, "it has no route to %s", net_prefix_text(&c->plan.routes[i].to, text));
	}
	if (has < 0)
		SAY(c, "%s", e.msg);
}

static void look_inside(struct check *c)
{
	struct err e;
	auto_fd int netns = inside_open(c->pod->netns_path, &e), fd = -1;

	if (netns >= 0)
		fd = inside_socket(netns, &e);
	if (fd < 0)
		return SAY(c, "%s", e.msg);
	look_inside_at(c, fd);
}

/* As in job.c: the first address of a family serves hostPorts. */
static bool check_is_first(const struct check *c, size_t nth)
{
	for (size_t i = 0; i < nth; i++)
		if (c->leases[i].address.ip.family == c->leases[nth].address.ip.family)
			return false;
	return true;
}

static void look_at_rules(struct check *c)
{
	char text[NET_IP_TEXT];
	struct err e;

	for (size_t i = 0; i < c->n; i++) {
		struct nft_pod pod = check_rules_of(c, i);
		int has = c->plan.masquerade ? nft_masquerades(&pod, &e) : 1;

		if (!has)
			SAY(c, "%s is not masqueraded", net_ip_text(&pod.address.ip, text));
		if (has >= 0 && c->nports && check_is_first(c, i)) {
			has = ports_there(&pod, c->ports, c->nports, c->plan.host_port_snat, &e);
			if (!has)
				SAY(c, "its hostPorts do not lead to %s", net_ip_text(&pod.address.ip, text));
		}
		if (has < 0)
			SAY(c, "%s", e.msg);
	}
}

static void look_at_node(struct check *c)
{
	const char *cache = arena_printf(c->arena, "%s/results/%s-%s-%s", c->pod->cache, c->plan.network, c->pod->id,
					 IFNAME);

	for (size_t i = 0; (c->plan.gateway || c->plan.kind == NET_PTP) && i < c->n; i++)
		if (!node_forwards(c->leases[i].address.ip.family) && check_is_first(c, i))
			SAY(c, "the node does not forward packets of %s",
			    c->leases[i].address.ip.family == AF_INET ? "IPv4" : "IPv6");
	if (access(cache, F_OK) < 0)
		SAY(c, "libcni's file %s is gone", cache);
}

static void look(struct check *c)
{
	bool bridged = c->plan.kind == NET_BRIDGE;
	struct link_info bridge = { 0 };
	struct err e;

	if (bridged && link_get(c->node, c->plan.bridge, &bridge, &e) < 0)
		return SAY(c, "%s", e.msg);
	look_at_leases(c);
	if (bridged)
		look_at_bridge(c, &bridge);
	look_at_host_end(c, bridged ? &bridge : NULL);
	look_inside(c);
	look_at_rules(c);
	look_at_node(c);
}

/* ---- mending ---- */

static void mend_leases(struct check *c)
{
	struct lease_dir d;
	struct err e;

	if (lease_lock(&d, c->plan.leases, &e) <= 0)
		return;
	for (size_t i = 0; i < c->n; i++)
		if (lease_look(c->plan.leases, &c->leases[i].address.ip, c->pod->id, IFNAME) == LEASE_FREE)
			lease_again(&d, &c->leases[i].address.ip, c->pod->id, IFNAME, &e);
	lease_unlock(&d);
}

static void mend_devices(struct check *c)
{
	const char *alias = arena_printf(c->arena, LINK_ALIAS "%s", c->pod->id);
	struct link_info bridge = { 0 }, dev;
	struct err e;

	if (c->plan.kind == NET_BRIDGE && link_bridge(c->node, &c->plan, c->leases, c->n, &bridge, &e) < 0)
		return;
	if (link_get(c->node, c->host, &dev, &e) < 0 || !dev.index || strcmp(dev.alias, alias) != 0)
		return;
	link_host_again(c->node, &dev, bridge.index, &e);
	if (c->plan.kind == NET_PTP)
		link_point(c->node, c->host, c->leases, c->n, &e);
}

/* Faults are told by the look that follows. */
static void mend(struct check *c)
{
	struct err e;

	mend_leases(c);
	mend_devices(c);
	for (size_t i = 0; i < c->n; i++) {
		struct nft_pod pod = check_rules_of(c, i);

		if (lease_look(c->plan.leases, &pod.address.ip, c->pod->id, IFNAME) != LEASE_MINE)
			continue; /* the rules of an address are its owner's */
		if (c->plan.masquerade)
			nft_masquerade_again(&pod, true, &e);
		if (c->nports && check_is_first(c, i))
			ports_again(&pod, c->ports, c->nports, c->plan.host_port_snat, &e);
		if (c->plan.gateway || c->plan.kind == NET_PTP)
			node_forward(pod.address.ip.family, &e);
	}
}

/* ---- */

static int check_read(struct check *c, struct err *e)
{
	struct result_known known;

	if (net_plan_read(&c->plan, c->arena, c->pod->conf, e) < 0 ||
	    ports_of(&c->ports, &c->nports, &c->plan, c->pod->caps, e) < 0)
		return -1;
	result_read(&known, c->arena, c->pod->result);
	c->host = known.host;
	for (const char *const *at = c->pod->ips; *at && c->n < NET_SETS_MAX; at++) {
		struct net_ip ip;
		const struct net_range *r;

		if (net_ip_parse(&ip, *at) < 0)
			return err_set(e, ERR_INTERNAL, "%.64s is no address", *at);
		r = net_plan_range(&c->plan, &ip);
		if (!r)
			return err_set(e, ERR_INTERNAL, "%s is of no subnet of network %.64s", *at, c->plan.network);
		c->leases[c->n++] = (struct lease){ { ip, r->subnet.len }, r->gateway };
	}
	c->node = nl_open(NETLINK_ROUTE, e);
	return c->node < 0 ? -1 : 0;
}

static void check_twice(struct check *c, struct findings *out)
{
	struct findings *first = c->found, *again = findings_new();

	if (first->n)
		mend(c);
	c->found = again;
	if (first->n)
		look(c);
	for (size_t i = 0; i < first->n; i++)
		if (!findings_have(again, first->at[2 * i + 1]))
			finding(out, true, "%s", first->at[2 * i + 1]);
	for (size_t i = 0; i < again->n; i++)
		finding(out, false, "%s", again->at[2 * i + 1]);
	findings_free(again);
}

void check_pod(const struct check_pod *pod, bool repair, struct findings *out)
{
	struct check c = { .pod = pod, .arena = arena_new(), .node = -1, .found = repair ? findings_new() : out };
	struct err e;

	if (check_read(&c, &e) < 0)
		finding(out, false, "sandbox %.12s: %s", pod->id, e.msg);
	else
		look(&c);
	if (repair) {
		struct findings *first = c.found;

		if (c.node >= 0)
			check_twice(&c, out);
		findings_free(first);
	}
	if (c.node >= 0)
		close(c.node);
	free(c.ports);
	arena_free(c.arena);
}
