/* ranges.c - see ranges.h.
 *
 *   PROBE --a part of the right size--> PARTS --all parts are here--> done
 *     |                                   |
 *     +--the whole, another size----------+--odd, ranges_join()--> ONE --> done
 *
 * Waits on: the registry (all), and the next turn (PROBE, PARTS: transfers are neither begun nor ended in the events of
 * another one). A blob that is not split begins in ONE. While other layers are fetched, the parts take only what is
 * left of images_config()->parallel_downloads. */
#include "images/pull/ranges.h"

#include <inttypes.h>

#include "images/config.h"
#include "images/digest.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { PARTS_MAX = 4 };
enum ranges_state { PROBE, PARTS, ONE };

static const struct sm_state ranges_states[] = {
	[PROBE] = { "PROBE", TO(PARTS) | TO(ONE) },
	[PARTS] = { "PARTS", TO(ONE) },
	[ONE]   = { "ONE",   0 },
};

struct part {
	struct ranges *of;
	struct registry_get *get;
	uint64_t begin, at, end; /* at: the next byte that comes; end 0: this part is free */
};

struct ranges {
	struct sm sm;
	struct registry *from;         /* borrowed, as the blob */
	const struct descriptor *blob;
	struct ranges_events ev;
	struct part parts[PARTS_MAX];
	uint64_t have;                 /* all bytes before it were put */
	uint64_t next;                 /* where the next part begins */
	bool parted;                   /* a second request was made */
	bool join;                     /* the next turn ends all transfers, and one goes on at `have` */
	struct timer timer;
};

static size_t transfers; /* of all blobs */

static void on_ranges_turn(struct timer *t);

static void part_drop(struct part *p)
{
	if (p->get) {
		registry_cancel(take_ptr(&p->get));
		transfers--;
	}
	p->end = 0;
}

static void ranges_free(struct ranges *r)
{
	timer_clear(&r->timer);
	for (int i = 0; i < PARTS_MAX; i++)
		part_drop(&r->parts[i]);
	free(r);
}

static void ranges_end(struct ranges *r, const struct err *e)
{
	struct ranges_events ev = r->ev;
	bool parted = r->parted;
	struct err copy;

	if (e)
		copy = *e;
	ranges_free(r);
	ev.done(ev.arg, e ? &copy : NULL, parted);
}

/* Moves `have` over what is there in a row, and frees the parts that it has passed. */
static void ranges_advance(struct ranges *r)
{
	uint64_t before = r->have;
	bool moved;

	do {
		moved = false;
		for (int i = 0; i < PARTS_MAX; i++) {
			struct part *p = &r->parts[i];

			if (!p->end || p->begin > r->have)
				continue;
			moved |= p->at > r->have;
			r->have = p->at > r->have ? p->at : r->have;
			if (!p->get && r->have >= p->end)
				p->end = 0;
		}
	} while (moved);
	if (r->have > before)
		r->ev.reached(r->ev.arg, r->have);
}

/* ---- events of a transfer ---- */

static void on_part_head(void *arg, const struct registry_answer *answer)
{
	struct part *p = arg;
	struct ranges *r = p->of;

	if (r->sm.now == PARTS && answer->whole)
		return ranges_join(r); /* another host has taken over, and it has no ranges */
	if (r->sm.now != PROBE)
		return;
	if (answer->whole)
		p->end = r->blob->size_bytes;
	sm_move(&r->sm, answer->whole || answer->blob_bytes != r->blob->size_bytes ? ONE : PARTS);
	timer_set(&r->timer, 0, on_ranges_turn);
}

static bool on_part_data(void *arg, const void *bytes, size_t n)
{
	struct part *p = arg;
	struct ranges *r = p->of;
	uint64_t room = p->end - p->at;

	if (p->end < r->blob->size_bytes && n > room) { /* more than was asked for */
		ranges_join(r);
		n = (size_t)room;
	}
	if (r->join)
		return true; /* this transfer is ended in the next turn, and its bytes come once more */
	if (!r->ev.put(r->ev.arg, p->at, bytes, n))
		return false;
	p->at += n;
	ranges_advance(r);
	return true;
}

static void ranges_one(struct ranges *r);

static void on_part_done(void *arg, const struct err *e)
{
	struct part *p = arg;
	struct ranges *r = p->of;
	/* Before the first answer only these errors can come from asking for a part. */
	bool odd = r->sm.now == PARTS || (r->sm.now == PROBE && e && (e->code == ERR_DATA_LOSS ||
		e->code == ERR_INTERNAL || e->code == ERR_INVALID_ARGUMENT));

	p->get = NULL;
	transfers--;
	if (r->join)
		return;
	if (odd && (e || p->at != p->end)) {
		log_info("blob_in_one_piece blob=%.19s from=%" PRIu64 " error=%s", r->blob->digest, r->have,
			 log_quote(e ? e->msg : "a part of the blob is too short"));
		return ranges_join(r);
	}
	if (e)
		return ranges_end(r, e);
	if (r->sm.now == ONE && p->at == p->end && p->end < r->blob->size_bytes) {
		p->end = 0;
		return ranges_one(r);
	}
	ranges_advance(r);
	if (r->sm.now == ONE || r->have == r->blob->size_bytes)
		return ranges_end(r, NULL);
	timer_set(&r->timer, 0, on_ranges_turn);
}

/* ---- requests ---- */

static void part_start(struct part *p, struct ranges *r, uint64_t from, uint64_t end, bool only)
{
	struct registry_request q = { "GET", "blobs", r->blob->digest, from, &r->blob->urls, false, end, only };
	struct registry_events ev = { on_part_head, on_part_data, on_part_done, p };

	*p = (struct part){ r, NULL, from, from, end ? end : r->blob->size_bytes };
	transfers++;
	p->get = registry_start(r->from, &q, &ev);
}

static void ranges_one(struct ranges *r)
{
	part_start(&r->parts[0], r, r->have, 0, false);
}

static uint64_t part_end(const struct ranges *r, uint64_t from)
{
	uint64_t left = r->blob->size_bytes - from, most = images_config()->split_bytes / 2;

	return from + (left < most ? left : most);
}

static bool ranges_idle(const struct ranges *r)
{
	for (int i = 0; i < PARTS_MAX; i++)
		if (r->parts[i].get)
			return false;
	return true;
}

static void ranges_more(struct ranges *r)
{
	for (int i = 0; i < PARTS_MAX && r->next < r->blob->size_bytes; i++) {
		if (r->parts[i].end)
			continue;
		if (transfers >= images_config()->parallel_downloads && !ranges_idle(r))
			return;
		part_start(&r->parts[i], r, r->next, part_end(r, r->next), true);
		r->parted = true;
		r->next = r->parts[i].end;
	}
}

static void on_ranges_turn(struct timer *t)
{
	struct ranges *r = container_of(t, struct ranges, timer);

	if (!r->join && r->sm.now == PARTS)
		return ranges_more(r);
	if (!r->join)
		return;
	r->join = false;
	for (int i = 0; i < PARTS_MAX; i++)
		part_drop(&r->parts[i]);
	if (r->sm.now != ONE)
		sm_move(&r->sm, ONE);
	ranges_one(r);
}

struct ranges *ranges_start(struct registry *from, const struct descriptor *blob, uint64_t have, bool split,
			    const struct ranges_events *ev)
{
	struct ranges *r = new_zero(struct ranges);
	uint64_t longest = images_config()->split_bytes;

	split = split && longest && blob->size_bytes - have > longest;
	r->sm = (struct sm){ ranges_states, "ranges", digest_hex(blob->digest), split ? PROBE : ONE };
	r->from = from;
	r->blob = blob;
	r->ev = *ev;
	r->have = have;
	if (split)
		part_start(&r->parts[0], r, have, r->next = part_end(r, have), false);
	else
		ranges_one(r);
	return r;
}

void ranges_resume(struct ranges *r)
{
	for (int i = 0; i < PARTS_MAX; i++)
		if (r->parts[i].get)
			registry_resume(r->parts[i].get);
}

void ranges_join(struct ranges *r)
{
	if (r->sm.now == ONE && r->parts[0].end == r->blob->size_bytes)
		return;
	r->join = true;
	timer_set(&r->timer, 0, on_ranges_turn);
}

bool ranges_joined(const struct ranges *r)
{
	return r->sm.now == ONE && !r->join;
}

void ranges_cancel(struct ranges *r)
{
	ranges_free(r);
}
