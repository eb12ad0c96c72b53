/* fetch.c - see fetch.h.
 *
 *   START --> LOAD ---a child is free--> STREAM
 *     ^        | ^--------too slow---------|
 *     |    all here                    all here
 *     |        v                           v
 *     |       WAIT ---a child is free--> UNPACK --in place--> DONE
 *     |                                    |
 *     +--damaged, and old bytes were used--+      any error --> FAILED
 *
 * "A child" is an unpacker; "all here": the whole blob has arrived.
 * Waits on: the registry, and after each burst the next turn (LOAD, STREAM), a free place for an unpacker (LOAD, WAIT),
 * the unpacker (STREAM, UNPACK), a timer (STREAM).
 *
 * There are at most as many unpackers as CPUs (or images.unpackers). A download does not wait for its unpacker: until
 * there is a free place its bytes only go to the partial file, which the unpacker reads first. Of a blob that may come
 * in parts (ranges.h) all bytes go there, and the unpacker is told how far it may read; only when the disk is slow the
 * parts are ended, and the rest goes through its pipe. While a blob that is all here waits for a place, a
 * transfer that is slow gives its own back, and gets one when its blob is all here too (ARCHITECTURE I74). When a
 * download fails with one waiter's
 * credentials, it is continued with the credentials of the next waiter. (ARCHITECTURE I1) */
#include "images/pull/fetch.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "images/config.h"
#include "images/digest.h"
#include "images/pull/partial.h"
#include "images/pull/ranges.h"
#include "images/unpack.h"
#include "reactor/arena.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum fetch_state { START, LOAD, STREAM, WAIT, UNPACK, DONE, FAILED };

static const struct sm_state fetch_states[] = {
	[START]  = { "START",  TO(LOAD) | TO(STREAM) | TO(WAIT) | TO(UNPACK) | TO(FAILED) },
	[LOAD]   = { "LOAD",   TO(STREAM) | TO(WAIT) | TO(FAILED) },
	[STREAM] = { "STREAM", TO(UNPACK) | TO(LOAD) | TO(START) | TO(FAILED) },
	[WAIT]   = { "WAIT",   TO(UNPACK) | TO(FAILED) },
	[UNPACK] = { "UNPACK", TO(DONE) | TO(START) | TO(FAILED) },
	[DONE]   = { "DONE",   0 },
	[FAILED] = { "FAILED", 0 },
};

enum { BURST_BYTES = 512 << 10 }; /* of one transfer, before other events of the loop get their turn */
enum { PACE_MS = 2000, PACE_BYTES = 2 << 20 }; /* less than that in this time is slow */

struct machine {
	struct sm sm;
	struct link link;    /* of `machines` */
	struct link waiters; /* of struct fetch.link */
	struct link wish;    /* of `wishes`: no unpacker yet */
	struct descriptor blob;
	const char *diff_id;
	const char *key;       /* of the machine and its partial file: fetch_key() */
	const char *path;      /* NULL, or the file that has the whole blob; then there is no registry */
	bool lowest;
	struct registry *from; /* held */
	struct ranges *get;
	struct unpack *unpack; /* has one of `places` */
	struct partial partial;
	uint64_t have;         /* bytes that arrived; all of them are in the partial file or given to the unpacker */
	bool held_off;         /* the transfer is paused until there is an unpacker */
	bool filed;            /* the unpacker reads the partial file, as far as it is told */
	bool resumed;          /* the partial download of an earlier try was used, or bytes came in parts */
	bool again;            /* that download was damaged: this try begins at byte 0 */
	struct err trouble;    /* a failure of the disk or a blob that is too long, reported in the next turn */
	struct timer timer;
	size_t burst;          /* bytes since other events last had their turn */
	struct timer breath;
	struct timer pace;     /* STREAM */
	uint64_t paced;        /* `have` when it was set */
	bool full;             /* the unpacker has no room: it is the slow one */
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
	long cpus = images_config()->unpackers ? images_config()->unpackers : sysconf(_SC_NPROCESSORS_ONLN);

	if (!machines.next) {
		list_init(&machines);
		list_init(&wishes);
		places = cpus > 1 ? (int)cpus : 1;
	}
	return partial_open_dir(images_config()->root, images_config()->min_free, e);
}

/* A blob of a registry is not waited for together with the same one of an archive: what is wrong with one of them is no
 * matter of the other. */
static struct machine *machine_find(const char *key, const char *path)
{
	list_each(it, &machines) {
		struct machine *m = container_of(it, struct machine, link);

		if (strcmp(m->key, key) == 0 &&
		    (path ? m->path && strcmp(m->path, path) == 0 : !m->path))
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
		ranges_cancel(take_ptr(&m->get));
}

/* Ends everything but the waiters. */
static void machine_stop(struct machine *m)
{
	timer_clear(&m->timer);
	timer_clear(&m->breath);
	timer_clear(&m->pace);
	fetch_drop_get(m);
	if (list_linked(&m->wish))
		list_drop(&m->wish);
	list_drop(&m->link);
	partial_close(&m->partial, m->key);
	fetch_drop_unpack(m);
}

static void machine_drop_partial(struct machine *m)
{
	if (!m->path)
		partial_drop(&m->partial, m->key);
}

static void machine_free(struct machine *m)
{
	if (m->from)
		registry_release(m->from);
	arena_free(m->arena);
}

static void waiter_free(struct fetch *f)
{
	list_drop(&f->link);
	if (f->from)
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
	machine_drop_partial(m);
	machine_stop(m);
	fetch_tell(m, NULL, l);
	machine_free(m);
}

static void fetch_fail(struct machine *m, const struct err *e)
{
	struct err copy = *e;

	/* After these errors a later try could not use the partial download. */
	if (e->code == ERR_DATA_LOSS || e->code == ERR_INVALID_ARGUMENT || e->code == ERR_RESOURCE_EXHAUSTED)
		machine_drop_partial(m);
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

static void fetch_wish(struct machine *m)
{
	if (!list_linked(&m->wish))
		list_append(&wishes, &m->wish);
	fetch_grant();
}

static void fetch_all_here(struct machine *m)
{
	if (m->sm.now == STREAM) {
		timer_clear(&m->pace);
		sm_move(&m->sm, UNPACK);
		unpack_finish(m->unpack);
	} else {
		sm_move(&m->sm, WAIT);
		fetch_wish(m);
	}
}

static void on_get_done(void *arg, const struct err *e, bool parted)
{
	struct machine *m = arg;
	struct err short_of;

	m->get = NULL;
	m->resumed |= parted;
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

	m->full = false;
	if (m->get)
		ranges_resume(m->get);
}

static void on_breath(struct timer *t)
{
	struct machine *m = container_of(t, struct machine, breath);

	if (m->held_off) /* it had given its place back, and cannot go on without one */
		return fetch_wish(m);
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

static bool on_blob_put(void *arg, uint64_t offset, const void *p, size_t n)
{
	struct machine *m = arg;

	if (timer_is_set(&m->timer))
		return true;
	if (out_of_breath(m, n))
		return false;
	if (n > m->blob.size_bytes - offset) {
		err_set(&m->trouble, ERR_DATA_LOSS, "the blob is longer than the %" PRIu64 " bytes its manifest says",
			m->blob.size_bytes);
		return fetch_trouble(m);
	}
	if (m->partial.slow && !ranges_joined(m->get)) {
		ranges_join(m->get); /* through the pipe the bytes must come in their order */
		return false;
	}
	if (!m->unpack && m->partial.slow) {
		m->held_off = true;
		if (!list_linked(&m->wish))
			timer_set(&m->breath, 0, on_breath);
		return false;
	}
	if (m->unpack && (!m->filed || m->partial.slow) && !unpack_feed(m->unpack, p, n)) {
		m->full = true;
		unpack_on_space(m->unpack, on_space, m);
		return false;
	}
	metric_add(METRIC_pull_bytes_total, NULL, n);
	return partial_put(&m->partial, offset, p, n, &m->trouble) < 0 ? fetch_trouble(m) : true;
}

static void on_blob_reached(void *arg, uint64_t have)
{
	struct machine *m = arg;

	m->have = have;
	if (m->unpack && m->filed)
		unpack_grown(m->unpack, have);
}

/* Asks the registry for the blob from the first missing byte on. */
static void fetch_load(struct machine *m)
{
	struct ranges_events ev = { on_blob_put, on_blob_reached, on_get_done, m };

	m->get = ranges_start(m->from, &m->blob, m->have, m->filed && !m->again, &ev);
}

/* ---- the unpacker's end ---- */

static void fetch_begin(struct timer *t);
static void on_pace(struct timer *t);

static struct layer *fetch_place(const struct machine *m, const struct unpack_result *r, struct err *e)
{
	struct layer spec = {
		.dir = r->dir, .diff_id = m->diff_id, .chain_id = r->self_contained || !r->finished ? "" : m->diff_id,
		.bytes = r->bytes, .inodes = r->inodes, .unfinished = !r->finished, .boot_id = "", .sum = r->sum,
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
	timer_clear(&m->pace);
	if (e && e->code == ERR_DATA_LOSS && m->resumed && !m->again) {
		log_info("fetch_again layer=%.19s error=%s", m->blob.digest, log_quote(e->msg));
		fetch_drop_get(m);
		partial_drop(&m->partial, m->key);
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
		.file = m->blob.file,
		.size_bytes = m->blob.size_bytes,
		.parents = m->lowest ? none : NULL,
		.blob_fd = m->have || m->filed ? m->partial.fd : -1,
		.blob_bytes = m->have,
		.grows = m->filed,
	};

	places--;
	m->unpack = unpack_start(&spec, on_unpacked, m);
	/* In LOAD all bytes may be here too, while the transfer's end is still to be told. */
	if (m->sm.now == WAIT) {
		sm_move(&m->sm, UNPACK);
		unpack_finish(m->unpack);
		return;
	}
	sm_move(&m->sm, STREAM);
	m->paced = m->have;
	timer_set(&m->pace, PACE_MS, on_pace);
	if (m->held_off) {
		m->held_off = false;
		on_space(m);
	}
}

/* The one whose blob is all here, and that has waited longest; or NULL. */
static struct machine *whole_one(void)
{
	list_each(it, &wishes) {
		struct machine *m = container_of(it, struct machine, wish);

		if (m->sm.now == WAIT)
			return m;
	}
	return NULL;
}

/* Free places go to blobs that are all here, then to the machines that have waited longest. */
static void fetch_grant(void)
{
	while (places > 0 && !list_empty(&wishes)) {
		struct machine *whole = whole_one();
		struct machine *m = whole ? whole : container_of(list_first(&wishes), struct machine, wish);

		list_drop(&m->wish);
		fetch_attach(m);
	}
}

/* A registry that sends a byte now and then would have all places for ever. What was unpacked is unpacked once more,
 * from the partial file, which a slow disk has not got whole. */
static void on_pace(struct timer *t)
{
	struct machine *m = container_of(t, struct machine, pace);
	bool slow = m->have - m->paced < PACE_BYTES && !m->full && !m->partial.slow;

	m->paced = m->have;
	if (!slow || !whole_one())
		return timer_set(t, PACE_MS, on_pace);
	log_info("fetch_slow layer=%.19s bytes=%" PRIu64, m->blob.digest, m->have);
	sm_move(&m->sm, LOAD);
	fetch_drop_unpack(m);
}

/* ---- start ---- */

static void fetch_begin(struct timer *t)
{
	struct machine *m = container_of(t, struct machine, timer);
	struct err e;

	if ((m->path ? partial_borrow(&m->partial, m->path, m->blob.size_bytes, &e)
		     : partial_open(&m->partial, m->key, m->blob.size_bytes, m->again, &e)) < 0)
		return fetch_fail(m, &e);
	m->have = m->partial.bytes;
	m->resumed = m->have > 0 && !m->path;
	m->filed = images_config()->split_bytes && m->blob.size_bytes > images_config()->split_bytes;
	if (m->have < m->blob.size_bytes) {
		sm_move(&m->sm, LOAD);
		fetch_load(m);
	} else {
		sm_move(&m->sm, WAIT);
	}
	fetch_wish(m);
}

static struct machine *machine_new(const struct fetch_spec *spec, const char *key)
{
	struct arena *a = arena_new();
	struct machine *m = arena_zalloc(a, sizeof(*m));

	*m = (struct machine){
		.partial.fd = -1, .lowest = spec->lowest, .from = spec->from ? registry_hold(spec->from) : NULL,
		.path = spec->path ? arena_strdup(a, spec->path) : NULL, .arena = a
	};
	m->blob = (struct descriptor){
		.media_type = arena_strdup(a, spec->blob->media_type), .digest = arena_strdup(a, spec->blob->digest),
		.size_bytes = spec->blob->size_bytes,
		.urls = { arena_zalloc(a, spec->blob->urls.n * sizeof(char *)), spec->blob->urls.n },
		.file = spec->blob->file ? arena_strdup(a, spec->blob->file) : NULL,
	};
	for (size_t i = 0; i < m->blob.urls.n; i++)
		m->blob.urls.at[i] = arena_strdup(a, spec->blob->urls.at[i]);
	m->diff_id = arena_strdup(a, spec->diff_id);
	m->key = arena_strdup(a, key);
	m->sm = (struct sm){ fetch_states, "fetch", digest_hex(m->blob.digest), START };
	list_init(&m->waiters);
	list_append(&machines, &m->link);
	timer_set(&m->timer, 0, fetch_begin);
	return m;
}

struct fetch *fetch_start(const struct fetch_spec *spec, fetch_done *done, void *arg)
{
	struct fetch *f = new_zero(struct fetch);
	char key[DIGEST_SIZE];
	struct machine *m;

	fetch_key(spec, key);
	m = machine_find(key, spec->path);
	f->m = m ? m : machine_new(spec, key);
	f->from = spec->from ? registry_hold(spec->from) : NULL;
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
		machine_drop_partial(m);
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

bool fetch_is_under_way(const char *key)
{
	return machine_find(key, NULL);
}
