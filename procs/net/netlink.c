/* netlink.c - see netlink.h. */
#include "procs/net/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "reactor/fault.h"
#include "reactor/own.h"

enum { ANSWER_MAX = 64 * 1024, ANSWER_S = 10 };

int nl_open(int protocol, struct err *e)
{
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	const struct timeval limit = { .tv_sec = ANSWER_S };
	const int on = 1;

	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "netlink socket of protocol %d", protocol);
	/* the kernel's own words for an error, and filters of a dump that are obeyed */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return err_os(e, ERR_INTERNAL, "netlink socket of protocol %d", protocol);
	return take_fd(&fd);
}

void nl_begin(struct nl_batch *b)
{
	b->len = b->message = 0;
	b->acks = 0;
	b->full = false;
}

void *nl_reserve(struct nl_batch *b, size_t len)
{
	void *at = b->at + b->len;
	struct nlmsghdr *m = (struct nlmsghdr *)(b->at + b->message);

	if (b->full || NLMSG_ALIGN(len) > sizeof(b->at) - b->len) {
		b->full = true;
		return NULL;
	}
	memset(at, 0, NLMSG_ALIGN(len));
	b->len += NLMSG_ALIGN(len);
	m->nlmsg_len = (uint32_t)(b->len - b->message);
	return at;
}

void nl_message(struct nl_batch *b, unsigned type, unsigned flags, const void *head, size_t len)
{
	size_t at = b->len;
	struct nlmsghdr *m;
	void *body;

	b->message = at;
	m = nl_reserve(b, sizeof(*m));
	body = nl_reserve(b, len);
	if (!m || !body)
		return;
	m->nlmsg_type = (uint16_t)type;
	m->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	m->nlmsg_seq = b->acks; /* acknowledgements tell it again */
	b->acks += (flags & NLM_F_ACK) != 0;
	memcpy(body, head, len);
}

void nl_put(struct nl_batch *b, unsigned type, const void *data, size_t len)
{
	struct nlattr *a = nl_reserve(b, NLA_HDRLEN + len);

	if (!a)
		return;
	a->nla_type = (uint16_t)type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + len);
	if (len)
		memcpy((uint8_t *)a + NLA_HDRLEN, data, len);
}

void nl_put_u8(struct nl_batch *b, unsigned type, uint8_t value)
{
	nl_put(b, type, &value, sizeof(value));
}

void nl_put_u32(struct nl_batch *b, unsigned type, uint32_t value)
{
	nl_put(b, type, &value, sizeof(value));
}

void nl_put_be32(struct nl_batch *b, unsigned type, uint32_t value)
{
	nl_put_u32(b, type, htonl(value));
}

void nl_put_str(struct nl_batch *b, unsigned type, const char *text)
{
	nl_put(b, type, text, strlen(text) + 1);
}

size_t nl_nest(struct nl_batch *b, unsigned type)
{
	size_t at = b->len;

	nl_put(b, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void nl_nest_end(struct nl_batch *b, size_t nest)
{
	struct nlattr *a = (struct nlattr *)(b->at + nest);

	if (b->full)
		return;
	if (b->len - nest > UINT16_MAX)
		b->full = true;
	else
		a->nla_len = (uint16_t)(b->len - nest);
}

void nl_attrs(struct nl_attr *at, unsigned max, const void *from, size_t len)
{
	const uint8_t *p = from;

	memset(at, 0, (max + 1) * sizeof(*at));
	while (len >= NLA_HDRLEN) {
		struct nlattr a;
		size_t step;

		memcpy(&a, p, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || a.nla_len > len)
			return;
		if ((a.nla_type & NLA_TYPE_MASK) <= max)
			at[a.nla_type & NLA_TYPE_MASK] = (struct nl_attr){ p + NLA_HDRLEN, a.nla_len - NLA_HDRLEN };
		step = NLA_ALIGN(a.nla_len);
		if (step >= len)
			return;
		p += step;
		len -= step;
	}
}

uint32_t nl_attr_u32(const struct nl_attr *attr)
{
	uint32_t v = 0;

	if (attr->data && attr->len >= sizeof(v))
		memcpy(&v, attr->data, sizeof(v));
	return v;
}

const char *nl_attr_str(const struct nl_attr *attr)
{
	return attr->data && memchr(attr->data, '\0', attr->len) ? attr->data : "";
}

/* The text behind the error: NLMSGERR_ATTR_MSG. With NETLINK_CAP_ACK the request is not repeated before it. */
static void fault_note(struct nl_fault *f, const struct nlmsghdr *m, const struct nlmsgerr *err, size_t len)
{
	struct nl_attr at[NLMSGERR_ATTR_MSG + 1];

	if (f->error)
		return;
	f->error = -err->error;
	f->nth = m->nlmsg_seq;
	f->text[0] = '\0';
	if (!(m->nlmsg_flags & NLM_F_ACK_TLVS) || !(m->nlmsg_flags & NLM_F_CAPPED))
		return;
	nl_attrs(at, NLMSGERR_ATTR_MSG, err + 1, len - sizeof(*err));
	snprintf(f->text, sizeof(f->text), "%s", nl_attr_str(&at[NLMSGERR_ATTR_MSG]));
}

/* One datagram. *left: acknowledgements that are still to come; a dump has one end. */
static int take_answers(const uint8_t *p, size_t len, nl_answer *fn, void *arg, unsigned *left, struct nl_fault *f)
{
	while (len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *m = (const void *)p;
		const uint8_t *body = p + NLMSG_HDRLEN;
		size_t step, body_len;

		if (m->nlmsg_len < sizeof(*m) || m->nlmsg_len > len)
			return EBADMSG;
		body_len = m->nlmsg_len - sizeof(*m);
		if (m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE) {
			int error = 0;

			if (body_len >= sizeof(error))
				memcpy(&error, body, sizeof(error));
			if (error && m->nlmsg_type == NLMSG_ERROR && body_len >= sizeof(struct nlmsgerr))
				fault_note(f, m, (const void *)body, body_len);
			else if (error && !f->error)
				f->error = -error;
			if (*left)
				--*left;
		} else if (fn && m->nlmsg_type > NLMSG_MIN_TYPE - 1) {
			fn(arg, m->nlmsg_type, body, body_len);
		}
		step = NLMSG_ALIGN(m->nlmsg_len);
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
	return 0;
}

static int nl_exchange(int fd, const struct nl_batch *b, unsigned ends, nl_answer *fn, void *arg, struct nl_fault *f)
{
	static uint8_t answer[ANSWER_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));

	*f = (struct nl_fault){ 0 };
	if (b->full || EFFECT(send(fd, b->at, b->len, 0)) < 0) {
		f->error = b->full ? EMSGSIZE : errno;
		return -1;
	}
	while (ends) { /* also behind a fault: no answer may be left for the next exchange */
		ssize_t n = recv(fd, answer, sizeof(answer), MSG_TRUNC);
		int bad;

		if (n < 0 && errno == EINTR)
			continue;
		bad = n < 0 ? errno : (size_t)n > sizeof(answer) ? EMSGSIZE :
			      take_answers(answer, (size_t)n, fn, arg, &ends, f);
		if (bad) {
			f->error = f->error ? f->error : bad == EAGAIN ? ETIMEDOUT : bad;
			break;
		}
	}
	return f->error ? -1 : 0;
}

int nl_talk(int fd, const struct nl_batch *b, struct nl_fault *f)
{
	return nl_exchange(fd, b, b->acks, NULL, NULL, f);
}

int nl_ask(int fd, const struct nl_batch *b, nl_answer *fn, void *arg, struct nl_fault *f)
{
	return nl_exchange(fd, b, 1, fn, arg, f);
}

const char *nl_fault_text(const struct nl_fault *f)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s%s%s%s", strerror(f->error), f->text[0] ? " (" : "", f->text,
		 f->text[0] ? ")" : "");
	return text;
}
