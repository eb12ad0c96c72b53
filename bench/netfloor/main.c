/* main.c - netfloor DIR: measures the kernel's part of a pod's network, with nothing around it. The stages net_add and
 * net_del of crispd are compared with it. crisp-bench starts it as an endpoint, which takes its turn like a server.
 *
 * It reads one word a line from standard input and answers each with one JSON object a line, times in milliseconds:
 *
 *   up    "net_add" and its parts: DIR's lock and the files of an address (lease); a veth pair on the bridge
 *         "netfloor0" (veth); address, device up and default route in the namespace (inside); a file of two KiB in DIR
 *         (cache); an element of a set of nftables (element); the wait until packets pass (carrier)
 *   down  "net_del" and its parts: the device down (veth); the element gone (element); the files gone (lease)
 *
 * The network namespace is there before and goes after, as in a pod's life: that is not in the figures. The caller
 * makes DIR and the bridge (10.187.0.1/16), and gives the program a network namespace of its own for its table. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/floor/message.h"

enum { CACHE_BYTES = 2048, CARRIER_POLL_US = 50 };
static const char table[] = "netfloor", set[] = "pods";

struct pod { /* one at a time */
	unsigned n;
	int netns; /* -1: none */
	char host[IFNAMSIZ], text[INET_ADDRSTRLEN];
	uint8_t address[4];
};

static struct {
	const char *dir;
	int own, route, nft, device; /* namespace, netlink, netlink, a socket for ioctl(2) */
	unsigned bridge;
} node;

/* ---- nftables ---- */

static void *nft(struct message *m, unsigned message, unsigned flags)
{
	unsigned short type = (unsigned short)(NFNL_SUBSYS_NFTABLES << 8 | message);
	struct nfgenmsg *head = message_begin(m, type, (unsigned short)flags, sizeof(*head));

	head->nfgen_family = NFPROTO_INET;
	return head;
}

static void put_text(struct message *m, unsigned short type, const char *text)
{
	message_put(m, type, text, strlen(text) + 1);
}

static void put_number(struct message *m, unsigned short type, uint32_t v)
{
	v = htonl(v);
	message_put(m, type, &v, sizeof(v));
}

/* A transaction of one message: its bounds are messages of the same datagram. */
static void nft_commit(struct message *m, const char *what)
{
	static uint8_t all[3 * sizeof(struct message)];
	struct message bound;
	struct nfgenmsg *head;
	char answer[4096];
	const struct nlmsghdr *h = (const void *)answer;
	size_t len = 0;

	for (unsigned i = 0; i < 3; i++) {
		const struct message *part = i == 1 ? m : &bound;

		head = message_begin(&bound, i ? NFNL_MSG_BATCH_END : NFNL_MSG_BATCH_BEGIN, 0, sizeof(*head));
		bound.head.nlmsg_flags = NLM_F_REQUEST;
		head->res_id = htons(NFNL_SUBSYS_NFTABLES);
		memcpy(all + len, part, part->head.nlmsg_len);
		len += NLMSG_ALIGN(part->head.nlmsg_len);
	}
	need(send(node.nft, all, len, 0) > 0, what);
	need(recv(node.nft, answer, sizeof(answer), 0) > 0, what);
	errno = h->nlmsg_type == NLMSG_ERROR ? -((const struct nlmsgerr *)NLMSG_DATA(h))->error : EPROTO;
	need(errno == 0, what);
}

static void nft_prepare(void)
{
	struct message m;

	nft(&m, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	put_text(&m, NFTA_TABLE_NAME, table);
	nft_commit(&m, "table");
	nft(&m, NFT_MSG_NEWSET, NLM_F_CREATE);
	put_text(&m, NFTA_SET_TABLE, table);
	put_text(&m, NFTA_SET_NAME, set);
	put_number(&m, NFTA_SET_KEY_TYPE, 7); /* ipv4_addr of nft(8), which shows it so */
	put_number(&m, NFTA_SET_KEY_LEN, 4);
	put_number(&m, NFTA_SET_ID, 1);
	nft_commit(&m, "set");
}

static void element(const struct pod *p, unsigned message)
{
	struct rtattr *list, *one, *key;
	struct message m;

	nft(&m, message, message == NFT_MSG_NEWSETELEM ? NLM_F_CREATE | NLM_F_EXCL : 0);
	put_text(&m, NFTA_SET_ELEM_LIST_TABLE, table);
	put_text(&m, NFTA_SET_ELEM_LIST_SET, set);
	list = message_put(&m, NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED, NULL, 0);
	one = message_put(&m, NFTA_LIST_ELEM | NLA_F_NESTED, NULL, 0);
	key = message_put(&m, NFTA_SET_ELEM_KEY | NLA_F_NESTED, NULL, 0);
	message_put(&m, NFTA_DATA_VALUE, p->address, sizeof(p->address));
	message_close(&m, key);
	message_close(&m, one);
	message_close(&m, list);
	nft_commit(&m, "element");
}

/* ---- files ---- */

static void write_file(int dir, const char *name, int flags, const char *text, size_t len)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

	need(fd >= 0 && write(fd, text, len) == (ssize_t)len, name);
	close(fd);
}

static int lease_lock(int *dir)
{
	int lock;

	*dir = open(node.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	need(*dir >= 0, node.dir);
	lock = openat(*dir, "lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	need(lock >= 0 && flock(lock, LOCK_EX) == 0, "lock");
	return lock;
}

static void cache_name(const struct pod *p, char out[64])
{
	snprintf(out, 64, "results/netfloor-%u-eth0", p->n);
}

static void lease_take(const struct pod *p)
{
	char owner[128];
	int dir, lock = lease_lock(&dir), len = snprintf(owner, sizeof(owner), "%064u\r\neth0", p->n);

	write_file(dir, p->text, O_EXCL, owner, (size_t)len);
	write_file(dir, "last_reserved_ip.0", O_TRUNC, p->text, strlen(p->text));
	close(lock);
	close(dir);
}

static void cache_write(const struct pod *p)
{
	static char text[CACHE_BYTES];
	char name[64];
	int dir = open(node.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cache_name(p, name);
	memset(text, ' ', sizeof(text));
	write_file(dir, name, O_TRUNC, text, sizeof(text));
	close(dir);
}

static void files_remove(const struct pod *p)
{
	int dir, lock = lease_lock(&dir);
	char name[64];

	cache_name(p, name);
	need(unlinkat(dir, p->text, 0) == 0, p->text);
	need(unlinkat(dir, name, 0) == 0, name);
	close(lock);
	close(dir);
}

/* ---- devices ---- */

static void netns_make(struct pod *p)
{
	int nl;

	need(unshare(CLONE_NEWNET) == 0, "a network namespace");
	nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	message_link_up(nl, if_nametoindex("lo"));
	close(nl);
	p->netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	need(p->netns >= 0 && setns(node.own, CLONE_NEWNET) == 0, "back from a network namespace");
}

static void inside(const struct pod *p)
{
	static const uint8_t gateway[4] = { 10, 187, 0, 1 };
	unsigned eth0;
	int nl;

	need(setns(p->netns, CLONE_NEWNET) == 0, "into the network namespace");
	nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	eth0 = if_nametoindex("eth0");
	need(setns(node.own, CLONE_NEWNET) == 0, "back from the network namespace");
	message_address(nl, eth0, p->address, 16);
	message_link_up(nl, eth0);
	message_default_route(nl, gateway);
	close(nl);
}

static void device_flags(const struct pod *p, struct ifreq *r, unsigned long call)
{
	memcpy(r->ifr_name, p->host, sizeof(p->host));
	need(ioctl(node.device, call, r) == 0, p->host);
}

static void carrier(const struct pod *p)
{
	struct ifreq r = { 0 };

	while (device_flags(p, &r, SIOCGIFFLAGS), !(r.ifr_flags & IFF_RUNNING))
		usleep(CARRIER_POLL_US);
}

static void device_down(const struct pod *p)
{
	struct ifreq r = { 0 };

	device_flags(p, &r, SIOCGIFFLAGS);
	r.ifr_flags = (short)(r.ifr_flags & ~IFF_UP);
	device_flags(p, &r, SIOCSIFFLAGS);
}

/* ---- a life ---- */

static void answer(const char *whole, const char *const *names, const double *at, unsigned n)
{
	printf("{\"%s\":%.3f", whole, at[n] - at[0]);
	for (unsigned i = 0; i < n; i++)
		printf(",\"%s\":%.3f", names[i], at[i + 1] - at[i]);
	puts("}");
}

static void up(struct pod *p)
{
	static const char *const names[] = { "lease", "veth", "inside", "cache", "element", "carrier" };
	unsigned host = 2 + p->n % 60000;
	double at[7];

	snprintf(p->host, sizeof(p->host), "nf%u", p->n);
	memcpy(p->address, (uint8_t[]){ 10, 187, (uint8_t)(host >> 8), (uint8_t)host }, sizeof(p->address));
	inet_ntop(AF_INET, p->address, p->text, sizeof(p->text));
	netns_make(p);
	at[0] = now_ms();
	lease_take(p);
	at[1] = now_ms();
	message_veth(node.route, p->host, node.bridge, IFLA_NET_NS_FD, p->netns);
	at[2] = now_ms();
	inside(p);
	at[3] = now_ms();
	cache_write(p);
	at[4] = now_ms();
	element(p, NFT_MSG_NEWSETELEM);
	at[5] = now_ms();
	carrier(p);
	at[6] = now_ms();
	answer("net_add", names, at, 6);
}

static void down(struct pod *p)
{
	static const char *const names[] = { "veth_down", "element_gone", "lease_gone" };
	double at[4];

	at[0] = now_ms();
	device_down(p);
	at[1] = now_ms();
	element(p, NFT_MSG_DELSETELEM);
	at[2] = now_ms();
	files_remove(p);
	at[3] = now_ms();
	close(p->netns);
	*p = (struct pod){ .n = p->n + 1, .netns = -1 };
	answer("net_del", names, at, 3);
}

int main(int argc, char **argv)
{
	struct pod p = { .netns = -1 };
	char word[16];

	if (argc != 2) {
		fputs("usage: netfloor DIR\n", stderr);
		return 64;
	}
	node.dir = argv[1];
	node.own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	node.route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	node.nft = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	node.device = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	need(node.own >= 0 && node.route >= 0 && node.nft >= 0 && node.device >= 0, "netlink");
	node.bridge = if_nametoindex("netfloor0");
	need(node.bridge != 0, "the bridge netfloor0");
	need(chdir(node.dir) == 0 && (mkdir("results", 0700) == 0 || errno == EEXIST), "results");
	nft_prepare();
	while (fgets(word, sizeof(word), stdin)) {
		if (strcmp(word, "up\n") == 0 && p.netns < 0) {
			up(&p);
		} else if (strcmp(word, "down\n") == 0 && p.netns >= 0) {
			down(&p);
		} else {
			fprintf(stderr, "netfloor: not expected now: %s", word);
			return 1;
		}
		fflush(stdout);
	}
	if (p.netns >= 0)
		down(&p);
	return 0;
}
