/* test_listing.c - handlers/listing.c: a List takes short turns of the loop, a Stream waits for its client. */
#include "handlers/listing.h"

#include <stdlib.h>

#include "api.pb-c.h"
#include "handlers/convert.h"
#include "tests/fakes/rpc.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

/* The objects are "0" to "n - 1". Making an item takes cost_ms. An item has `weight` bytes that shrink() removes. */
static struct {
	size_t n, weight;
	int cost_ms;
	bool gone[1000];
	size_t shrunk, made;
} world;

static void collect(struct listing *l)
{
	char id[24];

	for (size_t i = 0; i < world.n; i++) {
		snprintf(id, sizeof(id), "%zu", i);
		listing_add(l, id);
	}
}

static void *item(const void *request, const char *id, struct arena *a)
{
	Runtime__V1__Container *c = NEW_MESSAGE(a, Runtime__V1__Container, runtime__v1__container__init);

	(void)request;
	world_spend(world.cost_ms);
	world.made++;
	if (world.gone[strtoul(id, NULL, 10)])
		return NULL;
	c->id = (char *)id;
	c->image_ref = arena_zalloc(a, world.weight + 1);
	memset(c->image_ref, 'x', world.weight);
	return c;
}

static void shrink(void *of)
{
	((Runtime__V1__Container *)of)->image_ref = "";
	world.shrunk++;
}

static const struct listing_kind kind = { collect, item, shrink };

static struct rpc *begin(struct fake_rpc *seen, size_t n, int cost_ms, size_t weight)
{
	memset(&world, 0, sizeof(world));
	world.n = n;
	world.cost_ms = cost_ms;
	world.weight = weight;
	return fake_rpc(&runtime__v1__list_containers_response__descriptor, seen);
}

/* The ids in all messages, as "0 1 2 ". Frees the messages. */
static const char *ids(struct fake_rpc *seen)
{
	static char text[4096];

	text[0] = '\0';
	for (size_t i = 0; i < seen->n; i++) {
		Runtime__V1__ListContainersResponse *m = runtime__v1__list_containers_response__unpack(
			NULL, seen->messages[i].len, seen->messages[i].at);

		for (size_t k = 0; m && k < m->n_containers; k++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", m->containers[k]->id);
		if (!m)
			return "(broken)";
		runtime__v1__list_containers_response__free_unpacked(m, NULL);
	}
	fake_rpc_forget(seen);
	return text;
}

static void one_message(void)
{
	struct fake_rpc seen;
	struct rpc *r = begin(&seen, 3, 0, 0);

	listing_reply(r, NULL, &kind);
	ok(seen.replied && seen.n == 1);
	is_str(ids(&seen), "0 1 2 ");
	listing_reply(begin(&seen, 0, 0, 0), NULL, &kind);
	ok(seen.replied && seen.n == 1 && seen.messages[0].len == 0);
	is_str(ids(&seen), "");
}

static void a_turn_is_short(void)
{
	struct fake_rpc seen;
	struct rpc *r = begin(&seen, 5, 1, 0);

	listing_reply(r, NULL, &kind);
	ok(!seen.replied && world.made <= 3);
	world.gone[4] = true; /* meanwhile */
	world_settle();
	ok(seen.replied && world.made == 5);
	is_str(ids(&seen), "0 1 2 3 ");
}

static void batches_wait_for_the_reader(void)
{
	struct fake_rpc seen;
	struct rpc *r = begin(&seen, 250, 0, 0);

	listing_stream(r, NULL, &kind);
	world_settle();
	ok(seen.n == 1 && world.made == 100 && !seen.finished);
	fake_rpc_take(r);
	ok(seen.n == 2 && world.made == 200);
	fake_rpc_take(r);
	ok(seen.n == 3 && seen.finished && !seen.replied);
	ok(strncmp(ids(&seen), "0 1 2 3 ", 8) == 0 && world.made == 250);
	listing_stream(begin(&seen, 0, 0, 0), NULL, &kind);
	ok(seen.n == 0 && seen.finished); /* the end and nothing else */
	r = begin(&seen, 3, 0, 200 << 10);
	listing_stream(r, NULL, &kind);
	ok(seen.n == 1); /* big items make small batches */
	fake_rpc_take(r);
	ok(seen.n == 2 && seen.finished);
	is_str(ids(&seen), "0 1 2 ");
}

static void a_list_stays_below_the_limit(void)
{
	struct fake_rpc seen;

	listing_reply(begin(&seen, 20, 0, 1 << 20), NULL, &kind);
	ok(seen.replied && world.shrunk > 0 && seen.messages[0].len < GRPC_MESSAGE_MAX);
	is_str(ids(&seen), "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 ");
}

static void the_client_leaves(void)
{
	struct fake_rpc seen;
	struct rpc *r = begin(&seen, 50, 1, 0);

	listing_reply(r, NULL, &kind);
	fake_rpc_leave(r);
	world_settle();
	ok(seen.failed == ERR_CANCELLED && !seen.replied && world.made < 50);
	r = begin(&seen, 250, 0, 0);
	listing_stream(r, NULL, &kind);
	fake_rpc_leave(r);
	world_settle();
	ok(seen.failed == ERR_CANCELLED && !seen.finished && world.made == 100);
	fake_rpc_forget(&seen);
}

int main(void)
{
	one_message();
	a_turn_is_short();
	batches_wait_for_the_reader();
	a_list_stays_below_the_limit();
	the_client_leaves();
	return tap_end();
}
