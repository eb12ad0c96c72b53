/* fuzz_ttrpc.c - any bytes from the other end of a ttrpc connection, in two pieces; the first byte is the place of the
 * cut, the second one what the user of the connection does: it serves or only calls, answers at once, later or never,
 * closes in an event. Each call must end exactly once. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "reactor/loop.h"
#include "reactor/ttrpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SERVES = 1, HOLDS = 2, FAILS = 4, CLOSES = 8, CLOSES_AT_END = 16, CANCELS = 32 };
enum { CALLS = 4 };

static struct ttrpc *ttrpc;
static struct ttrpc_call *victim; /* cancelled by the end of another */
static struct ttrpc_request *held;
static unsigned ways;
static int done[CALLS];
static size_t sum;

static void close_now(void)
{
	if (ttrpc)
		ttrpc_close(ttrpc);
	ttrpc = NULL;
}

static void read_all(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += bytes[i];
}

static void on_send(void *arg, const void *bytes, size_t len)
{
	(void)arg;
	read_all(bytes, len);
}

static void on_serve(void *arg, struct ttrpc_request *request, const char *service, const char *method,
		     const uint8_t *body, size_t len)
{
	struct err e;

	(void)arg;
	sum += service[0] + (uint8_t)method[0];
	if (ways & CLOSES)
		close_now();
	read_all(body, len);
	if (ways & HOLDS && !held) {
		held = request;
	} else if (ways & FAILS) {
		err_set(&e, ERR_INTERNAL, "no");
		ttrpc_fail(request, &e);
	} else {
		ttrpc_reply(request, body, len);
	}
}

static void on_gone(void *arg, const struct err *e)
{
	(void)arg;
	sum += e->code;
	if (ways & CLOSES)
		close_now();
}

static void on_done(void *arg, const struct err *e, const uint8_t *body, size_t len)
{
	++*(int *)arg;
	sum += e ? (size_t)e->code : 0;
	if (ways & CLOSES_AT_END)
		close_now();
	read_all(body, len);
	if (victim && ways & CANCELS) {
		ttrpc_call_cancel(victim);
		victim = NULL;
		done[CALLS - 1]++;
	}
}

static void on_victim_done(void *arg, const struct err *e, const uint8_t *body, size_t len)
{
	victim = NULL;
	on_done(arg, e, body, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ttrpc_events serves = { on_serve, on_gone }, calls = { NULL, on_gone };
	struct ttrpc_channel channel = { on_send, NULL };
	struct ttrpc_ask ask = { .service = "s", .method = "m" };
	size_t cut;

	if (size < 2)
		return 0;
	cut = data[0] < size - 2 ? data[0] : size - 2;
	ways = data[1];
	ttrpc = ttrpc_open(&channel, ways & SERVES ? &serves : &calls, NULL);
	for (int i = 0; i < CALLS; i++) {
		struct ttrpc_call *call = ttrpc_call(ttrpc, &ask, i == CALLS - 1 ? on_victim_done : on_done, &done[i]);

		done[i] = 0;
		if (i == CALLS - 1)
			victim = call;
	}
	ttrpc_feed(ttrpc, data + 2, cut);
	if (ttrpc)
		ttrpc_feed(ttrpc, data + 2 + cut, size - 2 - cut);
	if (ttrpc)
		ttrpc_channel_gone(ttrpc);
	close_now();
	if (held)
		ttrpc_reply(held, "late", 4);
	held = NULL;
	loop_turn();
	loop_turn();
	for (int i = 0; i < CALLS; i++)
		if (done[i] != 1)
			abort();
	return sum == SIZE_MAX ? -1 : 0; /* everything was read */
}
