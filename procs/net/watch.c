/* watch.c - see watch.h. Waits on the multicast group of nftables, and on a timer between two reports. */
#include "procs/net/watch.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "procs/net/netlink.h"
#include "procs/net/nft_put.h"
#include "reactor/fault.h"
#include "reactor/loop.h"
#include "reactor/own.h"

/* A firewall's reload is many transactions: the report waits until they are over, mostly. */
enum { QUIET_MS = 200, PAUSE_MS = 1000, PACKET_MAX = 64 * 1024, PACKETS_A_TURN = 64 };

static struct {
	void (*lost)(void);
	struct fd_watch watch;
	struct timer timer;
	bool pause; /* the timer ends a pause; a loss meanwhile is `again` */
	bool again;
	int fd;
} w = { .fd = -1 };

static bool removes(unsigned type)
{
	static const uint8_t removals[] = { NFT_MSG_DELTABLE, NFT_MSG_DELCHAIN, NFT_MSG_DELRULE, NFT_MSG_DELSET,
					    NFT_MSG_DELSETELEM };

	return type >> 8 == NFNL_SUBSYS_NFTABLES && memchr(removals, (int)(type & 0xff), sizeof(removals));
}

bool watch_is_loss(const void *packet, size_t len, uint32_t own)
{
	const uint8_t *p = packet;

	while (len >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr m;
		struct nl_attr at[2];

		memcpy(&m, p, sizeof(m));
		if (m.nlmsg_len < sizeof(m) || m.nlmsg_len > len)
			return false;
		/* the table's name is the first attribute of all these messages */
		if (removes(m.nlmsg_type) && m.nlmsg_pid != own &&
		    m.nlmsg_len >= NLMSG_LENGTH(sizeof(struct nfgenmsg))) {
			nl_attrs(at, 1, p + NLMSG_LENGTH(sizeof(struct nfgenmsg)),
				 m.nlmsg_len - NLMSG_LENGTH(sizeof(struct nfgenmsg)));
			if (strcmp(nl_attr_str(&at[1]), NFT_TABLE) == 0)
				return true;
		}
		if (NLMSG_ALIGN(m.nlmsg_len) >= len)
			return false;
		len -= NLMSG_ALIGN(m.nlmsg_len);
		p += NLMSG_ALIGN(m.nlmsg_len);
	}
	return false;
}

static void on_watch_timer(struct timer *t)
{
	bool report = !w.pause || w.again;

	w.pause = report;
	w.again = false;
	if (!report)
		return;
	timer_set(t, PAUSE_MS, on_watch_timer);
	w.lost();
}

static void watch_note(void)
{
	if (timer_is_set(&w.timer))
		w.again = w.pause;
	else
		timer_set(&w.timer, QUIET_MS, on_watch_timer);
}

static void on_watch_packet(struct fd_watch *watch, int events)
{
	static uint8_t packet[PACKET_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));

	(void)watch;
	(void)events;
	for (int i = 0; i < PACKETS_A_TURN; i++) {
		ssize_t n = recv(w.fd, packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && errno != ENOBUFS)
			return;
		/* what was missed or cut may have been ours */
		if (n < 0 || (size_t)n > sizeof(packet) || watch_is_loss(packet, (size_t)n, nft_port()))
			watch_note();
	}
}

void watch_open(void (*lost)(void))
{
	/* a socket without a port of its own hears nothing */
	const struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_groups = 1 << (NFNLGRP_NFTABLES - 1) };
	struct err e;
	auto_fd int fd = nl_open(NETLINK_NETFILTER, &e);

	if (fd < 0 || EFFECT(bind(fd, (const struct sockaddr *)&name, sizeof(name))) < 0)
		return;
	w.lost = lost;
	w.fd = take_fd(&fd);
	fd_watch_set(&w.watch, w.fd, FD_READ, on_watch_packet);
}
