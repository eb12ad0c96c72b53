/* route.c - see route.h. */
#include "procs/net/route.h"

#include <linux/rtnetlink.h>

static const struct net_ip *route_gateway(const struct net_route *r, const struct lease *leases, size_t n)
{
	if (r->via.family)
		return &r->via;
	for (size_t i = 0; i < n; i++)
		if (leases[i].gateway.family == r->to.ip.family)
			return &leases[i].gateway;
	return NULL;
}

/* from: the address that the pod uses; NULL: any. */
static void put_scoped(struct nl_batch *b, int index, const struct net_route *r, const struct net_ip *via,
		       uint8_t scope, const struct net_ip *from)
{
	const struct rtmsg head = { .rtm_family = (uint8_t)r->to.ip.family, .rtm_dst_len = (uint8_t)r->to.len,
				    .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT, .rtm_scope = scope,
				    .rtm_type = RTN_UNICAST };
	unsigned size = net_ip_size(r->to.ip.family);

	nl_message(b, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND, &head, sizeof(head));
	if (r->to.len)
		nl_put(b, RTA_DST, r->to.ip.bytes, size);
	if (via)
		nl_put(b, RTA_GATEWAY, via->bytes, size);
	if (from)
		nl_put(b, RTA_PREFSRC, from->bytes, size);
	if (r->priority)
		nl_put_u32(b, RTA_PRIORITY, r->priority);
	nl_put_u32(b, RTA_OIF, (uint32_t)index);
}

static void put_route(struct nl_batch *b, int index, const struct net_route *r, const struct net_ip *via)
{
	put_scoped(b, index, r, via, RT_SCOPE_UNIVERSE, NULL);
}

void route_put_point(struct nl_batch *b, int index, const struct lease *l)
{
	struct net_route gateway = { .to = { l->gateway, net_ip_bits(l->gateway.family) } };
	struct net_route subnet = { .to = { net_ip_network(&l->address), l->address.len } };

	put_scoped(b, index, &gateway, NULL, RT_SCOPE_LINK, &l->address.ip);
	put_scoped(b, index, &subnet, &l->gateway, RT_SCOPE_UNIVERSE, &l->address.ip);
}

/* isDefaultGateway: one for each family, where the configuration has none of its own with a gateway. */
static void put_defaults(struct nl_batch *b, int index, const struct net_plan *p, const struct lease *leases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct net_route r = { .to = { { leases[i].gateway.family, { 0 } }, 0 } };
		bool have = false;

		for (size_t k = 0; k < i; k++)
			have |= leases[k].gateway.family == r.to.ip.family;
		for (size_t k = 0; k < p->nroutes; k++)
			have |= p->routes[k].via.family && p->routes[k].to.len == 0 &&
				p->routes[k].to.ip.family == r.to.ip.family;
		if (!have)
			put_route(b, index, &r, &leases[i].gateway);
	}
}

void route_put_plan(struct nl_batch *b, int index, const struct net_plan *p, const struct lease *leases, size_t n)
{
	for (size_t i = 0; i < p->nroutes; i++)
		put_route(b, index, &p->routes[i], route_gateway(&p->routes[i], leases, n));
	if (p->default_route)
		put_defaults(b, index, p, leases, n);
}

/* The plugin writes scope host, which outlives a device that goes down: the next pod with this address would not be
 * reached until the kernel has removed the device. */
void route_put_pod(struct nl_batch *b, int index, const struct net_ip *pod)
{
	struct net_route r = { .to = { *pod, net_ip_bits(pod->family) } };

	put_scoped(b, index, &r, NULL, RT_SCOPE_LINK, NULL);
}
