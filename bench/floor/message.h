/* message.h - netlink messages for the floors: made on the stack, acknowledged one by one. Source: netlink(7).
 *
 * Any failure ends the program with the reason. */
#ifndef BENCH_FLOOR_MESSAGE_H
#define BENCH_FLOOR_MESSAGE_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

struct message {
	struct nlmsghdr head;
	char body[2048];
};

/* Ends the program unless ok; the reason is errno's. */
void need(int ok, const char *what);
double now_ms(void); /* CLOCK_MONOTONIC */

/* Empties m and begins it: NLM_F_REQUEST, NLM_F_ACK and `flags`; returns its head of `size` bytes, zeroed. */
void *message_begin(struct message *m, unsigned short type, unsigned short flags, size_t size);
/* Adds an attribute; with n = 0 it can be filled by further ones until message_close(). */
struct rtattr *message_put(struct message *m, unsigned short type, const void *v, size_t n);
void message_close(struct message *m, struct rtattr *a);
/* Sends the message and waits for its acknowledgement. */
void message_talk(int nl, struct message *m, const char *what);

/* What both floors send. Addresses are of IPv4. */
void message_link_up(int nl, unsigned index);
void message_address(int nl, unsigned index, const uint8_t address[4], uint8_t prefix_len);
void message_default_route(int nl, const uint8_t gateway[4]);
/* A veth pair: `host` on the bridge of that index, up; "eth0" in the namespace that `where` (IFLA_NET_NS_PID or
 * IFLA_NET_NS_FD) and its value say. */
void message_veth(int nl, const char *host, unsigned bridge, unsigned short where, int value);

#endif
