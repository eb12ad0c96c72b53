/* nft.c - see nft.h. */
#include "procs/net/nft.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>

enum { PRIORITY_SRCNAT = 100 };

static struct nl_batch batch; /* one transaction at a time */

void nft_name(char out[NFT_NAME_MAX], const struct nft_pod *pod)
{
	nft_subnet_name(out, "masq", pod->network, &pod->address);
}

/* Table, set and chain: what is there stays, but the chain's rules are written anew. */
void nft_put_chain(struct nl_batch *b, const struct nft_pod *pod)
{
	int family = pod->address.ip.family;
	const struct net_prefix multicast = { { family, { family == AF_INET ? 0xe0 : 0xff } },
					      family == AF_INET ? 4 : 8 };
	struct net_prefix subnet = { net_ip_network(&pod->address), pod->address.len };
	char name[NFT_NAME_MAX], text[NET_PREFIX_TEXT], comment[NFT_COMMENT_MAX];
	size_t rule;

	nft_name(name, pod);
	snprintf(comment, sizeof(comment), "%.60s %s", pod->network, net_prefix_text(&subnet, text));
	put_table(b);
	put_set(b, &(struct nft_set){ .name = name, .comment = comment, .key_len = net_ip_size(family),
				      .key_type = family == AF_INET ? NFT_IPADDR : NFT_IP6ADDR });
	put_chain(b, name, NF_INET_POST_ROUTING, PRIORITY_SRCNAT);
	put_flush(b, name);
	rule = put_rule(b, name);
	expr_family(b, family);
	expr_address(b, family, true, NFT_REG_1);
	expr_in_set(b, name);
	expr_in(b, &subnet, false, false);
	expr_in(b, &multicast, false, false);
	expr_masquerade(b);
	put_rule_end(b, rule);
}

static struct nft_element nft_element_of(const struct nft_pod *pod, char name[NFT_NAME_MAX])
{
	nft_name(name, pod);
	return (struct nft_element){ .set = name, .key = pod->address.ip.bytes,
				     .key_len = net_ip_size(pod->address.ip.family), .comment = pod->id };
}

void nft_put_element(struct nl_batch *b, const struct nft_pod *pod, unsigned flags)
{
	char name[NFT_NAME_MAX];
	struct nft_element el = nft_element_of(pod, name);

	put_element_new(b, &el, flags);
}

int nft_masquerade(const struct nft_pod *pod, struct err *e)
{
	char name[NFT_NAME_MAX];
	struct nft_element el = nft_element_of(pod, name);
	struct nl_fault f;

	if (nft_element_take(&batch, &el, &f) == 0)
		return 0;
	if (f.error == ENOENT)
		return nft_masquerade_again(pod, true, e);
	return nft_fail(e, "masquerading", pod->network, &f);
}

int nft_masquerade_again(const struct nft_pod *pod, bool whole, struct err *e)
{
	struct nl_fault f;

	nft_begin(&batch);
	if (whole)
		nft_put_chain(&batch, pod);
	nft_put_element(&batch, pod, 0);
	return nft_commit(&batch, &f) < 0 ? nft_fail(e, "masquerading", pod->network, &f) : 0;
}

int nft_unmasquerade(const struct nft_pod *pod, struct err *e)
{
	char name[NFT_NAME_MAX];
	struct nft_element el = nft_element_of(pod, name);
	struct nl_fault f;

	return nft_element_drop(&batch, &el, &f) < 0 ? nft_fail(e, "end of masquerading", pod->network, &f) : 0;
}

int nft_masquerades(const struct nft_pod *pod, struct err *e)
{
	char name[NFT_NAME_MAX];
	struct nft_element el = nft_element_of(pod, name);
	struct nl_fault f;
	int ret = nft_chain_has_rules(&batch, name, &f);

	if (ret > 0)
		ret = nft_element_there(&batch, &el, &f);
	return ret < 0 ? nft_fail(e, "masquerading", pod->network, &f) : ret;
}
