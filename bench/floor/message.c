/* message.c - see message.h. */
#include "bench/floor/message.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

void *message_begin(struct message *m, unsigned short type, unsigned short flags, size_t size)
{
	memset(m, 0, sizeof(*m));
	m->head.nlmsg_type = type;
	m->head.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags);
	m->head.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
	return NLMSG_DATA(&m->head);
}

struct rtattr *message_put(struct message *m, unsigned short type, const void *v, size_t n)
{
	struct rtattr *a = (struct rtattr *)((char *)m + NLMSG_ALIGN(m->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	if (n)
		memcpy(RTA_DATA(a), v, n);
	m->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(m->head.nlmsg_len) + RTA_ALIGN(a->rta_len));
	return a;
}

void message_close(struct message *m, struct rtattr *a)
{
	a->rta_len = (unsigned short)((char *)m + m->head.nlmsg_len - (char *)a);
}

void message_talk(int nl, struct message *m, const char *what)
{
	char answer[4096];
	const struct nlmsghdr *h = (const void *)answer;

	need(send(nl, m, m->head.nlmsg_len, 0) > 0, what);
	need(recv(nl, answer, sizeof(answer), 0) > 0, what);
	errno = h->nlmsg_type == NLMSG_ERROR ? -((const struct nlmsgerr *)NLMSG_DATA(h))->error : EPROTO;
	need(errno == 0, what);
}

void message_link_up(int nl, unsigned index)
{
	struct message m;
	struct ifinfomsg *i = message_begin(&m, RTM_NEWLINK, 0, sizeof(*i));

	i->ifi_index = (int)index;
	i->ifi_flags = i->ifi_change = IFF_UP;
	message_talk(nl, &m, "link up");
}

void message_address(int nl, unsigned index, const uint8_t address[4], uint8_t prefix_len)
{
	struct message m;
	struct ifaddrmsg *a = message_begin(&m, RTM_NEWADDR, NLM_F_CREATE, sizeof(*a));

	*a = (struct ifaddrmsg){ .ifa_family = AF_INET, .ifa_prefixlen = prefix_len, .ifa_index = index };
	message_put(&m, IFA_LOCAL, address, 4);
	message_put(&m, IFA_ADDRESS, address, 4);
	message_talk(nl, &m, "address");
}

void message_default_route(int nl, const uint8_t gateway[4])
{
	struct message m;
	struct rtmsg *r = message_begin(&m, RTM_NEWROUTE, NLM_F_CREATE, sizeof(*r));

	*r = (struct rtmsg){ .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT,
			     .rtm_type = RTN_UNICAST };
	message_put(&m, RTA_GATEWAY, gateway, 4);
	message_talk(nl, &m, "route");
}

void message_veth(int nl, const char *host, unsigned bridge, unsigned short where, int value)
{
	struct ifinfomsg *i, peer = { 0 };
	struct rtattr *info, *data, *end;
	struct message m;

	i = message_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*i));
	i->ifi_flags = i->ifi_change = IFF_UP;
	message_put(&m, IFLA_IFNAME, host, strlen(host) + 1);
	message_put(&m, IFLA_MASTER, &bridge, sizeof(bridge));
	info = message_put(&m, IFLA_LINKINFO, NULL, 0);
	message_put(&m, IFLA_INFO_KIND, "veth", 4);
	data = message_put(&m, IFLA_INFO_DATA, NULL, 0);
	end = message_put(&m, VETH_INFO_PEER, &peer, sizeof(peer));
	message_put(&m, IFLA_IFNAME, "eth0", 5);
	message_put(&m, where, &value, sizeof(value));
	message_close(&m, end);
	message_close(&m, data);
	message_close(&m, info);
	message_talk(nl, &m, "veth");
}
