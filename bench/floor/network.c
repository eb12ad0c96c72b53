/* network.c - see floor.h: a veth pair by rtnetlink(7), one message where the kernel takes one. */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/floor/floor.h"
#include "bench/floor/message.h"

void network_pair(const struct floor *f, unsigned n, pid_t pid)
{
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "fl%u", n);
	message_veth(f->netlink, name, f->bridge, f->pooled >= 0 ? IFLA_NET_NS_FD : IFLA_NET_NS_PID,
		     f->pooled >= 0 ? f->pooled : pid);
}

int network_prepare(int own)
{
	int nl, fd;

	need(unshare(CLONE_NEWNET) == 0, "a network namespace");
	nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	message_link_up(nl, if_nametoindex("lo"));
	close(nl);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	need(fd >= 0 && setns(own, CLONE_NEWNET) == 0, "back from a network namespace");
	return fd;
}

void network_configure(const struct floor *f, unsigned n)
{
	unsigned host = 2 + n % 60000;
	uint8_t address[4] = { 10, 189, (uint8_t)(host >> 8), (uint8_t)host }, gateway[4] = { 10, 189, 0, 1 };
	int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	unsigned eth0 = if_nametoindex("eth0");

	if (f->pooled < 0)
		message_link_up(nl, if_nametoindex("lo"));
	message_address(nl, eth0, address, 16);
	message_link_up(nl, eth0);
	message_default_route(nl, gateway);
	close(nl);
}
