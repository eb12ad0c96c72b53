/* ports.c - see ports.h. */
#include "procs/net/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/own.h"

enum { PRIORITY_DSTNAT = -100, PRIORITY_SRCNAT = 100 };
enum { KEY_MAX = 24, DATA_MAX = 20 };

/* Of nf_internals.h of the kernel: which parts of the tuple a filter compares. */
enum { FILTER_PROTO = 1 << 3, FILTER_DST_PORT = 1 << 5 };

static struct nl_batch batch; /* one transaction at a time */

/* ---- reading ---- */

static int port_read(struct host_port *p, const json_t *from, struct err *e)
{
	static const struct { const char *word; uint8_t number; } protocols[] = {
		{ "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "sctp", IPPROTO_SCTP } };
	const char *protocol = json_string_value(json_object_get(from, "protocol")),
		   *on = json_string_value(json_object_get(from, "hostIP"));
	json_int_t host = json_integer_value(json_object_get(from, "hostPort")),
		   inside = json_integer_value(json_object_get(from, "containerPort"));
	struct net_ip ip;

	*p = (struct host_port){ .host = (uint16_t)host, .inside = (uint16_t)inside };
	for (size_t i = 0; protocol && i < sizeof(protocols) / sizeof(*protocols); i++)
		if (strcmp(protocol, protocols[i].word) == 0)
			p->protocol = protocols[i].number;
	if (!p->protocol || host < 1 || host > 65535 || inside < 1 || inside > 65535)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "hostPort %lld to port %lld of the container (%.16s) cannot be made", (long long)host,
			       (long long)inside, protocol ? protocol : "no protocol");
	if (!on || !*on)
		return 0;
	if (net_ip_parse(&ip, on) < 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "hostPort %lld: hostIP \"%.64s\" is no address",
			       (long long)host, on);
	for (unsigned i = 0; i < sizeof(ip.bytes); i++)
		if (ip.bytes[i]) /* 0.0.0.0 and :: are all addresses of their family */
			p->on = ip;
	if (!p->on.family)
		p->on = (struct net_ip){ ip.family, { 0 } };
	return 0;
}

int ports_read(struct host_port **out, size_t *n, const json_t *caps, struct err *e)
{
	const json_t *all = json_object_get(caps, "portMappings"), *one;
	size_t i;

	*n = json_array_size(all);
	*out = NULL;
	if (*n > HOST_PORTS_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "a pod may have %d hostPorts, not %zu", HOST_PORTS_MAX, *n);
	if (!*n)
		return 0;
	*out = own_must(calloc(*n, sizeof(**out)));
	json_array_foreach(all, i, one) {
		if (port_read(&(*out)[i], one, e) < 0) {
			free(take_ptr(out));
			*n = 0;
			return -1;
		}
	}
	return 0;
}

int ports_of(struct host_port **out, size_t *n, const struct net_plan *plan, const char *caps, struct err *e)
{
	struct err ignored;
	auto_json json_t *told = NULL;

	*out = NULL;
	*n = 0;
	if (!plan->host_ports || !*caps)
		return 0;
	told = json_parse(caps, strlen(caps), "capability arguments", &ignored);
	return ports_read(out, n, told, e);
}

/* ---- elements ---- */

static bool is_any(const struct net_ip *ip)
{
	static const uint8_t zero[16];

	return memcmp(ip->bytes, zero, sizeof(zero)) == 0;
}

struct port_element {
	char name[16];
	uint8_t key[KEY_MAX], data[DATA_MAX];
	struct nft_element el;
};

/* Fields of a key or value are padded to four bytes. False: the port is of the other family. */
static bool port_element_of(struct port_element *p, const struct nft_pod *pod, const struct host_port *port)
{
	int family = pod->address.ip.family;
	unsigned size = net_ip_size(family), at = 0;
	bool on_one = port->on.family && !is_any(&port->on);
	uint16_t host = htons(port->host), inside = htons(port->inside);

	if (port->on.family && port->on.family != family)
		return false;
	*p = (struct port_element){ .name = "" };
	snprintf(p->name, sizeof(p->name), "port%d%s", family == AF_INET ? 4 : 6, on_one ? "-ip" : "");
	if (on_one) {
		memcpy(p->key, port->on.bytes, size);
		at = size;
	}
	p->key[at] = port->protocol;
	memcpy(p->key + at + 4, &host, sizeof(host));
	memcpy(p->data, pod->address.ip.bytes, size);
	memcpy(p->data + size, &inside, sizeof(inside));
	p->el = (struct nft_element){ .set = p->name, .key = p->key, .key_len = at + 8, .data = p->data,
				      .data_len = size + 4, .comment = pod->id };
	return true;
}

static struct nft_element snat_element_of(const struct nft_pod *pod, char name[NFT_NAME_MAX])
{
	nft_subnet_name(name, "snat", pod->network, &pod->address);
	return (struct nft_element){ .set = name, .key = pod->address.ip.bytes,
				     .key_len = net_ip_size(pod->address.ip.family), .comment = pod->id };
}

/* ---- chains and maps ---- */

static void put_maps(int family)
{
	bool v4 = family == AF_INET;
	uint32_t ip = v4 ? NFT_IPADDR : NFT_IP6ADDR, size = net_ip_size(family), port = NFT_PAIR(NFT_PROTO, NFT_PORT);

	put_set(&batch, &(struct nft_set){ .name = v4 ? "port4" : "port6", .comment = "hostPorts", .key_type = port,
					   .key_len = 8, .data_type = NFT_PAIR(ip, NFT_PORT), .data_len = size + 4 });
	put_set(&batch, &(struct nft_set){ .name = v4 ? "port4-ip" : "port6-ip", .comment = "hostPorts with a hostIP",
					   .key_type = NFT_PAIR(NFT_PAIR(ip, NFT_PROTO), NFT_PORT), .key_len = size + 8,
					   .data_type = NFT_PAIR(ip, NFT_PORT), .data_len = size + 4 });
}

static void put_dnat(int family, bool on_one)
{
	bool v4 = family == AF_INET;
	/* the registers of four bytes behind the address */
	unsigned first = !on_one ? NFT_REG_1 : v4 ? NFT_REG32_01 : NFT_REG32_04;
	size_t rule = put_rule(&batch, "ports");

	expr_family(&batch, family);
	if (on_one)
		expr_address(&batch, family, false, NFT_REG_1);
	expr_protocol(&batch, first);
	expr_port(&batch, first == NFT_REG_1 ? NFT_REG32_01 : first + 1);
	expr_lookup(&batch, v4 ? on_one ? "port4-ip" : "port4" : on_one ? "port6-ip" : "port6");
	expr_dnat(&batch, family);
	put_rule_end(&batch, rule);
}

static void put_hook(const char *name, int hook)
{
	size_t rule;

	put_chain(&batch, name, hook, PRIORITY_DSTNAT);
	put_flush(&batch, name);
	rule = put_rule(&batch, name);
	expr_to_this_node(&batch);
	expr_jump(&batch, "ports");
	put_rule_end(&batch, rule);
}

static void put_ports_chains(void)
{
	put_table(&batch);
	put_maps(AF_INET);
	put_maps(AF_INET6);
	put_chain(&batch, "ports", -1, 0);
	put_flush(&batch, "ports");
	put_dnat(AF_INET, true);
	put_dnat(AF_INET, false);
	put_dnat(AF_INET6, true);
	put_dnat(AF_INET6, false);
	put_hook("ports-in", NF_INET_PRE_ROUTING);
	put_hook("ports-out", NF_INET_LOCAL_OUT);
}

static void put_snat_chain(const struct nft_pod *pod)
{
	int family = pod->address.ip.family;
	struct net_prefix subnet = { net_ip_network(&pod->address), pod->address.len };
	const struct net_ip loopback = { AF_INET, { 127, 0, 0, 1 } };
	char name[NFT_NAME_MAX], text[NET_PREFIX_TEXT], comment[NFT_COMMENT_MAX];
	size_t rule;

	nft_subnet_name(name, "snat", pod->network, &pod->address);
	snprintf(comment, sizeof(comment), "%.60s %s", pod->network, net_prefix_text(&subnet, text));
	put_set(&batch, &(struct nft_set){ .name = name, .comment = comment, .key_len = net_ip_size(family),
					   .key_type = family == AF_INET ? NFT_IPADDR : NFT_IP6ADDR });
	put_chain(&batch, name, NF_INET_POST_ROUTING, PRIORITY_SRCNAT);
	put_flush(&batch, name);
	rule = put_rule(&batch, name);
	expr_family(&batch, family);
	expr_in(&batch, &subnet, true, true);
	expr_dnatted(&batch);
	expr_address(&batch, family, false, NFT_REG_1);
	expr_in_set(&batch, name);
	expr_masquerade(&batch);
	put_rule_end(&batch, rule);
	if (family != AF_INET)
		return;
	rule = put_rule(&batch, name);
	expr_family(&batch, family);
	expr_is_ip(&batch, &loopback, true);
	expr_address(&batch, family, false, NFT_REG_1);
	expr_in_set(&batch, name);
	expr_masquerade(&batch);
	put_rule_end(&batch, rule);
}

/* ---- operations ---- */

int ports_again(const struct nft_pod *pod, const struct host_port *ports, size_t n, bool snat, struct err *e)
{
	char name[NFT_NAME_MAX];
	struct nft_element el = snat_element_of(pod, name);
	struct nl_fault f = { 0 };

	nft_begin(&batch);
	put_ports_chains();
	if (snat) {
		put_snat_chain(pod);
		put_element_new(&batch, &el, 0);
	}
	if (nft_commit(&batch, &f) < 0)
		return nft_fail(e, "hostPorts", pod->network, &f);
	for (size_t i = 0; i < n; i++) {
		struct port_element p;

		if (port_element_of(&p, pod, &ports[i]) && nft_element_take(&batch, &p.el, &f) < 0)
			return nft_fail(e, "hostPorts", pod->network, &f);
	}
	return 0;
}

/* The whole of it, with a last message that must fail: the kernel looks at each message of a transaction, and takes
 * none when one is bad. */
int ports_able(struct err *e)
{
	const struct nft_pod nobody = { "able", { { AF_INET, { 192, 0, 2, 0 } }, 24 }, "" };
	struct nl_fault f = { 0 };

	nft_begin(&batch);
	put_ports_chains();
	put_snat_chain(&nobody);
	nft_put_chain(&batch, &nobody);
	put_flush(&batch, "able-not");
	if (nft_commit(&batch, &f) < 0 && f.error == ENOENT && f.nth == batch.acks - 1)
		return 0;
	return err_set(e, ERR_UNIMPLEMENTED,
		       "nftables of this kernel cannot do it: %s at message %u of %u (nf_tables with nft_masq, "
		       "nft_nat, nft_ct and nft_fib_inet are needed)", nl_fault_text(&f), f.nth + 1, batch.acks);
}

/* A flow of UDP that was here before its hostPort would go where it went. Only information for the kernel: a fault is
 * none of the pod's. */
static void forget_flows(int family, uint16_t port)
{
	const struct nfgenmsg head = { .nfgen_family = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6,
				       .version = NFNETLINK_V0 };
	uint16_t net_port = htons(port);
	size_t nest, proto;
	struct nl_fault f;
	struct err e;
	auto_fd int fd = nl_open(NETLINK_NETFILTER, &e);

	if (fd < 0)
		return;
	nl_begin(&batch);
	nl_message(&batch, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, NLM_F_ACK, &head, sizeof(head));
	nest = nl_nest(&batch, CTA_TUPLE_ORIG);
	proto = nl_nest(&batch, CTA_TUPLE_PROTO);
	nl_put_u8(&batch, CTA_PROTO_NUM, IPPROTO_UDP);
	nl_put(&batch, CTA_PROTO_DST_PORT, &net_port, sizeof(net_port));
	nl_nest_end(&batch, proto);
	nl_nest_end(&batch, nest);
	nest = nl_nest(&batch, CTA_FILTER);
	nl_put_u32(&batch, CTA_FILTER_ORIG_FLAGS, FILTER_PROTO | FILTER_DST_PORT);
	nl_nest_end(&batch, nest);
	nl_talk(fd, &batch, &f);
}

int ports_open(const struct nft_pod *pod, const struct host_port *ports, size_t n, bool snat, struct err *e)
{
	char name[NFT_NAME_MAX];
	struct nft_element el = snat_element_of(pod, name);
	struct nl_fault f = { 0 };
	int ret = snat ? nft_element_take(&batch, &el, &f) : 0;

	for (size_t i = 0; ret == 0 && i < n; i++) {
		struct port_element p;

		if (port_element_of(&p, pod, &ports[i]))
			ret = nft_element_take(&batch, &p.el, &f);
	}
	if (ret < 0 && f.error == ENOENT)
		ret = ports_again(pod, ports, n, snat, e);
	else if (ret < 0)
		ret = nft_fail(e, "hostPorts", pod->network, &f);
	for (size_t i = 0; ret == 0 && i < n; i++)
		if (ports[i].protocol == IPPROTO_UDP)
			forget_flows(pod->address.ip.family, ports[i].host);
	return ret;
}

int ports_close(const struct nft_pod *pod, const struct host_port *ports, size_t n, bool snat, struct err *e)
{
	char name[NFT_NAME_MAX];
	struct nft_element el = snat_element_of(pod, name);
	struct nl_fault f = { 0 };
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < n; i++) {
		struct port_element p;

		if (port_element_of(&p, pod, &ports[i]))
			ret = nft_element_drop(&batch, &p.el, &f);
	}
	if (ret == 0 && n && snat)
		ret = nft_element_drop(&batch, &el, &f);
	return ret < 0 ? nft_fail(e, "end of hostPorts", pod->network, &f) : 0;
}

int ports_there(const struct nft_pod *pod, const struct host_port *ports, size_t n, bool snat, struct err *e)
{
	static const char *const chains[] = { "ports", "ports-in", "ports-out", NULL };
	char name[NFT_NAME_MAX];
	struct nft_element el = snat_element_of(pod, name);
	struct nl_fault f = { 0 };
	int ret = 1;

	for (const char *const *chain = chains; ret > 0 && *chain; chain++)
		ret = nft_chain_has_rules(&batch, *chain, &f);
	if (ret > 0 && snat)
		ret = nft_chain_has_rules(&batch, name, &f);
	if (ret > 0 && snat)
		ret = nft_element_there(&batch, &el, &f);
	for (size_t i = 0; ret > 0 && i < n; i++) {
		struct port_element p;

		if (port_element_of(&p, pod, &ports[i]))
			ret = nft_element_there(&batch, &p.el, &f);
	}
	return ret < 0 ? nft_fail(e, "hostPorts", pod->network, &f) : ret;
}
