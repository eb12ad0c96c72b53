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
 * "A child" is an unpacker; "all here": the whole blob has arrived.
 * Waits on: the registry, and after each burst the next turn (LOAD, STREAM), a free place for an unpacker (LOAD, WAIT),
 * the unpacker (STREAM, UNPACK).
 *
 * There are at most as many unpackers as CPUs. A download does not wait for its unpacker: until there is a free place
 * its bytes only go to the partial file, which the unpacker reads first. When a download fails with one waiter's
 * credentials, it is continued with the credentials of the next waiter. (ARCHITECTURE I1) */
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

enum { BURST_BYTES = 512 << 10 }; /* of one transfer, before other events of the loop get their turn */

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
	uint64_t have;         /* bytes that arrived; all of them are in the partial file or given to the unpacker */
	bool held_off;         /* the transfer is paused until there is an unpacker */
	bool resumed;          /* the partial download of an earlier try was used */
	bool again;            /* that download was damaged: this try begins at byte 0 */
	struct err trouble;    /* a failure of the disk or a blob that is too long, reported in the next turn */
	struct timer timer;
	size_t burst;          /* bytes since other events last had their turn */
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
static struct link wishes;   /* of struct machine.wish, oldest first */
static int places = 1;       /* how many more unpackers may be started */

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

static void fetch_grant(void);

static void fetch_drop_unpack(struct machine *m)
{
	if (!m->unpack)
		return;
	unpack_cancel(take_ptr(&m->unpack));
	places++;
	fetch_grant();
}

static void fetch_drop_get(struct machine *m)
{
	if (m->get)
		registry_cancel(take_ptr(&m->get));
}

/* Ends everything but the waiters. */
static void machine_stop(struct machine *m)
{
	timer_clear(&m->timer);
	timer_clear(&m->breath);
	fetch_drop_get(m);
	if (list_linked(&m->wish))
		list_drop(&m->wish);
	list_drop(&m->link);
	partial_close(&m->partial, m->blob.digest);
	fetch_drop_unpack(m);
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

/* A waiter's `done` may cancel other waiters of this machine, so each turn of the loop takes the first that is left. */
static void fetch_tell(struct machine *m, const struct err *e, struct layer *l)
{
	while (!list_empty(&m->waiters)) {
		struct fetch *f = container_of(list_first(&m->waiters), struct fetch, link);
		fetch_done *done = f->done;
		void *arg = f->arg;

		waiter_free(f);
		done(arg, e, l);
	}
}

static void fetch_finish(struct machine *m, struct layer *l)
{
	sm_move(&m->sm, DONE);
	partial_drop(&m->partial, m->blob.digest);
	machine_stop(m);
	fetch_tell(m, NULL, l);
	machine_free(m);
}

static void fetch_fail(struct machine *m, const struct err *e)
{
	struct err copy = *e;

	/* After these errors a later try could not use the partial download. */
	if (e->code == ERR_DATA_LOSS || e->code == ERR_INVALID_ARGUMENT || e->code == ERR_RESOURCE_EXHAUSTED)
		partial_drop(&m->partial, m->blob.digest);
	sm_move(&m->sm, FAILED);
	machine_stop(m);
	err_wrap(&copy, "layer %.19s", m->blob.digest);
	fetch_tell(m, &copy, NULL);
	machine_free(m);
}

/* ---- the registry's end ---- */

static void fetch_load(struct machine *m);

/* The session of the first waiter whose credentials differ from those in use. */
static struct registry *next_session(struct machine *m)
{
	list_each(it, &m->waiters) {
		struct fetch *f = container_of(it, struct fetch, link);

		if (f->from != m->from)
			return f->from;
	}
	return NULL;
}

/* The registry refused the session m->from. With another waiter's session the transfer goes on at the byte it has
 * reached, and only the waiter of the refused session gets the error. DATA_LOSS does not depend on credentials. */
static void on_get_failed(struct machine *m, const struct err *e)
{
	struct registry *next = e->code == ERR_DATA_LOSS ? NULL : next_session(m), *old = m->from;
	struct err copy = *e;

	if (!next)
		return fetch_fail(m, e);
	err_wrap(&copy, "layer %.19s", m->blob.digest);
	m->from = registry_hold(next);
	fetch_load(m);
	list_each(it, &m->waiters) {
		struct fetch *f = container_of(it, struct fetch, link);

		if (f->from == old) {
			fetch_done *done = f->done;
			void *arg = f->arg;

			waiter_free(f);
			done(arg, &copy, NULL);
			break; /* a session waits for a blob at most once; and `done` may have changed the list */
		}
	}
	registry_release(old);
}

static void fetch_all_here(struct machine *m)
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
		return; /* m->trouble is set; on_fetch_trouble() reports it */
	if (e)
		return on_get_failed(m, e);
	if (m->have == m->blob.size_bytes)
		return fetch_all_here(m);
	err_set(&short_of, ERR_DATA_LOSS, "the blob ends after %" PRIu64 " of %" PRIu64 " bytes", m->have,
		m->blob.size_bytes);
	fetch_fail(m, &short_of);
}

static void on_fetch_trouble(struct timer *t)
{
	struct machine *m = container_of(t, struct machine, timer);

	fetch_fail(m, &m->trouble);
}

static bool fetch_trouble(struct machine *m)
{
	timer_set(&m->timer, 0, on_fetch_trouble);
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

/* libcurl reads a socket until it is empty, up to 100 times, before it returns to the loop. With a registry nearby that
 * was 11 ms in one callback. So after BURST_BYTES the transfer is paused for one turn of the loop. (ARCHITECTURE I3) */
static bool out_of_breath(struct machine *m, size_t n)
{
	m->burst += n;
	if (m->burst <= BURST_BYTES)
		return false;
	m->burst = 0;
	timer_set(&m->breath, 0, on_breath);
	return true;
}

static bool on_blob_data(void *arg, const void *p, size_t n)
{
	struct machine *m = arg;

	if (timer_is_set(&m->timer))
		return true;
	if (out_of_breath(m, n))
		return false;
	if (n > m->blob.size_bytes - m->have) {
		err_set(&m->trouble, ERR_DATA_LOSS, "the blob is longer than the %" PRIu64 " bytes its manifest says",
			m->blob.size_bytes);
		return fetch_trouble(m);
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
		return fetch_trouble(m);
	m->have += n;
	return true;
}

/* Asks the registry for the blob from the first missing byte on. */
static void fetch_load(struct machine *m)
{
	struct registry_request q = { "GET", "blobs", m->blob.digest, m->have, &m->blob.urls };
	struct registry_events ev = { NULL, on_blob_data, on_get_done, m };

	m->get = registry_start(m->from, &q, &ev);
}

/* ---- the unpacker's end ---- */

static void fetch_begin(struct timer *t);

static struct layer *fetch_place(const struct machine *m, const struct unpack_result *r, struct err *e)
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
	fetch_grant();
	if (e && e->code == ERR_DATA_LOSS && m->resumed && !m->again) {
		log_info("fetch_again layer=%.19s error=%s", m->blob.digest, log_quote(e->msg));
		fetch_drop_get(m);
		partial_drop(&m->partial, m->blob.digest);
		m->again = true;
		sm_move(&m->sm, START);
		timer_set(&m->timer, 0, fetch_begin);
		return;
	}
	if (e)
		return fetch_fail(m, e);
	l = fetch_place(m, r, &why);
	if (!l)
		return fetch_fail(m, &why);
	fetch_finish(m, l);
}

static void fetch_attach(struct machine *m)
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

/* Free places go to the machines that have waited longest. */
static void fetch_grant(void)
{
	while (places > 0 && !list_empty(&wishes)) {
		struct machine *m = container_of(list_first(&wishes), struct machine, wish);

		list_drop(&m->wish);
		fetch_attach(m);
	}
}

/* ---- start ---- */

static void fetch_begin(struct timer *t)
{
	struct machine *m = container_of(t, struct machine, timer);
	struct err e;

	if (partial_open(&m->partial, m->blob.digest, m->blob.size_bytes, m->again, &e) < 0)
		return fetch_fail(m, &e);
	m->have = m->partial.bytes;
	m->resumed = m->have > 0;
	if (m->have < m->blob.size_bytes) {
		sm_move(&m->sm, LOAD);
		fetch_load(m);
	} else {
		sm_move(&m->sm, WAIT);
	}
	list_append(&wishes, &m->wish);
	fetch_grant();
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
	timer_set(&m->timer, 0, fetch_begin);
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

static void fetch_leave(struct fetch *f, bool keep)
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
	fetch_leave(f, true);
}

void fetch_discard(struct fetch *f)
{
	fetch_leave(f, false);
}

uint64_t fetch_bytes(const struct fetch *f)
{
	return f->m->have;
}

static void fetch_sweep(const char *digest)
{
	if (!machine_find(digest))
		partial_drop(NULL, digest);
}

void fetch_sweep_partials(int64_t max_age_s)
{
	partial_each_old(max_age_s, fetch_sweep);
}
