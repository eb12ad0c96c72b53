/* main.c - crisp-net: makes pods' networks for crispd, which must not wait for the kernel's rtnl mutex. proto.h has the
 * protocol.
 *
 * One of these works at a time: it holds the lock file of its NET_HELLO. An earlier one may live on for seconds after
 * its crispd has died, and must not make a network that the next crispd has just taken down. The program ends with its
 * socket: what it was doing is known to crispd by its records, and is taken down by the next one.
 * Exit codes: 0 the socket was closed; 64 usage; 71 the lock file cannot be had, or a privilege cannot be given up. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sysexits.h>
#include <unistd.h>

#include "procs/net/check.h"
#include "procs/net/confine.h"
#include "procs/net/foreign.h"
#include "procs/net/gc.h"
#include "procs/net/job.h"
#include "procs/net/ports.h"
#include "procs/net/proto.h"
#include "procs/net/watch.h"
#include "reactor/arena.h"
#include "reactor/fault.h"
#include "reactor/imsg.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

static struct imsg_chan *chan;
static char *cache_dir, *owner; /* of the NET_HELLO */

static void net_tell(enum net_message type, uint64_t tag, const struct buf *body)
{
	struct err ignored; /* the socket is closed: on_gone() comes */

	fault_at("send", net_message_name(type), "before");
	imsg_send(chan, type, tag, body, NULL, 0, &ignored);
	fault_at("send", net_message_name(type), "after");
}

static void on_job(void *arg, uint64_t tag, const struct err *e, bool left, const struct job_answer *answer)
{
	const char **ips = own_must(calloc(answer->ips.n + 1, sizeof(*ips)));
	struct buf body = { 0 };

	(void)arg;
	if (e) {
		put_u32(&body, e->code);
		put_str(&body, e->msg);
		put_u32(&body, left);
	} else {
		for (size_t i = 0; i < answer->ips.n; i++)
			ips[i] = answer->ips.at[i];
		put_str(&body, answer->result);
		put_strv(&body, ips);
	}
	net_tell(e ? NET_FAILED : NET_DONE, tag, &body);
	buf_free(&body);
	free(ips);
}

static void on_rules_lost(void)
{
	struct buf none = { 0 };

	jobs_rules_lost();
	net_tell(NET_LOST, 0, &none);
}

static void tell_able(void)
{
	struct buf body = { 0 };
	struct err e;

	put_str(&body, ports_able(&e) < 0 ? e.msg : "");
	net_tell(NET_ABLE, 0, &body);
	buf_free(&body);
}

/* Waits: this program has nothing else to do, and crispd ends it after its own time. */
static void hello(struct get *g)
{
	uint32_t version = get_u32(g);
	const char *lock = get_str(g), *cache = get_str(g), *root = get_str(g);
	int fd;

	if (g->bad || version != NET_VERSION || !lock || !cache || !root || cache_dir)
		exit(EX_USAGE);
	cache_dir = own_must(strdup(cache));
	owner = own_must(strdup(root));
	fd = open(lock, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600); /* held until the end */
	if (fd < 0)
		exit(EX_OSERR);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			exit(EX_OSERR);
	tell_able();
	jobs_open(cache, owner, on_job, NULL);
	watch_open(on_rules_lost);
}

static void request(struct imsg *m)
{
	struct get g = get_from(m);
	struct job_request r = { .verb = (enum net_message)m->type, .tag = m->tag };
	auto_free const char **ips = NULL;

	r.id = get_str(&g);
	r.netns_path = get_str(&g);
	r.conf = get_str(&g);
	r.args = get_str(&g);
	r.caps = get_str(&g);
	r.result = r.verb == NET_DEL ? get_str(&g) : NULL;
	r.ips = ips = r.verb == NET_SYNC ? get_strv(&g) : NULL;
	if (g.bad || !r.id || !r.conf || (r.verb == NET_SYNC && !r.ips))
		exit(EX_USAGE);
	job_start(&r);
}

/* The ids of NET_KNOWN, for one request. */
static struct {
	struct arena *arena; /* owns the ids */
	const char **at;     /* owned */
	size_t n;
} known;

enum { KNOWN_MAX = 1 << 20 };

static void know(struct get *g)
{
	auto_free const char **ids = get_strv(g);

	if (g->bad || !ids)
		exit(EX_USAGE);
	if (!known.arena)
		known.arena = arena_new();
	for (const char **id = ids; *id && known.n < KNOWN_MAX; id++) {
		if (known.n % 256 == 0)
			known.at = own_must(realloc(known.at, (known.n + 256) * sizeof(*known.at)));
		known.at[known.n++] = arena_strdup(known.arena, *id);
	}
}

static void forget(void)
{
	if (known.arena)
		arena_free(take_ptr(&known.arena));
	free(take_ptr(&known.at));
	known.n = 0;
}

static int compare_ids(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void known_sort(void)
{
	if (known.n)
		qsort(known.at, known.n, sizeof(*known.at), compare_ids);
}

static void collect(void)
{
	known_sort();
	gc_start(cache_dir, owner, known.at, known.n);
	forget();
}

static void tell(uint64_t tag, const char *text, const char *const *list)
{
	struct buf body = { 0 };

	put_str(&body, text);
	put_strv(&body, list);
	net_tell(NET_DONE, tag, &body);
	buf_free(&body);
}

static void told(uint64_t tag, struct findings *f)
{
	tell(tag, "", findings_text(f));
	findings_free(f);
}

static void check(struct imsg *m)
{
	struct get g = get_from(m);
	struct check_pod pod = { .cache = cache_dir };
	struct findings *f;
	auto_free const char **ips = NULL;
	bool repair;

	pod.id = get_str(&g);
	pod.netns_path = get_str(&g);
	pod.conf = get_str(&g);
	get_str(&g); /* CNI_ARGS */
	pod.caps = get_str(&g);
	pod.ips = ips = get_strv(&g);
	pod.result = get_str(&g);
	repair = get_u32(&g);
	if (g.bad || !pod.id || !pod.netns_path || !pod.conf || !ips)
		exit(EX_USAGE);
	pod.caps = pod.caps ? pod.caps : "";
	pod.result = pod.result ? pod.result : "";
	f = findings_new();
	check_pod(&pod, repair, f);
	told(m->tag, f);
}

static void audit(uint64_t tag, struct get *g)
{
	bool repair = get_u32(g);
	struct findings *f;

	if (g->bad)
		exit(EX_USAGE);
	known_sort();
	f = findings_new();
	check_node(&(struct check_node){ cache_dir, owner, known.at, known.n }, repair, f);
	forget();
	told(tag, f);
}

static void foreign(uint64_t tag, struct get *g)
{
	struct foreign_look look = { .cache = cache_dir, .owner = owner, .mounts = "/proc/self/mountinfo" };
	auto_free const char **dirs = NULL;
	struct arena *a = arena_new();
	const char *found;

	look.network = get_str(g);
	look.dirs = dirs = get_strv(g);
	if (g->bad || !look.network || !dirs)
		exit(EX_USAGE);
	known_sort();
	look.known = known.at;
	look.n = known.n;
	found = foreign_find(a, &look);
	forget();
	tell(tag, found ? found : "", (const char *const[]){ NULL });
	arena_free(a);
}

static void handle(struct imsg *m)
{
	struct get g = get_from(m);

	switch (m->type) {
	case NET_HELLO:
		return hello(&g);
	case NET_ADD:
	case NET_DEL:
	case NET_SYNC:
		return request(m);
	case NET_KNOWN:
		return know(&g);
	case NET_GC:
		return collect();
	case NET_CHECK:
		return check(m);
	case NET_AUDIT:
		return audit(m->tag, &g);
	case NET_FOREIGN:
		return foreign(m->tag, &g);
	default:
		exit(EX_USAGE); /* of a newer crispd: it hears of it at once */
	}
}

static void on_message(void *arg, struct imsg *m)
{
	const char *name = net_message_name(m->type);

	(void)arg;
	fault_at("work", name, "before");
	handle(m);
	fault_at("work", name, "after");
}

static void on_gone(void *arg)
{
	(void)arg;
	exit(0);
}

int main(void)
{
	struct err e;

	log_open("net", LOG_LEVEL_INFO);
	if (fault_open("net", &e) < 0) {
		log_error("net error=%s", log_quote(e.msg));
		return EX_USAGE;
	}
	if (confine(&e) < 0) {
		log_error("net error=%s", log_quote(e.msg));
		return EX_OSERR;
	}
	chan = imsg_open(NET_SOCKET, on_message, on_gone, NULL);
	loop_run();
	return 0;
}
