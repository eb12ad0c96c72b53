/* fetch.c - see fetch.h.
 *
 *   START --> LOAD ---a child is free--> STREAM
 *     ^        |                           |
 *     |    all here                    all here
 *     |        v                           v
 *     |       WAIT ---a child is free--> UNPACK --in place--> DONE
 *     |                                    |
 *     +--damaged, and old bytes were used--+      any error --> FAILED
 *
 * Waits on: the registry, and now and then the next turn (LOAD, STREAM), a free place among the unpackers (LOAD, WAIT),
 * the unpacker (STREAM, UNPACK).
 *
 * Downloads do not wait for a CPU: there are as many unpackers as CPUs, and a layer without one only goes to its
 * partial file, which its unpacker reads first. When the registry fails one waiter's credentials, the next waiter's are
 * tried. */
#include "images/pull/fetch.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "images/config.h"
#include "images/digest.h"
#include "images/pull/partial.h"
#include "images/unpack.h"
#include "reactor/arena.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum fetch_state { START, LOAD, STREAM, WAIT, UNPACK, DONE, FAILED };

static const struct sm_state fetch_states[] = {
	[START]  = { "START",  TO(LOAD) | TO(STREAM) | TO(WAIT) | TO(UNPACK) | TO(FAILED) },
	[LOAD]   = { "LOAD",   TO(STREAM) | TO(WAIT) | TO(FAILED) },
	[STREAM] = { "STREAM", TO(UNPACK) | TO(START) | TO(FAILED) },
	[WAIT]   = { "WAIT",   TO(UNPACK) | TO(FAILED) },
	[UNPACK] = { "UNPACK", TO(DONE) | TO(START) | TO(FAILED) },
	[DONE]   = { "DONE",   0 },
	[FAILED] = { "FAILED", 0 },
};

enum { BURST_BYTES = 512 << 10 };

struct machine {
	struct sm sm;
	struct link link;    /* of `machines` */
	struct link waiters; /* of struct fetch.link */
	struct link wish;    /* of `wishes`: no unpacker yet */
	struct descriptor blob;
	const char *diff_id;
	bool lowest;
	struct registry *from; /* held */
	struct registry_get *get;
	struct unpack *unpack; /* has one of `places` */
	struct partial partial;
	uint64_t have;         /* bytes that came; all of them are in the partial file, or with the unpacker */
	bool held_off;         /* the registry waits until there is an unpacker */
	bool resumed;          /* some bytes are from an earlier try */
	bool again;            /* that try was damaged: this one is from scratch */
	struct err trouble;    /* of our disk, told in the next turn */
	struct timer timer;
	size_t burst;          /* bytes since the loop last turned to others */
	struct timer breath;
	struct arena *arena;
};

struct fetch {
	struct link link; /* of machine.waiters */
	struct machine *m;
	struct registry *from; /* held */
	fetch_done *done;
	void *arg;
};

static struct link machines; /* of struct machine.link */
static struct link wishes;   /* of struct machine.wish, in order */
static int places = 1;       /* unpackers that may still be started */

int fetch_open(struct err *e)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (!machines.next) {
		list_init(&machines);
		list_init(&wishes);
		places = cpus > 1 ? (int)cpus : 1;
	}
	return partial_open_dir(images_config()->root, images_config()->min_free, e);
}

static struct machine *machine_find(const char *digest)
{
	list_each(it, &machines) {
		struct machine *m = container_of(it, struct machine, link);

		if (strcmp(m->blob.digest, digest) == 0)
			return m;
	}
	return NULL;
}

/* ---- ends ---- */

static void grant(void);

static void drop_unpack(struct machine *m)
{
	if (!m->unpack)
		return;
	unpack_cancel(take_ptr(&m->unpack));
	places++;
	grant();
}

static void drop_get(struct machine *m)
{
	if (m->get)
		registry_cancel(take_ptr(&m->get));
}

/* Everything but the waiters. */
static void machine_stop(struct machine *m)
{
	timer_clear(&m->timer);
	timer_clear(&m->breath);
	drop_get(m);
	if (list_linked(&m->wish))
		list_drop(&m->wish);
	list_drop(&m->link);
	partial_close(&m->partial, m->blob.digest);
	drop_unpack(m);
}

static void machine_free(struct machine *m)
{
	registry_release(m->from);
	arena_free(m->arena);
}

static void waiter_free(struct fetch *f)
{
	list_drop(&f->link);
	registry_release(f->from);
	free(f);
}

/* A waiter's `done` may cancel other waiters of this machine, so it takes one after the other from the list. */
static void tell(struct machine *m, const struct err *e, struct layer *l)
{
	while (!list_empty(&m->waiters)) {
		struct fetch *f = container_of(list_first(&m->waiters), struct fetch, link);
		fetch_done *done = f->done;
		void *arg = f->arg;

		waiter_free(f);
		done(arg, e, l);
	}
}

static void finish(struct machine *m, struct layer *l)
{
	sm_move(&m->sm, DONE);
	partial_drop(&m->partial, m->blob.digest);
	machine_stop(m);
	tell(m, NULL, l);
	machine_free(m);
}

static void fail(struct machine *m, const struct err *e)
{
	struct err copy = *e;

	/* What a later try cannot use. */
	if (e->code == ERR_DATA_LOSS || e->code == ERR_INVALID_ARGUMENT || e->code == ERR_RESOURCE_EXHAUSTED)
		partial_drop(&m->partial, m->blob.digest);
	sm_move(&m->sm, FAILED);
	machine_stop(m);
	err_wrap(&copy, "layer %.19s", m->blob.digest);
	tell(m, &copy, NULL);
	machine_free(m);
}

/* ---- the registry's end ---- */

static void load(struct machine *m);

/* The first waiter that came with other credentials. */
static struct registry *next_session(struct machine *m)
{
	list_each(it, &m->waiters) {
		struct fetch *f = container_of(it, struct fetch, link);

		if (f->from != m->from)
			return f->from;
	}
	return NULL;
}

/* The registry failed this session: its waiters are told; others go on with theirs, from the byte that was reached. */
static void on_get_failed(struct machine *m, const struct err *e)
{
	struct registry *next = e->code == ERR_DATA_LOSS ? NULL : next_session(m), *old = m->from;
	struct err copy = *e;

	if (!next)
		return fail(m, e);
	err_wrap(&copy, "layer %.19s", m->blob.digest);
	m->from = registry_hold(next);
	load(m);
	list_each(it, &m->waiters) {
		struct fetch *f = container_of(it, struct fetch, link);

		if (f->from == old) {
			fetch_done *done = f->done;
			void *arg = f->arg;

			waiter_free(f);
			done(arg, &copy, NULL);
			break; /* a pull waits once for a blob; the list may have changed */
		}
	}
	registry_release(old);
}

static void all_here(struct machine *m)
{
	if (m->sm.now == STREAM) {
		sm_move(&m->sm, UNPACK);
		unpack_finish(m->unpack);
	} else {
		sm_move(&m->sm, WAIT);
	}
}

static void on_get_done(void *arg, const struct err *e)
{
	struct machine *m = arg;
	struct err short_of;

	m->get = NULL;
	if (timer_is_set(&m->timer))
		return; /* our disk failed; that is told next */
	if (e)
		return on_get_failed(m, e);
	if (m->have == m->blob.size_bytes)
		return all_here(m);
	err_set(&short_of, ERR_DATA_LOSS, "the blob ends after %" PRIu64 " of %" PRIu64 " bytes", m->have,
		m->blob.size_bytes);
	fail(m, &short_of);
}

static void on_trouble(struct timer *t)
{
	struct machine *m = container_of(t, struct machine, timer);

	fail(m, &m->trouble);
}

static bool trouble(struct machine *m)
{
	timer_set(&m->timer, 0, on_trouble);
	return true;
}

static void on_space(void *arg)
{
	struct machine *m = arg;

	if (m->get)
		registry_resume(m->get);
}

static void on_breath(struct timer *t)
{
	struct machine *m = container_of(t, struct machine, breath);

	on_space(m);
}

/* libcurl empties a socket before it returns, up to 100 reads: from a near registry that was 11 ms in one callback. */
static bool out_of_breath(struct machine *m, size_t n)
{
	m->burst += n;
	if (m->burst <= BURST_BYTES)
		return false;
	m->burst = 0;
	timer_set(&m->breath, 0, on_breath);
	return true;
}

static bool on_data(void *arg, const void *p, size_t n)
{
	struct machine *m = arg;

	if (timer_is_set(&m->timer))
		return true;
	if (out_of_breath(m, n))
		return false;
	if (n > m->blob.size_bytes - m->have) {
		err_set(&m->trouble, ERR_DATA_LOSS, "the blob is longer than the %" PRIu64 " bytes its manifest says",
			m->blob.size_bytes);
		return trouble(m);
	}
	if (!m->unpack && m->partial.slow) {
		m->held_off = true;
		return false;
	}
	if (m->unpack && !unpack_feed(m->unpack, p, n)) {
		unpack_on_space(m->unpack, on_space, m);
		return false;
	}
	if (partial_append(&m->partial, p, n, &m->trouble) < 0)
		return trouble(m);
	m->have += n;
	return true;
}

/* From the first byte that is not here. */
static void load(struct machine *m)
{
	struct registry_request q = { "GET", "blobs", m->blob.digest, m->have, &m->blob.urls };
	struct registry_events ev = { NULL, on_data, on_get_done, m };

	m->get = registry_start(m->from, &q, &ev);
}

/* ---- the unpacker's end ---- */

static void begin(struct timer *t);

static struct layer *place(const struct machine *m, const struct unpack_result *r, struct err *e)
{
	struct layer spec = {
		.dir = r->dir, .diff_id = m->diff_id, .chain_id = r->self_contained || !r->finished ? "" : m->diff_id,
		.bytes = r->bytes, .inodes = r->inodes, .unfinished = !r->finished, .boot_id = "",
	};

	return layer_add(&spec, e);
}

static void on_unpacked(void *arg, const struct err *e, const struct unpack_result *r)
{
	struct machine *m = arg;
	struct layer *l;
	struct err why;

	m->unpack = NULL;
	places++;
	grant();
	if (e && e->code == ERR_DATA_LOSS && m->resumed && !m->again) {
		log_info("fetch_again layer=%.19s error=%s", m->blob.digest, log_quote(e->msg));
		drop_get(m);
		partial_drop(&m->partial, m->blob.digest);
		m->again = true;
		sm_move(&m->sm, START);
		timer_set(&m->timer, 0, begin);
		return;
	}
	if (e)
		return fail(m, e);
	l = place(m, r, &why);
	if (!l)
		return fail(m, &why);
	finish(m, l);
}

static void attach(struct machine *m)
{
	static const char *const none[] = { NULL };
	struct unpack_spec spec = {
		.digest = m->blob.digest,
		.diff_id = m->diff_id,
		.size_bytes = m->blob.size_bytes,
		.media_type = m->blob.media_type,
		.parents = m->lowest ? none : NULL,
		.blob_fd = m->have ? m->partial.fd : -1,
	};

	places--;
	m->unpack = unpack_start(&spec, on_unpacked, m);
	if (m->have == m->blob.size_bytes) {
		sm_move(&m->sm, UNPACK);
		unpack_finish(m->unpack);
		return;
	}
	sm_move(&m->sm, STREAM);
	if (m->held_off) {
		m->held_off = false;
		on_space(m);
	}
}

/* Free places go to those that wait longest. */
static void grant(void)
{
	while (places > 0 && !list_empty(&wishes)) {
		struct machine *m = container_of(list_first(&wishes), struct machine, wish);

		list_drop(&m->wish);
		attach(m);
	}
}

/* ---- start ---- */

static void begin(struct timer *t)
{
	struct machine *m = container_of(t, struct machine, timer);
	struct err e;

	if (partial_open(&m->partial, m->blob.digest, m->blob.size_bytes, m->again, &e) < 0)
		return fail(m, &e);
	m->have = m->partial.bytes;
	m->resumed = m->have > 0;
	if (m->have < m->blob.size_bytes) {
		sm_move(&m->sm, LOAD);
		load(m);
	} else {
		sm_move(&m->sm, WAIT);
	}
	list_append(&wishes, &m->wish);
	grant();
}

static struct machine *machine_new(const struct fetch_spec *spec)
{
	struct arena *a = arena_new();
	struct machine *m = arena_zalloc(a, sizeof(*m));

	*m = (struct machine){
		.partial.fd = -1, .lowest = spec->lowest, .from = registry_hold(spec->from), .arena = a
	};
	m->blob = (struct descriptor){ arena_strdup(a, spec->blob->media_type), arena_strdup(a, spec->blob->digest),
		spec->blob->size_bytes, { arena_zalloc(a, spec->blob->urls.n * sizeof(char *)), spec->blob->urls.n } };
	for (size_t i = 0; i < m->blob.urls.n; i++)
		m->blob.urls.at[i] = arena_strdup(a, spec->blob->urls.at[i]);
	m->diff_id = arena_strdup(a, spec->diff_id);
	m->sm = (struct sm){ fetch_states, "fetch", digest_hex(m->blob.digest), START };
	list_init(&m->waiters);
	list_append(&machines, &m->link);
	timer_set(&m->timer, 0, begin);
	return m;
}

struct fetch *fetch_start(const struct fetch_spec *spec, fetch_done *done, void *arg)
{
	struct machine *m = machine_find(spec->blob->digest);
	struct fetch *f = new_zero(struct fetch);

	f->m = m ? m : machine_new(spec);
	f->from = registry_hold(spec->from);
	f->done = done;
	f->arg = arg;
	list_append(&f->m->waiters, &f->link);
	return f;
}

static void leave(struct fetch *f, bool keep)
{
	struct machine *m = f->m;

	waiter_free(f);
	if (!list_empty(&m->waiters) || m->sm.now == DONE || m->sm.now == FAILED)
		return;
	if (!keep)
		partial_drop(&m->partial, m->blob.digest);
	machine_stop(m);
	machine_free(m);
}

void fetch_cancel(struct fetch *f)
{
	leave(f, true);
}

void fetch_discard(struct fetch *f)
{
	leave(f, false);
}

uint64_t fetch_bytes(const struct fetch *f)
{
	return f->m->have;
}

static void sweep(const char *digest)
{
	if (!machine_find(digest))
		partial_drop(NULL, digest);
}

void fetch_sweep_partials(int64_t max_age_s)
{
	partial_each_old(max_age_s, sweep);
}
