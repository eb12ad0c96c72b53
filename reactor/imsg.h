/* imsg.h - messages with file descriptors over a SOCK_SEQPACKET unix socket, on the loop.
 *
 * One packet is one message: a fixed head (type, length of the body, 64-bit tag) and a body of put_*() fields.
 * Both ends are our own programs of one build or of neighbouring versions: unknown types are answered, never fatal. */
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
	int fds[IMSG_FDS_MAX]; /* the receiver sets those it keeps to -1; the rest are closed after the call */
	int nfds;
};

struct imsg_chan;

typedef void imsg_fn(void *arg, struct imsg *message);
/* The peer closed or sent rubbish; the channel is still there and only good for imsg_close(). */
typedef void imsg_gone_fn(void *arg);

/* Takes fd (non-blocking is set here). Callbacks never run inside imsg_*() calls. */
struct imsg_chan *imsg_open(int fd, imsg_fn *fn, imsg_gone_fn *gone, void *arg);
void imsg_close(struct imsg_chan *chan); /* unsent messages are dropped */

/* Sends or queues; fds are duplicated when queued, so the caller's stay the caller's. Messages arrive in order.
 * RESOURCE_EXHAUSTED when body or fds are over the limits; UNAVAILABLE when the peer is gone. */
int imsg_send(struct imsg_chan *chan, uint32_t type, uint64_t tag, const struct buf *body, const int *fds, int nfds,
	      struct err *e);

/* For who has a msghdr but no channel: room for the fds of a message, which are set to go with it; none is fine. */
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

/* A reader over a body. Once anything is short or malformed `bad` is set and all further gets give 0 or NULL. */
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
