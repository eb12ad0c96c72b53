/* imsg.h - messages with file descriptors over a SOCK_SEQPACKET unix socket, on the loop.
 *
 * One packet is one message: a fixed head (type, length of the body, 64-bit tag) and a body of put_*() fields. Both
 * ends are programs of this project, of the same or of neighbouring versions: an unknown type never ends a program. */
#ifndef REACTOR_IMSG_H
#define REACTOR_IMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "reactor/buf.h"
#include "reactor/err.h"

enum { IMSG_FDS_MAX = 64, IMSG_BODY_MAX = 160 * 1024 };

struct imsg {
	uint32_t type;
	uint64_t tag;        /* joins a reply to its request; 0: an event */
	const uint8_t *body; /* borrowed for the call */
	size_t len;
	int fds[IMSG_FDS_MAX]; /* the receiver sets the fds that it keeps to -1; the others are closed after the call */
	int nfds;
};

struct imsg_chan;

typedef void imsg_fn(void *arg, struct imsg *message);
/* The peer closed the socket or sent a malformed packet. The channel exists until imsg_close() and sends no more. */
typedef void imsg_gone_fn(void *arg);

/* Takes fd (non-blocking is set here). Callbacks never run inside imsg_*() calls. */
struct imsg_chan *imsg_open(int fd, imsg_fn *fn, imsg_gone_fn *gone, void *arg);
void imsg_close(struct imsg_chan *chan); /* unsent messages are dropped */

/* Sends or queues; queued fds are duplicated, so the caller keeps its own. Messages arrive in order.
 * INVALID_ARGUMENT when body or fds are over the limits; RESOURCE_EXHAUSTED when no fd is left for a copy; UNAVAILABLE
 * when the peer is gone. */
int imsg_send(struct imsg_chan *chan, uint32_t type, uint64_t tag, const struct buf *body, const int *fds, int nfds,
	      struct err *e);

/* For a sender without a channel: imsg_add_fds() lets the fds travel with msg, in `control`, which must live until
 * sendmsg(2). nfds may be 0. */
union imsg_control {
	struct cmsghdr head;
	char space[CMSG_SPACE(IMSG_FDS_MAX * sizeof(int))];
};
void imsg_add_fds(struct msghdr *msg, union imsg_control *control, const int *fds, int nfds);

/* Body fields. put_str(NULL) is legal and comes back as NULL. */
void put_u32(struct buf *buf, uint32_t value);
void put_u64(struct buf *buf, uint64_t value);
void put_str(struct buf *buf, const char *text);
void put_strv(struct buf *buf, const char *const *vector); /* NULL-terminated vector, or NULL */

/* A reader over a body. A short or malformed field sets `bad`; from then on every get_*() gives 0 or NULL. */
struct get {
	const uint8_t *at, *end;
	bool bad;
};

struct get get_from(const struct imsg *message);
uint32_t get_u32(struct get *get);
uint64_t get_u64(struct get *get);
const char *get_str(struct get *get); /* points into the body */
const char **get_strv(struct get *get); /* malloc'd vector of pointers into the body; owned; NULL for a NULL vector */

#endif
