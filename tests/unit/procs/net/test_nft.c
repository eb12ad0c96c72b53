/* The messages for nftables, byte by byte against those that the command nft of Debian 12 sends for the same rules, and
 * what is read of answers. */
#include "procs/net/nft.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/tap.h"

static struct nl_batch b;

static const char *hex(const void *bytes, size_t len)
{
	static char out[4096];
	const uint8_t *p = bytes;

	out[0] = '\0';
	for (size_t i = 0; i < len && 2 * i < sizeof(out) - 3; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
	return out;
}

static struct nft_pod pod(const char *address, const char *id)
{
	struct nft_pod p = { .network = "lab", .id = id };

	net_prefix_parse(&p.address, address);
	return p;
}

/* What `nft add rule inet crisp masq-af385f2ddd0e4c3f ip saddr @masq-af385f2ddd0e4c3f ip daddr != 10.9.0.0/20
 * ip daddr != 224.0.0.0/4 masquerade` sends as NFTA_RULE_EXPRESSIONS. */
static const char rule[] =
	"24000180090001006d6574610000000014000280080002000000000f08000100000000012c00018008000100636d70002000"
	"0280080001000000000108000200000000000c0003800500010002000000340001800c0001007061796c6f61640024000280"
	"08000100000000010800020000000001080003000000000c0800040000000004400001800b0001006c6f6f6b757000003000"
	"028008000200000000011a0001006d6173712d61663338356632646464306534633366000000080004000000000134000180"
	"0c0001007061796c6f6164002400028008000100000000010800020000000001080003000000001008000400000000044400"
	"01800c0001006269747769736500340002800800010000000001080002000000000108000300000000040c00048008000100"
	"fffff0000c00058008000100000000002c00018008000100636d700020000280080001000000000108000200000000010c00"
	"0380080001000a090000340001800c0001007061796c6f616400240002800800010000000001080002000000000108000300"
	"000000100800040000000004440001800c000100626974776973650034000280080001000000000108000200000000010800"
	"0300000000040c00048008000100f00000000c00058008000100000000002c00018008000100636d70002000028008000100"
	"0000000108000200000000010c00038008000100e000000014000180090001006d6173710000000004000280";

static bool is_in_batch(const char *want)
{
	static char all[2 * NL_BATCH_MAX + 1];

	for (size_t i = 0; i < b.len; i++)
		sprintf(all + 2 * i, "%02x", b.at[i]);
	return strstr(all, want);
}

static void a_rule(void)
{
	struct nft_pod p = pod("10.9.0.2/20", "ab");
	char name[NFT_NAME_MAX];

	nft_name(name, &p);
	is_str(name, "masq-af385f2ddd0e4c3f");
	nl_begin(&b);
	nft_put_chain(&b, &p);
	ok(!b.full && b.acks == 5 && is_in_batch(rule));
}

/* As `nft add element inet crisp masq-af385f2ddd0e4c3f { 10.9.0.2 comment "ab" }`. */
static void an_element(void)
{
	struct nft_pod p = pod("10.9.0.2/20", "ab");

	nl_begin(&b);
	nft_put_element(&b, &p, 0);
	is_str(hex(b.at, 20), "5c0000000c0a05040000000000000000" "01000000");
	is_str(hex(b.at + 20, b.len - 20),
	       "0a000100" "6372697370000000"				     /* table crisp */
	       "1a000200" "6d6173712d61663338356632646464306534633366000000" /* set */
	       "20000380" "1c000180" "0c000180" "08000100" "0a090002"	     /* the key */
	       "09000600" "0003616200000000");				     /* the comment "ab" */
}

static void comments(void)
{
	static const char good[] = "\0\3ab", second[] = "\7\1\0\0\3ab", cut[] = "\0\4ab", none[] = "\7\1\0";
	char out[NFT_COMMENT_MAX];

	ok(nft_comment(good, 5, out));
	is_str(out, "ab");
	ok(nft_comment(second, 8, out));
	ok(!nft_comment(cut, 5, out) && !nft_comment(none, 3, out) && !nft_comment(NULL, 0, out));
	ok(!nft_comment("\0\3abc", 5, out)); /* no NUL */
	ok(!nft_comment("\0\0", 2, out));
}

static void a_name_for_each_subnet(void)
{
	struct nft_pod x = pod("10.9.0.2/24", "a"), y = pod("10.9.0.7/24", "b"), z = pod("10.9.0.7/16", "b"),
		       v6 = pod("fd00::2/64", "b");
	char nx[NFT_NAME_MAX], ny[NFT_NAME_MAX], nz[NFT_NAME_MAX], n6[NFT_NAME_MAX];

	nft_name(nx, &x);
	nft_name(ny, &y);
	nft_name(nz, &z);
	nft_name(n6, &v6);
	ok(strcmp(nx, ny) == 0 && strcmp(nx, nz) != 0 && strcmp(nx, n6) != 0);
	x.network = "other";
	nft_name(nx, &x);
	ok(strcmp(nx, ny) != 0);
}

static void attributes_of_any_bytes(void)
{
	static const uint8_t odd[] = { 8, 0, 1, 0, 1, 2, 3, 4, 3, 0, 2, 0 }, long_one[] = { 200, 0, 1, 0, 1 };
	struct nl_attr at[3];

	nl_attrs(at, 2, odd, sizeof(odd));
	ok(at[1].len == 4 && nl_attr_u32(&at[1]) == 0x04030201 && !at[2].data);
	nl_attrs(at, 2, long_one, sizeof(long_one));
	ok(!at[1].data);
	nl_attrs(at, 2, "", 0);
	ok(!at[0].data && nl_attr_u32(&at[0]) == 0);
	is_str(nl_attr_str(&(struct nl_attr){ "abc", 3 }), "");
}

static void a_batch_that_is_full_is_an_error(void)
{
	static char big[30000];
	struct nl_fault f;

	nl_begin(&b);
	for (int i = 0; i < 3; i++) {
		nl_message(&b, 1, NLM_F_ACK, "", 0);
		nl_put(&b, 1, big, sizeof(big));
	}
	ok(b.full && b.len <= NL_BATCH_MAX);
	ok(nl_talk(-1, &b, &f) < 0 && f.error == EMSGSIZE);
}

int main(void)
{
	a_rule();
	an_element();
	comments();
	a_name_for_each_subnet();
	attributes_of_any_bytes();
	a_batch_that_is_full_is_an_error();
	return tap_end();
}
