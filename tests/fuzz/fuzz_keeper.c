/* fuzz_keeper.c - both directions of the keeper's protocol: messages with a valid head and any body.
 *
 * Input: messages of { type, fds, length low, length high, body }, cut off at the end. Each is decoded as a
 * spawn and as a namespace request, as by the keeper (nothing is started), and sent to a crispd in changing states. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/keeper/ns_request.h"
#include "procs/keeper/proto.h"
#include "reactor/log.h"
#include "reactor/loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int devnull = -1, peer = -1;
static struct exit_watch watch;
static struct child *children[2];
static struct ns_op *op;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void on_ready(void *arg, const struct err *e)
{
	(void)arg;
	(void)e;
}

static void on_event(void *arg)
{
	(void)arg;
}

static void on_child(void *arg, const struct err *e, struct child_result *r)
{
	*(struct child **)arg = NULL;
	must(e || r->status || r->pid >= 0 || r->out);
}

static void on_namespaces(void *arg, const struct err *e, bool left)
{
	(void)arg;
	(void)left;
	op = NULL;
	must(!e || memchr(e->msg, '\0', sizeof(e->msg)));
}

static void on_exit_record(struct exit_watch *w, const struct exit_record *r)
{
	(void)w;
	must(r->id && r->id[0] == 'k');
}

static void open_once(void)
{
	static const struct keeper_events events = { on_ready, on_event, on_event, NULL };
	int fds[2];

	if (peer >= 0)
		return;
	devnull = open("/dev/null", O_RDWR | O_CLOEXEC);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
	peer = fds[1];
	keeper_open(fds[0], &events);
}

static void drain_peer(void)
{
	static char text[200 * 1024];

	while (recv(peer, text, sizeof(text), MSG_DONTWAIT) > 0)
		;
}

/* Requests that crispd has open when the messages arrive. Tags are small numbers, so that some messages match. */
static void busy_crispd(void)
{
	static const char *const argv[] = { "/bin/true", NULL };
	struct err e;

	children[0] = child_start(&(struct child_spec){ .argv = argv, .timeout_ms = 1 }, on_child, &children[0]);
	children[1] = child_start(&(struct child_spec){ .argv = argv, .keep_id = "k" }, on_child, &children[1]);
	if (!op)
		op = keeper_namespaces(&(struct ns_request){ .id = "s", .ipc = true }, on_namespaces, NULL);
	must(keeper_ask_hold("a/b", devnull, &e) == 0);
	keeper_watch_exit(&watch, "k", on_exit_record);
}

static void as_keeper(const struct imsg *m)
{
	struct child_request r;
	struct ns_make n;
	struct err e;

	if (child_request_get(&r, m, &e) == 0) {
		must(r.argv[0][0] == '/' && r.envp && r.cwd && (!r.pidfile || r.keep_id));
		child_request_free(&r);
	}
	if (ns_request_get(&n, m, &e) == 0)
		must(n.id && n.bits);
	ns_request_free(&n);
}

static void to_crispd(const struct imsg *m)
{
	struct { uint32_t type, len; uint64_t tag; } head = { m->type, (uint32_t)m->len, m->tag };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(IMSG_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec iov[2] = { { &head, sizeof(head) }, { (void *)m->body, m->len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	if (m->nfds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE((size_t)m->nfds * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN((size_t)m->nfds * sizeof(int));
		memcpy(CMSG_DATA(&control.head), m->fds, (size_t)m->nfds * sizeof(int));
	}
	must(sendmsg(peer, &msg, MSG_DONTWAIT) >= 0);
	loop_turn();
	drain_peer();
}

static void forget(void *arg, const struct kept_report *k)
{
	*(const char **)arg = k->id;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *id;

	open_once();
	log_open("fuzz", LOG_LEVEL_ERROR + 1);
	busy_crispd();
	while (size >= 4) {
		struct imsg m = { .type = data[0], .tag = data[0] >> 5, .nfds = data[1] % 4 };
		size_t len = (size_t)data[2] | (size_t)data[3] << 8;

		data += 4;
		size -= 4;
		m.type &= 31;
		m.len = len < size ? len : size;
		m.body = data;
		for (int i = 0; i < m.nfds; i++)
			m.fds[i] = devnull;
		as_keeper(&m);
		to_crispd(&m);
		data += m.len;
		size -= m.len;
	}
	for (int i = 0; i < 2; i++)
		if (children[i])
			child_cancel(children[i]);
	keeper_unwatch_exit(&watch);
	keeper_ask_release_all("");
	do {
		id = NULL;
		keeper_each_report(forget, &id);
		if (id)
			keeper_ask_forget(id);
	} while (id);
	drain_peer();
	return 0;
}
