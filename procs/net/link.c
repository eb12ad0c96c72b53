/* link.c - see link.h. */
#include "procs/net/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "procs/net/netlink.h"
#include "procs/net/route.h"

static struct nl_batch batch; /* one request at a time */

static int link_fail(struct err *e, const struct nl_fault *f, const char *what, const char *name)
{
	return err_set(e, ERR_INTERNAL, "%s %s: %s", what, name, nl_fault_text(f));
}

/* ---- reading ---- */

static void link_read_info(struct link_info *l, const struct nl_attr *info)
{
	struct nl_attr at[IFLA_INFO_KIND + 1];

	nl_attrs(at, IFLA_INFO_KIND, info->data, info->len);
	snprintf(l->kind, sizeof(l->kind), "%s", nl_attr_str(&at[IFLA_INFO_KIND]));
}

static void on_link(void *arg, unsigned type, const void *body, size_t len)
{
	struct link_info *l = arg;
	struct nl_attr at[IFLA_LINK_NETNSID + 1];
	struct ifinfomsg head;

	if (type != RTM_NEWLINK || len < sizeof(head))
		return;
	memcpy(&head, body, sizeof(head));
	nl_attrs(at, IFLA_LINK_NETNSID, (const uint8_t *)body + sizeof(head), len - sizeof(head));
	l->index = head.ifi_index;
	l->up = head.ifi_flags & IFF_UP;
	snprintf(l->name, sizeof(l->name), "%s", nl_attr_str(&at[IFLA_IFNAME]));
	snprintf(l->alias, sizeof(l->alias), "%s", nl_attr_str(&at[IFLA_IFALIAS]));
	if (at[IFLA_ADDRESS].len == sizeof(l->mac))
		memcpy(l->mac, at[IFLA_ADDRESS].data, sizeof(l->mac));
	l->running = at[IFLA_OPERSTATE].len == 1 && *(const uint8_t *)at[IFLA_OPERSTATE].data == IF_OPER_UP;
	l->peer_index = nl_attr_u32(&at[IFLA_LINK]);
	l->master = nl_attr_u32(&at[IFLA_MASTER]);
	if (at[IFLA_LINKINFO].data)
		link_read_info(l, &at[IFLA_LINKINFO]);
}

int link_get(int fd, const char *name, struct link_info *out, struct err *e)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct nl_fault f;

	*out = (struct link_info){ 0 };
	nl_begin(&batch);
	nl_message(&batch, RTM_GETLINK, NLM_F_ACK, &head, sizeof(head));
	nl_put_str(&batch, IFLA_IFNAME, name);
	/* statistics would be most of the answer */
	nl_put_u32(&batch, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (nl_ask(fd, &batch, on_link, out, &f) == 0)
		return 0;
	*out = (struct link_info){ 0 };
	return f.error == ENODEV ? 0 : link_fail(e, &f, "device", name);
}

struct link_walk {
	void (*fn)(void *arg, const struct link_info *device);
	void *arg;
};

static void on_each_link(void *arg, unsigned type, const void *body, size_t len)
{
	const struct link_walk *w = arg;
	struct link_info l = { 0 };

	on_link(&l, type, body, len);
	if (l.index)
		w->fn(w->arg, &l);
}

int link_each(int fd, void (*fn)(void *arg, const struct link_info *device), void *arg, struct err *e)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct link_walk w = { fn, arg };
	struct nl_fault f;

	nl_begin(&batch);
	nl_message(&batch, RTM_GETLINK, NLM_F_DUMP, &head, sizeof(head));
	nl_put_u32(&batch, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return nl_ask(fd, &batch, on_each_link, &w, &f) < 0 ? link_fail(e, &f, "devices of", "the node") : 0;
}

struct route_search {
	unsigned index;
	const struct net_prefix *to;
	int found;
};

static void on_route(void *arg, unsigned type, const void *body, size_t len)
{
	struct route_search *s = arg;
	struct nl_attr at[RTA_OIF + 1];
	struct rtmsg head;
	struct net_ip to = net_ip_network(s->to);

	if (type != RTM_NEWROUTE || len < sizeof(head))
		return;
	memcpy(&head, body, sizeof(head));
	nl_attrs(at, RTA_OIF, (const uint8_t *)body + sizeof(head), len - sizeof(head));
	s->found |= head.rtm_family == to.family && head.rtm_dst_len == s->to->len && head.rtm_type == RTN_UNICAST &&
		    nl_attr_u32(&at[RTA_OIF]) == s->index &&
		    (!s->to->len || (at[RTA_DST].len == net_ip_size(to.family) &&
				     memcmp(at[RTA_DST].data, to.bytes, at[RTA_DST].len) == 0));
}

int link_has_route(int fd, const struct link_info *dev, const struct net_prefix *to, struct err *e)
{
	const struct rtmsg head = { .rtm_family = (uint8_t)to->ip.family };
	struct route_search s = { (unsigned)dev->index, to, 0 };
	struct nl_fault f;

	nl_begin(&batch);
	nl_message(&batch, RTM_GETROUTE, NLM_F_DUMP, &head, sizeof(head));
	return nl_ask(fd, &batch, on_route, &s, &f) < 0 ? link_fail(e, &f, "routes of", dev->name) : s.found;
}

enum { ADDRESSES_MAX = 32, VETH_TRIES = 3 };

struct address_list {
	unsigned index; /* of the device */
	int family;	/* 0: any */
	size_t n;
	bool tentative, duplicate;
	struct net_prefix at[ADDRESSES_MAX];
};

static void on_address(void *arg, unsigned type, const void *body, size_t len)
{
	struct address_list *l = arg;
	struct nl_attr at[IFA_FLAGS + 1];
	const struct nl_attr *ip;
	struct ifaddrmsg head;
	uint32_t flags;

	if (type != RTM_NEWADDR || len < sizeof(head))
		return;
	memcpy(&head, body, sizeof(head));
	if (head.ifa_index != l->index || (l->family && head.ifa_family != l->family))
		return;
	nl_attrs(at, IFA_FLAGS, (const uint8_t *)body + sizeof(head), len - sizeof(head));
	flags = at[IFA_FLAGS].data ? nl_attr_u32(&at[IFA_FLAGS]) : head.ifa_flags;
	l->tentative |= (flags & IFA_F_TENTATIVE) != 0;
	l->duplicate |= (flags & IFA_F_DADFAILED) != 0;
	ip = at[IFA_LOCAL].data ? &at[IFA_LOCAL] : &at[IFA_ADDRESS];
	if (ip->len != net_ip_size(head.ifa_family) || l->n == ADDRESSES_MAX)
		return;
	l->at[l->n] = (struct net_prefix){ { head.ifa_family, { 0 } }, head.ifa_prefixlen };
	memcpy(l->at[l->n++].ip.bytes, ip->data, ip->len);
}

static int addresses_get(int fd, const char *name, struct address_list *l, struct err *e)
{
	const struct ifaddrmsg head = { .ifa_family = (uint8_t)l->family, .ifa_index = l->index };
	struct nl_fault f;

	nl_begin(&batch);
	nl_message(&batch, RTM_GETADDR, NLM_F_DUMP, &head, sizeof(head));
	/* ENODEV: the device went meanwhile */
	return nl_ask(fd, &batch, on_address, l, &f) < 0 ? link_fail(e, &f, "addresses of", name) : 0;
}

int link_has_address(int fd, const struct link_info *dev, const struct net_prefix *p, struct err *e)
{
	struct address_list l = { .index = (unsigned)dev->index, .family = p->ip.family };

	if (addresses_get(fd, dev->name, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++)
		if (l.at[i].len == p->len && net_ip_cmp(&l.at[i].ip, &p->ip) == 0)
			return 1;
	return 0;
}

int link_settled(int fd, const char *ifname, struct err *e)
{
	struct link_info dev;
	struct address_list l = { .family = AF_INET6 };

	if (link_get(fd, ifname, &dev, e) < 0)
		return -1;
	l.index = (unsigned)dev.index;
	if (!dev.index)
		return err_set(e, ERR_INTERNAL, "device %s is gone", ifname);
	if (addresses_get(fd, ifname, &l, e) < 0)
		return -1;
	if (l.duplicate)
		return err_set(e, ERR_INTERNAL, "an IPv6 address of %s is in use by another node", ifname);
	return !l.tentative;
}

/* ---- writing ---- */

void mac_random(uint8_t out[6])
{
	/* An address of which few bits are random would be an address of two pods sooner or later. */
	while (getrandom(out, 6, 0) != 6)
		;
	out[0] = (uint8_t)((out[0] & 0xfe) | 0x02); /* of one device, chosen locally */
}

const char *mac_text(const uint8_t mac[6], char out[MAC_TEXT])
{
	snprintf(out, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return out;
}

static void put_link(unsigned flags, unsigned index, bool up)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_index = (int)index,
					.ifi_flags = up ? IFF_UP : 0, .ifi_change = up ? IFF_UP : 0 };

	nl_message(&batch, RTM_NEWLINK, NLM_F_ACK | flags, &head, sizeof(head));
}

/* more: IFA_F_* */
static void put_address(unsigned type, unsigned flags, unsigned index, const struct net_prefix *p, uint32_t more)
{
	const struct ifaddrmsg head = { .ifa_family = (uint8_t)p->ip.family, .ifa_prefixlen = (uint8_t)p->len,
					.ifa_index = index };
	unsigned size = net_ip_size(p->ip.family);

	nl_message(&batch, type, NLM_F_ACK | flags, &head, sizeof(head));
	nl_put(&batch, IFA_LOCAL, p->ip.bytes, size);
	nl_put(&batch, IFA_ADDRESS, p->ip.bytes, size);
	if (more)
		nl_put_u32(&batch, IFA_FLAGS, more);
	if (p->ip.family == AF_INET && p->len < 31) {
		struct net_ip broadcast = net_ip_last(p);

		nl_put(&batch, IFA_BROADCAST, broadcast.bytes, size);
	}
}

int link_host_again(int fd, const struct link_info *dev, int bridge_index, struct err *e)
{
	struct nl_fault f;

	nl_begin(&batch);
	put_link(0, (unsigned)dev->index, true);
	if (bridge_index)
		nl_put_u32(&batch, IFLA_MASTER, (uint32_t)bridge_index);
	return nl_talk(fd, &batch, &f) < 0 ? link_fail(e, &f, "set up", dev->name) : 0;
}

/* The MAC is given at birth: the kernel then keeps it when ports come and go. */
static int bridge_make(int fd, const struct net_plan *p, struct err *e)
{
	struct nl_fault f;
	uint8_t mac[6];
	size_t info;

	mac_random(mac);
	nl_begin(&batch);
	put_link(NLM_F_CREATE | NLM_F_EXCL, 0, true);
	nl_put_str(&batch, IFLA_IFNAME, p->bridge);
	nl_put(&batch, IFLA_ADDRESS, mac, sizeof(mac));
	if (p->mtu)
		nl_put_u32(&batch, IFLA_MTU, p->mtu);
	info = nl_nest(&batch, IFLA_LINKINFO);
	nl_put_str(&batch, IFLA_INFO_KIND, "bridge");
	nl_nest_end(&batch, info);
	/* EEXIST: a plugin was faster */
	return nl_talk(fd, &batch, &f) < 0 && f.error != EEXIST ? link_fail(e, &f, "make bridge", p->bridge) : 0;
}

static bool prefixes_overlap(const struct net_prefix *x, const struct net_prefix *y)
{
	return net_prefix_has(x, &y->ip) || net_prefix_has(y, &x->ip);
}

/* 1: it was given the address now; 0: it has it. */
static int bridge_address(int fd, const struct net_plan *p, const struct link_info *br, const struct lease *lease,
			  struct err *e)
{
	struct net_prefix want = { lease->gateway, lease->address.len };
	struct address_list l = { .index = (unsigned)br->index, .family = want.ip.family };
	char text[NET_PREFIX_TEXT], have[NET_PREFIX_TEXT];
	struct nl_fault f;
	uint8_t mac[6];

	if (addresses_get(fd, p->bridge, &l, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++)
		if (l.at[i].len == want.len && net_ip_cmp(&l.at[i].ip, &want.ip) == 0)
			return 0;
	nl_begin(&batch);
	for (size_t i = 0; i < l.n; i++) {
		if (want.ip.family != AF_INET && !prefixes_overlap(&l.at[i], &want))
			continue;
		if (!p->force_address)
			return err_set(e, ERR_FAILED_PRECONDITION,
				       "bridge %s has the address %s, and network %.64s needs %s: remove the first "
				       "one, or set forceAddress in the conflist", p->bridge,
				       net_prefix_text(&l.at[i], have), p->network, net_prefix_text(&want, text));
		put_address(RTM_DELADDR, 0, (unsigned)br->index, &l.at[i], 0);
	}
	put_address(RTM_NEWADDR, NLM_F_CREATE, (unsigned)br->index, &want, 0);
	/* The bridge keeps its MAC from now on, whoever made it. One that lost its last port has none, and the bridge
	 * plugin fails on it. */
	memcpy(mac, br->mac, sizeof(mac));
	if (!mac[0] && !memcmp(mac, mac + 1, sizeof(mac) - 1))
		mac_random(mac);
	put_link(0, (unsigned)br->index, false);
	nl_put(&batch, IFLA_ADDRESS, mac, sizeof(mac));
	if (nl_talk(fd, &batch, &f) < 0 && f.error == EACCES && want.ip.family == AF_INET6)
		return err_set(e, ERR_FAILED_PRECONDITION,
			       "the network gives IPv6 addresses, and IPv6 is off on bridge %s: "
			       "/proc/sys/net/ipv6/conf/%s/disable_ipv6", p->bridge, p->bridge);
	if (f.error && f.error != EEXIST)
		return link_fail(e, &f, "gateway address of bridge", p->bridge);
	return 1;
}

int link_bridge(int fd, const struct net_plan *p, const struct lease *leases, size_t n, struct link_info *out,
		struct err *e)
{
	struct nl_fault f;
	bool made = false;
	int changed = 0;

	if (link_get(fd, p->bridge, out, e) < 0)
		return -1;
	if (!out->index) {
		made = true;
		if (bridge_make(fd, p, e) < 0 || link_get(fd, p->bridge, out, e) < 0)
			return -1;
	}
	if (!out->index)
		return err_set(e, ERR_UNAVAILABLE, "bridge %s was removed while it was made", p->bridge);
	if (strcmp(out->kind, "bridge") != 0)
		return err_set(e, ERR_FAILED_PRECONDITION,
			       "device %s is there already and is no bridge: rename it, or name another bridge in the "
			       "conflist", p->bridge);
	if (!out->up && !made) {
		nl_begin(&batch);
		put_link(0, (unsigned)out->index, true);
		if (nl_talk(fd, &batch, &f) < 0)
			return link_fail(e, &f, "set up bridge", p->bridge);
	}
	for (size_t i = 0; p->gateway && i < n; i++) {
		int ret = bridge_address(fd, p, out, &leases[i], e);

		if (ret < 0)
			return -1;
		changed |= ret;
	}
	return changed ? link_get(fd, p->bridge, out, e) : 0; /* its MAC may be another one now */
}

static void put_veth(const struct link_veth *v)
{
	const struct ifinfomsg inside = { .ifi_family = AF_UNSPEC };
	size_t info, data, peer;
	void *head;

	put_link(NLM_F_CREATE | NLM_F_EXCL, 0, false);
	nl_put_str(&batch, IFLA_IFNAME, v->host);
	nl_put(&batch, IFLA_ADDRESS, v->host_mac, sizeof(v->host_mac));
	if (v->mtu)
		nl_put_u32(&batch, IFLA_MTU, v->mtu);
	if (v->bridge_index)
		nl_put_u32(&batch, IFLA_MASTER, (uint32_t)v->bridge_index);
	info = nl_nest(&batch, IFLA_LINKINFO);
	nl_put_str(&batch, IFLA_INFO_KIND, "veth");
	data = nl_nest(&batch, IFLA_INFO_DATA);
	peer = nl_nest(&batch, VETH_INFO_PEER);
	head = nl_reserve(&batch, sizeof(inside));
	if (head)
		memcpy(head, &inside, sizeof(inside));
	nl_put_str(&batch, IFLA_IFNAME, v->inside);
	nl_put(&batch, IFLA_ADDRESS, v->inside_mac, sizeof(v->inside_mac));
	if (v->mtu)
		nl_put_u32(&batch, IFLA_MTU, v->mtu);
	nl_put_u32(&batch, IFLA_NET_NS_FD, (uint32_t)v->netns);
	nl_nest_end(&batch, peer);
	nl_nest_end(&batch, data);
	nl_nest_end(&batch, info);
	/* An alias is taken by a later message only; of a device that is up it would make the kernel walk all routes of
	 * IPv6. */
	put_link(0, 0, false);
	nl_put_str(&batch, IFLA_IFNAME, v->host);
	nl_put(&batch, IFLA_IFALIAS, v->alias, strlen(v->alias));
	put_link(0, 0, true);
	nl_put_str(&batch, IFLA_IFNAME, v->host);
}

static void put_hairpin(int index)
{
	const struct ifinfomsg head = { .ifi_family = AF_BRIDGE, .ifi_index = index };
	size_t port;

	nl_message(&batch, RTM_SETLINK, NLM_F_ACK, &head, sizeof(head));
	port = nl_nest(&batch, IFLA_PROTINFO);
	nl_put_u8(&batch, IFLA_BRPORT_MODE, BRIDGE_MODE_HAIRPIN);
	nl_nest_end(&batch, port);
}

static int veth_fail(const struct nl_fault *f, const struct link_veth *v, struct err *e)
{
	if (f->error == EEXIST)
		return err_set(e, ERR_INTERNAL, "the sandbox has a device %s already", v->inside);
	if (f->error == EXFULL)
		return err_set(e, ERR_RESOURCE_EXHAUSTED,
			       "veth pair %s: the bridge is full, since a bridge takes %d ports", v->host,
			       BRIDGE_PORTS_MAX);
	return link_fail(e, f, "make veth pair", v->host);
}

/* The kernel does not say whose name is taken. Where the node has no such device, it may have been that of a pod
 * before, which the kernel removed between the two questions: once more. (ARCHITECTURE S65) */
static int veth_talk(int fd, const struct link_veth *v, struct err *e)
{
	struct link_info dev;
	struct nl_fault f;

	for (int tries = 0; tries < VETH_TRIES; tries++) {
		nl_begin(&batch);
		put_veth(v);
		if (nl_talk(fd, &batch, &f) == 0)
			return 0;
		if (f.error != EEXIST || f.nth != 0)
			break;
		if (link_get(fd, v->host, &dev, e) == 0 && dev.index)
			return err_set(e, ERR_ALREADY_EXISTS, "the node has a device %s already", v->host);
	}
	return veth_fail(&f, v, e);
}

int link_veth_make(int fd, const struct link_veth *v, struct err *e)
{
	struct link_info dev;
	struct nl_fault f;

	if (veth_talk(fd, v, e) < 0)
		return -1;
	if (!v->hairpin)
		return 0;
	if (link_get(fd, v->host, &dev, e) < 0)
		return -1;
	nl_begin(&batch);
	put_hairpin(dev.index);
	return nl_talk(fd, &batch, &f) < 0 ? link_fail(e, &f, "hairpin mode of", v->host) : 0;
}

/* A gratuitous ARP when the device comes up or its MAC is set. Into the last message, which sets it up: settings by
 * families come before. The ARP of that moment is lost on a bridge, whose port forwards later: link_announce(). */
static void put_arp_notify(void)
{
	size_t families = nl_nest(&batch, IFLA_AF_SPEC), inet = nl_nest(&batch, AF_INET),
	       conf = nl_nest(&batch, IFLA_INET_CONF);

	nl_put_u32(&batch, IPV4_DEVCONF_ARP_NOTIFY, 1);
	nl_nest_end(&batch, conf);
	nl_nest_end(&batch, inet);
	nl_nest_end(&batch, families);
}

int link_inside(int fd, const char *ifname, const struct net_plan *p, const struct lease *leases, size_t n,
		struct err *e)
{
	struct link_info dev;
	struct nl_fault f;

	if (link_get(fd, ifname, &dev, e) < 0)
		return -1;
	if (!dev.index)
		return err_set(e, ERR_INTERNAL, "device %s is gone", ifname);
	nl_begin(&batch);
	/* No search for duplicates, as the bridge plugin's accept_dad=0: addresses come from one list. With this flag
	 * an address can be the source of a route at once. */
	for (size_t i = 0; i < n; i++)
		put_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, (unsigned)dev.index, &leases[i].address,
			    (p->kind == NET_PTP ? IFA_F_NOPREFIXROUTE : 0) |
				    (leases[i].address.ip.family == AF_INET6 ? IFA_F_NODAD : 0));
	put_link(0, (unsigned)dev.index, true);
	put_arp_notify();
	for (size_t i = 0; p->kind == NET_PTP && i < n; i++)
		route_put_point(&batch, dev.index, &leases[i]);
	route_put_plan(&batch, dev.index, p, leases, n);
	if (nl_talk(fd, &batch, &f) == 0)
		return 0;
	return link_fail(e, &f, f.nth < n ? "address of" : f.nth == n ? "set up" : "routes of", ifname);
}

int link_announce(int fd, const char *ifname, const uint8_t mac[6], struct err *e)
{
	struct nl_fault f;

	nl_begin(&batch);
	put_link(0, 0, false);
	nl_put_str(&batch, IFLA_IFNAME, ifname);
	nl_put(&batch, IFLA_ADDRESS, mac, 6);
	return nl_talk(fd, &batch, &f) < 0 ? link_fail(e, &f, "set the MAC of", ifname) : 0;
}

int link_point(int fd, const char *host, const struct lease *leases, size_t n, struct err *e)
{
	struct link_info dev;
	struct nl_fault f;

	if (link_get(fd, host, &dev, e) < 0)
		return -1;
	nl_begin(&batch);
	for (size_t i = 0; i < n; i++) {
		struct net_prefix gateway = { leases[i].gateway, net_ip_bits(leases[i].gateway.family) };

		/* There are two ends, and no one to ask whether the address is in use. */
		put_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, (unsigned)dev.index, &gateway,
			    gateway.ip.family == AF_INET6 ? IFA_F_NODAD : 0);
		route_put_pod(&batch, dev.index, &leases[i].address.ip);
	}
	/* EEXIST: a route that is there, of a device that is looked after again */
	return nl_talk(fd, &batch, &f) < 0 && f.error != EEXIST ? link_fail(e, &f, "addresses and routes of", host) : 0;
}

int link_down(int fd, const char *host, const char *alias, struct err *e)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_change = IFF_UP };
	struct link_info dev;
	struct nl_fault f;

	if (link_get(fd, host, &dev, e) < 0)
		return -1;
	if (!dev.index || strcmp(dev.alias, alias) != 0 || !dev.up)
		return 0;
	head.ifi_index = dev.index;
	nl_begin(&batch);
	nl_message(&batch, RTM_NEWLINK, NLM_F_ACK, &head, sizeof(head));
	return nl_talk(fd, &batch, &f) < 0 && f.error != ENODEV ? link_fail(e, &f, "set down", host) : 0;
}
