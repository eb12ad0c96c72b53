/* run_attach.c - see run_attach.h.
 *
 *   ASK ---URL---> JOINED ---connection lost---> REST ---200 ms---> ASK        JOINED --the container ended--> OVER
 *    +---UNAVAILABLE---> REST     +---any other error---> OVER
 *
 * Waits on: Attach (ASK), the connection (JOINED), a timer (REST). */
#include "handlers/cli/run_attach.h"

#include <stdlib.h>

#include "api.pb-c.h"
#include "handlers/cli/remote.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { REST_MS = 200 };

enum attach_state { ASK, JOINED, REST, OVER };
static const struct sm_state attach_states[] = {
	[ASK]    = { "ASK",    TO(JOINED) | TO(REST) | TO(OVER) },
	[JOINED] = { "JOINED", TO(REST) | TO(OVER) },
	[REST]   = { "REST",   TO(ASK) },
	[OVER]   = { "OVER",   0 },
};

struct cli_run_attach {
	struct sm sm;
	struct cli *cli;
	const char *id;
	bool tty;
	struct cli_call *call;
	struct cli_remote *remote; /* in REST and OVER: the last one */
	struct timer timer;
};

static void attach_ask(struct cli_run_attach *a);

static void on_attach_rested(struct timer *t)
{
	struct cli_run_attach *a = container_of(t, struct cli_run_attach, timer);

	if (a->remote)
		cli_remote_free(take_ptr(&a->remote));
	sm_move(&a->sm, ASK);
	attach_ask(a);
}

static void attach_rest(struct cli_run_attach *a)
{
	sm_move(&a->sm, REST);
	timer_set(&a->timer, REST_MS, on_attach_rested);
}

/* A container that has ended before it could be attached to needs no word. */
static void attach_over(struct cli_run_attach *a, const struct err *e)
{
	sm_move(&a->sm, OVER);
	if (e && e->code != ERR_FAILED_PRECONDITION && e->code != ERR_NOT_FOUND)
		cli_fail(a->cli, e, "attach to container %.12s", a->id);
}

static void on_attach_ready(void *arg)
{
	(void)arg;
}

/* Without an error the container has ended, or its input, which is the terminal's end. */
static void on_attach_done(void *arg, const struct err *e, int code)
{
	struct cli_run_attach *a = arg;

	(void)code;
	if (e)
		attach_rest(a);
	else
		attach_over(a, NULL);
}

static void on_attach_url(void *arg, const struct err *e, const void *response)
{
	const Runtime__V1__AttachResponse *answer = response;
	struct cli_run_attach *a = arg;
	struct cli_remote_want want = { .in = true, .tty = a->tty };
	struct cli_remote_events events = { on_attach_ready, on_attach_done, a };
	struct err bad;

	a->call = NULL;
	if (!e) {
		a->remote = cli_remote_start(answer->url, a->cli->address, &want, &events, &bad);
		e = a->remote ? NULL : &bad;
	}
	if (!e)
		sm_move(&a->sm, JOINED);
	else if (e->code == ERR_UNAVAILABLE)
		attach_rest(a);
	else
		attach_over(a, e);
}

static void attach_ask(struct cli_run_attach *a)
{
	Runtime__V1__AttachRequest request = RUNTIME__V1__ATTACH_REQUEST__INIT;

	request.container_id = (char *)a->id;
	request.stdin = true;
	request.tty = a->tty;
	a->call = cli_call_start(a->cli, "Attach", &request, on_attach_url, a);
}

struct cli_run_attach *cli_run_attach_start(struct cli *c, const char *container_id, bool tty)
{
	struct cli_run_attach *a = new_zero(struct cli_run_attach);

	a->sm = (struct sm){ attach_states, "run_attach", container_id, ASK };
	a->cli = c;
	a->id = container_id;
	a->tty = tty;
	attach_ask(a);
	return a;
}

void cli_run_attach_free(struct cli_run_attach *a)
{
	if (a->call)
		cli_call_cancel(a->call);
	if (a->remote)
		cli_remote_free(a->remote);
	timer_clear(&a->timer);
	free(a);
}
