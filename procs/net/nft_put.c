/* nft_put.c - see nft_put.h. */
#include "procs/net/nft_put.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "reactor/own.h"

enum { REG = NFT_REG_1, UDATA_ELEM_COMMENT = 0, UDATA_SET_COMMENT = 7 /* of libnftnl's udata.h */ };

/* ---- messages ---- */

static void put_nft(struct nl_batch *b, unsigned message, unsigned flags)
{
	const struct nfgenmsg head = { .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 };

	nl_message(b, NFNL_SUBSYS_NFTABLES << 8 | message, flags, &head, sizeof(head));
}

static void put_bound(struct nl_batch *b, unsigned message)
{
	const struct nfgenmsg head = { .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES) };

	nl_message(b, message, 0, &head, sizeof(head));
}

static void put_value(struct nl_batch *b, unsigned type, const void *value, size_t len)
{
	size_t nest = nl_nest(b, type);

	nl_put(b, NFTA_DATA_VALUE, value, len);
	nl_nest_end(b, nest);
}

/* Text as a comment of libnftnl: type, length with the NUL, text. */
static void put_comment(struct nl_batch *b, unsigned attribute, uint8_t type, const char *text)
{
	uint8_t data[2 + NFT_COMMENT_MAX] = { type };

	snprintf((char *)data + 2, NFT_COMMENT_MAX, "%s", text);
	data[1] = (uint8_t)(strlen((char *)data + 2) + 1);
	nl_put(b, attribute, data, 2u + data[1]);
}

bool nft_comment(const void *userdata, size_t len, char out[NFT_COMMENT_MAX])
{
	const uint8_t *p = userdata;

	while (len >= 2 && p[1] <= len - 2) {
		if (p[0] == UDATA_ELEM_COMMENT && p[1] && p[1] <= NFT_COMMENT_MAX && p[1 + p[1]] == '\0') {
			memcpy(out, p + 2, p[1]);
			return true;
		}
		len -= 2u + p[1];
		p += 2u + p[1];
	}
	return false;
}

void put_table(struct nl_batch *b)
{
	put_nft(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK);
	nl_put_str(b, NFTA_TABLE_NAME, NFT_TABLE);
}

void put_set(struct nl_batch *b, const struct nft_set *s)
{
	put_nft(b, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_ACK);
	nl_put_str(b, NFTA_SET_TABLE, NFT_TABLE);
	nl_put_str(b, NFTA_SET_NAME, s->name);
	if (s->data_len)
		nl_put_be32(b, NFTA_SET_FLAGS, NFT_SET_MAP);
	nl_put_be32(b, NFTA_SET_KEY_TYPE, s->key_type);
	nl_put_be32(b, NFTA_SET_KEY_LEN, s->key_len);
	if (s->data_len) {
		nl_put_be32(b, NFTA_SET_DATA_TYPE, s->data_type);
		nl_put_be32(b, NFTA_SET_DATA_LEN, s->data_len);
	}
	nl_put_be32(b, NFTA_SET_ID, 1);
	put_comment(b, NFTA_SET_USERDATA, UDATA_SET_COMMENT, s->comment);
}

void put_chain(struct nl_batch *b, const char *name, int hook, int priority)
{
	size_t nest;

	put_nft(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK);
	nl_put_str(b, NFTA_CHAIN_TABLE, NFT_TABLE);
	nl_put_str(b, NFTA_CHAIN_NAME, name);
	if (hook < 0)
		return;
	nest = nl_nest(b, NFTA_CHAIN_HOOK);
	nl_put_be32(b, NFTA_HOOK_HOOKNUM, (uint32_t)hook);
	nl_put_be32(b, NFTA_HOOK_PRIORITY, (uint32_t)priority);
	nl_nest_end(b, nest);
	nl_put_str(b, NFTA_CHAIN_TYPE, "nat");
}

void put_flush(struct nl_batch *b, const char *chain)
{
	put_nft(b, NFT_MSG_DELRULE, NLM_F_ACK);
	nl_put_str(b, NFTA_RULE_TABLE, NFT_TABLE);
	nl_put_str(b, NFTA_RULE_CHAIN, chain);
}

size_t put_rule(struct nl_batch *b, const char *chain)
{
	put_nft(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);
	nl_put_str(b, NFTA_RULE_TABLE, NFT_TABLE);
	nl_put_str(b, NFTA_RULE_CHAIN, chain);
	return nl_nest(b, NFTA_RULE_EXPRESSIONS);
}

void put_rule_end(struct nl_batch *b, size_t rule)
{
	nl_nest_end(b, rule);
}

static void put_element(struct nl_batch *b, unsigned message, unsigned flags, const struct nft_element *el)
{
	bool whole = message == NFT_MSG_NEWSETELEM;
	size_t list, elem;

	put_nft(b, message, flags | NLM_F_ACK);
	nl_put_str(b, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	nl_put_str(b, NFTA_SET_ELEM_LIST_SET, el->set);
	list = nl_nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
	elem = nl_nest(b, NFTA_LIST_ELEM);
	put_value(b, NFTA_SET_ELEM_KEY, el->key, el->key_len);
	if (whole && el->data)
		put_value(b, NFTA_SET_ELEM_DATA, el->data, el->data_len);
	if (whole)
		put_comment(b, NFTA_SET_ELEM_USERDATA, UDATA_ELEM_COMMENT, el->comment);
	nl_nest_end(b, elem);
	nl_nest_end(b, list);
}

void put_element_new(struct nl_batch *b, const struct nft_element *el, unsigned flags)
{
	put_element(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE | flags, el);
}

/* ---- expressions ---- */

static size_t expr(struct nl_batch *b, size_t *elem, const char *name)
{
	*elem = nl_nest(b, NFTA_LIST_ELEM);
	nl_put_str(b, NFTA_EXPR_NAME, name);
	return nl_nest(b, NFTA_EXPR_DATA);
}

static void expr_end(struct nl_batch *b, size_t elem, size_t data)
{
	nl_nest_end(b, data);
	nl_nest_end(b, elem);
}

static void expr_cmp(struct nl_batch *b, unsigned op, const void *value, size_t len)
{
	size_t elem, data = expr(b, &elem, "cmp");

	nl_put_be32(b, NFTA_CMP_SREG, REG);
	nl_put_be32(b, NFTA_CMP_OP, op);
	put_value(b, NFTA_CMP_DATA, value, len);
	expr_end(b, elem, data);
}

static void expr_mask(struct nl_batch *b, const void *mask, unsigned size)
{
	static const uint8_t zero[16];
	size_t elem, data = expr(b, &elem, "bitwise");

	nl_put_be32(b, NFTA_BITWISE_SREG, REG);
	nl_put_be32(b, NFTA_BITWISE_DREG, REG);
	nl_put_be32(b, NFTA_BITWISE_LEN, size);
	put_value(b, NFTA_BITWISE_MASK, mask, size);
	put_value(b, NFTA_BITWISE_XOR, zero, size);
	expr_end(b, elem, data);
}

static void expr_meta(struct nl_batch *b, unsigned key, unsigned reg)
{
	size_t elem, data = expr(b, &elem, "meta");

	nl_put_be32(b, NFTA_META_KEY, key);
	nl_put_be32(b, NFTA_META_DREG, reg);
	expr_end(b, elem, data);
}

static void expr_payload(struct nl_batch *b, unsigned base, unsigned offset, unsigned len, unsigned reg)
{
	size_t elem, data = expr(b, &elem, "payload");

	nl_put_be32(b, NFTA_PAYLOAD_DREG, reg);
	nl_put_be32(b, NFTA_PAYLOAD_BASE, base);
	nl_put_be32(b, NFTA_PAYLOAD_OFFSET, offset);
	nl_put_be32(b, NFTA_PAYLOAD_LEN, len);
	expr_end(b, elem, data);
}

void expr_family(struct nl_batch *b, int family)
{
	uint8_t proto = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

	expr_meta(b, NFT_META_NFPROTO, REG);
	expr_cmp(b, NFT_CMP_EQ, &proto, sizeof(proto));
}

void expr_address(struct nl_batch *b, int family, bool source, unsigned reg)
{
	unsigned v4 = source ? 12 : 16, v6 = source ? 8 : 24; /* offsets in the IP headers */

	expr_payload(b, NFT_PAYLOAD_NETWORK_HEADER, family == AF_INET ? v4 : v6, net_ip_size(family), reg);
}

void expr_in(struct nl_batch *b, const struct net_prefix *p, bool source, bool is)
{
	struct net_ip network = net_ip_network(p);
	unsigned size = net_ip_size(network.family);
	uint8_t mask[16];

	expr_address(b, network.family, source, REG);
	net_ip_mask(network.family, p->len, mask);
	expr_mask(b, mask, size);
	expr_cmp(b, is ? NFT_CMP_EQ : NFT_CMP_NEQ, network.bytes, size);
}

void expr_is_ip(struct nl_batch *b, const struct net_ip *ip, bool source)
{
	expr_address(b, ip->family, source, REG);
	expr_cmp(b, NFT_CMP_EQ, ip->bytes, net_ip_size(ip->family));
}

void expr_protocol(struct nl_batch *b, unsigned reg)
{
	expr_meta(b, NFT_META_L4PROTO, reg);
}

void expr_port(struct nl_batch *b, unsigned reg)
{
	expr_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, reg);
}

void expr_to_this_node(struct nl_batch *b)
{
	uint32_t local = RTN_LOCAL;
	size_t elem, data = expr(b, &elem, "fib");

	nl_put_be32(b, NFTA_FIB_DREG, REG);
	nl_put_be32(b, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nl_put_be32(b, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	expr_end(b, elem, data);
	expr_cmp(b, NFT_CMP_EQ, &local, sizeof(local));
}

void expr_dnatted(struct nl_batch *b)
{
	uint32_t bit = IPS_DST_NAT, none = 0;
	size_t elem, data = expr(b, &elem, "ct");

	nl_put_be32(b, NFTA_CT_KEY, NFT_CT_STATUS);
	nl_put_be32(b, NFTA_CT_DREG, REG);
	expr_end(b, elem, data);
	expr_mask(b, &bit, sizeof(bit));
	expr_cmp(b, NFT_CMP_NEQ, &none, sizeof(none));
}

static void expr_find(struct nl_batch *b, const char *set, bool value)
{
	size_t elem, data = expr(b, &elem, "lookup");

	nl_put_be32(b, NFTA_LOOKUP_SREG, REG);
	if (value)
		nl_put_be32(b, NFTA_LOOKUP_DREG, REG);
	nl_put_str(b, NFTA_LOOKUP_SET, set);
	nl_put_be32(b, NFTA_LOOKUP_SET_ID, 1);
	expr_end(b, elem, data);
}

void expr_in_set(struct nl_batch *b, const char *set)
{
	expr_find(b, set, false);
}

void expr_lookup(struct nl_batch *b, const char *map)
{
	expr_find(b, map, true);
}

void expr_dnat(struct nl_batch *b, int family)
{
	size_t elem, data = expr(b, &elem, "nat");

	nl_put_be32(b, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	nl_put_be32(b, NFTA_NAT_FAMILY, family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
	nl_put_be32(b, NFTA_NAT_REG_ADDR_MIN, REG);
	nl_put_be32(b, NFTA_NAT_REG_PROTO_MIN, family == AF_INET ? NFT_REG32_01 : NFT_REG_2);
	expr_end(b, elem, data);
}

void expr_jump(struct nl_batch *b, const char *chain)
{
	size_t elem, data = expr(b, &elem, "immediate"), value, verdict;

	nl_put_be32(b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	value = nl_nest(b, NFTA_IMMEDIATE_DATA);
	verdict = nl_nest(b, NFTA_DATA_VERDICT);
	nl_put_be32(b, NFTA_VERDICT_CODE, (uint32_t)NFT_JUMP);
	nl_put_str(b, NFTA_VERDICT_CHAIN, chain);
	nl_nest_end(b, verdict);
	nl_nest_end(b, value);
	expr_end(b, elem, data);
}

void expr_masquerade(struct nl_batch *b)
{
	size_t elem, data = expr(b, &elem, "masq");

	expr_end(b, elem, data);
}

/* ---- transactions ---- */

void nft_begin(struct nl_batch *b)
{
	nl_begin(b);
	put_bound(b, NFNL_MSG_BATCH_BEGIN);
}

/* One socket for all, so that our own transactions can be told from others (nft_port()). What the kernel may have said
 * behind a fault is thrown away. -1: errno. */
static int nft_socket(void)
{
	static int fd = -1;
	char rest[512];
	struct err e;

	if (fd < 0)
		fd = nl_open(NETLINK_NETFILTER, &e);
	while (fd >= 0 && recv(fd, rest, sizeof(rest), MSG_DONTWAIT) >= 0)
		;
	return fd;
}

uint32_t nft_port(void)
{
	struct sockaddr_nl name = { 0 };
	socklen_t len = sizeof(name);
	int fd = nft_socket();

	return fd >= 0 && getsockname(fd, (struct sockaddr *)&name, &len) == 0 ? name.nl_pid : 0;
}

int nft_commit(struct nl_batch *b, struct nl_fault *f)
{
	int fd = nft_socket();

	put_bound(b, NFNL_MSG_BATCH_END);
	if (fd < 0) {
		*f = (struct nl_fault){ .error = errno };
		return -1;
	}
	return nl_talk(fd, b, f);
}

int nft_element_take(struct nl_batch *b, const struct nft_element *el, struct nl_fault *f)
{
	nft_begin(b);
	put_element_new(b, el, NLM_F_EXCL);
	if (nft_commit(b, f) == 0 || f->error != EEXIST)
		return f->error ? -1 : 0;
	nft_begin(b);
	put_element(b, NFT_MSG_DELSETELEM, 0, el);
	put_element_new(b, el, 0);
	return nft_commit(b, f);
}

struct nft_owner {
	const char *comment;
	bool mine;
};

/* One element of a message: its key, and its comment. False: it has none. */
static bool element_read(const struct nl_attr *one, struct nl_attr *key, char comment[NFT_COMMENT_MAX])
{
	struct nl_attr at[NFTA_SET_ELEM_USERDATA + 1], value[NFTA_DATA_VALUE + 1];

	nl_attrs(at, NFTA_SET_ELEM_USERDATA, one->data, one->len);
	nl_attrs(value, NFTA_DATA_VALUE, at[NFTA_SET_ELEM_KEY].data, at[NFTA_SET_ELEM_KEY].len);
	*key = value[NFTA_DATA_VALUE];
	return key->data && nft_comment(at[NFTA_SET_ELEM_USERDATA].data, at[NFTA_SET_ELEM_USERDATA].len, comment);
}

/* The list of elements in a message; absent: it is another one. */
static struct nl_attr element_list(unsigned type, const void *body, size_t len)
{
	struct nl_attr list[NFTA_SET_ELEM_LIST_ELEMENTS + 1] = { 0 };

	if (type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM) && len >= sizeof(struct nfgenmsg))
		nl_attrs(list, NFTA_SET_ELEM_LIST_ELEMENTS, (const uint8_t *)body + sizeof(struct nfgenmsg),
			 len - sizeof(struct nfgenmsg));
	return list[NFTA_SET_ELEM_LIST_ELEMENTS];
}

static void on_element(void *arg, unsigned type, const void *body, size_t len)
{
	struct nft_owner *o = arg;
	struct nl_attr list = element_list(type, body, len), one[NFTA_LIST_ELEM + 1], key;
	char comment[NFT_COMMENT_MAX];

	nl_attrs(one, NFTA_LIST_ELEM, list.data, list.len);
	o->mine |= element_read(&one[NFTA_LIST_ELEM], &key, comment) && strcmp(comment, o->comment) == 0;
}

/* errno of a fault that says: there is no such thing. */
static bool is_absent(int error)
{
	return error == ENOENT || error == EOPNOTSUPP || error == EPROTONOSUPPORT;
}

/* -1: fault; a kernel without nf_tables has nothing. */
static int nft_ask(const struct nl_batch *b, nl_answer *fn, void *arg, struct nl_fault *f)
{
	int fd = nft_socket();

	*f = (struct nl_fault){ .error = fd < 0 ? errno : 0 };
	return fd < 0 ? -1 : nl_ask(fd, b, fn, arg, f);
}

int nft_element_there(struct nl_batch *b, const struct nft_element *el, struct nl_fault *f)
{
	struct nft_owner owner = { .comment = el->comment };

	nl_begin(b);
	put_element(b, NFT_MSG_GETSETELEM, 0, el);
	if (nft_ask(b, on_element, &owner, f) < 0)
		return is_absent(f->error) ? 0 : -1;
	return owner.mine;
}

int nft_element_drop(struct nl_batch *b, const struct nft_element *el, struct nl_fault *f)
{
	int there = nft_element_there(b, el, f);

	if (there <= 0)
		return there;
	nft_begin(b);
	put_element(b, NFT_MSG_DELSETELEM, 0, el);
	return nft_commit(b, f) < 0 && f->error != ENOENT ? -1 : 0;
}

static void on_rule(void *arg, unsigned type, const void *body, size_t len)
{
	(void)body;
	(void)len;
	*(int *)arg |= type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE);
}

int nft_chain_has_rules(struct nl_batch *b, const char *chain, struct nl_fault *f)
{
	int has = 0;

	nl_begin(b);
	put_nft(b, NFT_MSG_GETRULE, NLM_F_DUMP);
	nl_put_str(b, NFTA_RULE_TABLE, NFT_TABLE);
	nl_put_str(b, NFTA_RULE_CHAIN, chain);
	if (nft_ask(b, on_rule, &has, f) < 0)
		return is_absent(f->error) ? 0 : -1;
	return has;
}

enum { SETS_MAX = 4096 };

struct nft_sets {
	char (*at)[NFT_NAME_MAX]; /* owned */
	size_t n;
};

static void on_set(void *arg, unsigned type, const void *body, size_t len)
{
	struct nft_sets *s = arg;
	struct nl_attr at[NFTA_SET_NAME + 1];
	const char *name;

	if (type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET) || len < sizeof(struct nfgenmsg))
		return;
	nl_attrs(at, NFTA_SET_NAME, (const uint8_t *)body + sizeof(struct nfgenmsg), len - sizeof(struct nfgenmsg));
	name = nl_attr_str(&at[NFTA_SET_NAME]);
	if (s->n < SETS_MAX && *name && strlen(name) < NFT_NAME_MAX)
		memcpy(s->at[s->n++], name, strlen(name) + 1);
}

struct nft_walk {
	const char *set;
	nft_seen *fn;
	void *arg;
};

static void on_elements(void *arg, unsigned type, const void *body, size_t len)
{
	const struct nft_walk *w = arg;
	struct nl_attr list = element_list(type, body, len), key;
	const uint8_t *p = list.data, *end = p + list.len;
	char comment[NFT_COMMENT_MAX];

	while (p && (size_t)(end - p) >= NLA_HDRLEN) {
		struct nlattr a;

		memcpy(&a, p, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || a.nla_len > (size_t)(end - p))
			return;
		if (element_read(&(struct nl_attr){ p + NLA_HDRLEN, a.nla_len - NLA_HDRLEN }, &key, comment))
			w->fn(w->arg, &(struct nft_element){ .set = w->set, .key = key.data, .key_len = key.len,
							     .comment = comment });
		p += NLA_ALIGN(a.nla_len) < end - p ? NLA_ALIGN(a.nla_len) : end - p;
	}
}

int nft_each_element(struct nl_batch *b, nft_seen *fn, void *arg, struct nl_fault *f)
{
	auto_free char (*names)[NFT_NAME_MAX] = own_must(calloc(SETS_MAX, sizeof(*names)));
	struct nft_sets sets = { names, 0 };
	int ret;

	nl_begin(b);
	put_nft(b, NFT_MSG_GETSET, NLM_F_DUMP);
	nl_put_str(b, NFTA_SET_TABLE, NFT_TABLE);
	ret = nft_ask(b, on_set, &sets, f);
	for (size_t i = 0; ret == 0 && i < sets.n; i++) {
		struct nft_walk w = { sets.at[i], fn, arg };

		nl_begin(b);
		put_nft(b, NFT_MSG_GETSETELEM, NLM_F_DUMP);
		nl_put_str(b, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
		nl_put_str(b, NFTA_SET_ELEM_LIST_SET, w.set);
		ret = nft_ask(b, on_elements, &w, f);
		if (ret < 0 && is_absent(f->error))
			ret = 0; /* it went meanwhile */
	}
	return ret < 0 && is_absent(f->error) ? 0 : ret;
}

int nft_table_remove(struct nl_batch *b, struct nl_fault *f)
{
	nft_begin(b);
	put_nft(b, NFT_MSG_DELTABLE, NLM_F_ACK);
	nl_put_str(b, NFTA_TABLE_NAME, NFT_TABLE);
	return nft_commit(b, f) < 0 && f->error != ENOENT ? -1 : 0;
}

int nft_fail(struct err *e, const char *what, const char *network, const struct nl_fault *f)
{
	return err_set(e, ERR_INTERNAL, "%s of network %.64s by nftables: %s%s", what, network, nl_fault_text(f),
		       f->error == EPROTONOSUPPORT || f->error == EOPNOTSUPP ?
			       " (does this kernel have nf_tables with nft_masq, nft_nat and nft_fib_inet?)" : "");
}

void nft_subnet_name(char out[NFT_NAME_MAX], const char *prefix, const char *network, const struct net_prefix *address)
{
	struct net_prefix subnet = { net_ip_network(address), address->len };
	char text[NET_PREFIX_TEXT];
	uint64_t h = 0xcbf29ce484222325; /* FNV-1a of the network's name, a space and the subnet */

	for (const char *at = network; *at; at++)
		h = (h ^ (uint8_t)*at) * 0x100000001b3;
	h = (h ^ ' ') * 0x100000001b3;
	for (const char *at = net_prefix_text(&subnet, text); *at; at++)
		h = (h ^ (uint8_t)*at) * 0x100000001b3;
	snprintf(out, NFT_NAME_MAX, "%.10s-%016llx", prefix, (unsigned long long)h);
}
