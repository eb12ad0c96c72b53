/* pull.c - see pull.h; and the command pull.
 *
 * PullImage is one RPC, which reports no progress. On a terminal a timer draws a line every 100 ms and reads the
 * daemon's page /debug/pulls every third time. Other runtimes have no such page; the line then shows only the time. */
#include "handlers/cli/pull.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/page.h"
#include "handlers/cli/table.h"
#include "reactor/json.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { DRAW_MS = 100, PAGE_EVERY = 3, RATE_NS = 2000000000 };

struct cli_pull {
	struct cli *cli;
	const char *image;
	struct cli_call *call;
	struct cli_page *page;
	const char *page_socket; /* NULL: the runtime has no page */
	struct timer timer;      /* not set when stderr is no terminal */
	int64_t begun_ns;
	unsigned turns;
	int layers, layers_done;
	uint64_t bytes_total, bytes_done; /* compressed; total 0: unknown */
	uint64_t rate_bytes;              /* bytes_done at rate_ns */
	int64_t rate_ns;                  /* the begin of the span of time that `rate` is over */
	double rate;                      /* bytes a second */
	cli_pull_done *done;
	void *arg;
};

/* ---- the moving line ---- */

static void pull_draw(const struct cli_pull *p)
{
	static const char *const spinner[] = { "|", "/", "-", "\\" };
	struct arena *a = arena_new();
	double seconds = (double)(loop_mono_ns() - p->begun_ns) / 1e9;

	fprintf(stderr, "\r\033[K%s pull %s  %.1f s", spinner[p->turns % 4], p->image, seconds);
	if (p->bytes_total)
		fprintf(stderr, "  %s of %s  %s/s  %d of %d layers", cli_table_size(a, p->bytes_done),
			cli_table_size(a, p->bytes_total), cli_table_size(a, (uint64_t)p->rate), p->layers_done,
			p->layers);
	fflush(stderr);
	arena_free(a);
}

static void pull_wipe(const struct cli_pull *p)
{
	if (p->turns)
		fputs("\r\033[K", stderr);
}

static void pull_note_rate(struct cli_pull *p)
{
	int64_t now = loop_mono_ns(), span = now - p->rate_ns;

	if (span <= 0 || p->bytes_done < p->rate_bytes)
		return;
	p->rate = (double)(p->bytes_done - p->rate_bytes) * 1e9 / (double)span;
	if (span > RATE_NS) {
		p->rate_ns = now;
		p->rate_bytes = p->bytes_done;
	}
}

/* The page has the image's full name ("docker.io/library/x:latest"); the name of the command line is a part of it. */
static void on_pull_page(void *arg, const struct err *e, const char *text, size_t len)
{
	struct cli_pull *p = arg;
	auto_json json_t *pulls = NULL;
	const json_t *one;
	struct err bad;
	size_t i;

	p->page = NULL;
	if (e) {
		p->page_socket = e->code == ERR_UNAVAILABLE ? NULL : p->page_socket;
		return;
	}
	pulls = json_parse_own(text, len, "page", &bad);
	json_array_foreach(pulls, i, one) {
		const char *ref = json_string_value(json_object_get(one, "ref"));

		if (!ref || !strstr(ref, p->image))
			continue;
		p->layers = (int)json_get_int(one, "layers");
		p->layers_done = (int)json_get_int(one, "layers_done");
		p->bytes_total = (uint64_t)json_get_int(one, "bytes_total");
		p->bytes_done = (uint64_t)json_get_int(one, "bytes_done");
		pull_note_rate(p);
	}
}

static void on_pull_draw(struct timer *t)
{
	struct cli_pull *p = container_of(t, struct cli_pull, timer);

	if (p->page_socket && !p->page && p->turns % PAGE_EVERY == 0)
		p->page = cli_page_start(p->page_socket, "/debug/pulls", on_pull_page, p);
	p->turns++;
	pull_draw(p);
	timer_set(&p->timer, DRAW_MS, on_pull_draw);
}

/* ---- the call ---- */

static void on_pulled(void *arg, const struct err *e, const void *response)
{
	struct cli_pull *p = arg;
	const Runtime__V1__PullImageResponse *answer = response;

	pull_wipe(p);
	if (!e)
		fprintf(stderr, "crisp: pulled %s in %.2f s\n", p->image, (double)(loop_mono_ns() - p->begun_ns) / 1e9);
	p->done(p->arg, e, e ? NULL : arena_strdup(p->cli->arena, answer->image_ref));
	p->call = NULL;
	cli_pull_cancel(p);
}

static void pull_call(struct cli_pull *p, const char *creds)
{
	Runtime__V1__PullImageRequest request = RUNTIME__V1__PULL_IMAGE_REQUEST__INIT;
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__AuthConfig auth = RUNTIME__V1__AUTH_CONFIG__INIT;
	const char *colon = creds ? strchr(creds, ':') : NULL;

	spec.image = (char *)p->image;
	request.image = &spec;
	if (creds) {
		auth.username = arena_strndup(p->cli->arena, creds, colon ? (size_t)(colon - creds) : strlen(creds));
		auth.password = (char *)(colon ? colon + 1 : "");
		request.auth = &auth;
	}
	p->call = cli_call_start(p->cli, "PullImage", &request, on_pulled, p);
}

struct cli_pull *cli_pull_start(struct cli *c, const char *image, const char *creds, cli_pull_done *done, void *arg)
{
	struct cli_pull *p = new_zero(struct cli_pull);

	p->cli = c;
	p->image = image;
	p->done = done;
	p->arg = arg;
	p->begun_ns = p->rate_ns = loop_mono_ns();
	p->page_socket = cli_page_socket(c->address, c->arena);
	if (isatty(STDERR_FILENO))
		timer_set(&p->timer, DRAW_MS, on_pull_draw);
	pull_call(p, creds);
	return p;
}

void cli_pull_cancel(struct cli_pull *p)
{
	if (p->call) {
		pull_wipe(p);
		cli_call_cancel(p->call);
	}
	if (p->page)
		cli_page_cancel(p->page);
	timer_clear(&p->timer);
	free(p);
}

/* ---- crisp pull ---- */

struct pulling {
	struct err err;
	const char *image_ref; /* NULL: failed, err has the reason */
};

static void on_pull_done(void *arg, const struct err *e, const char *image_ref)
{
	struct pulling *p = arg;

	p->image_ref = image_ref;
	if (e)
		p->err = *e;
	loop_stop();
}

static int pull(struct cli *c, const struct cli_args *args)
{
	const char *image = args->operands.at[0];
	struct pulling p;

	cli_pull_start(c, image, cli_args_value(args, "creds"), on_pull_done, &p);
	loop_run();
	if (!p.image_ref)
		return cli_fail(c, &p.err, "pull %s", image);
	if (c->json) {
		Runtime__V1__PullImageResponse answer = RUNTIME__V1__PULL_IMAGE_RESPONSE__INIT;

		answer.image_ref = (char *)p.image_ref;
		cli_print(&answer);
	} else {
		puts(p.image_ref);
	}
	return 0;
}

static const struct cli_option pull_options[] = {
	{ "creds", 0, "USER:PASSWORD", "credentials for the registry" },
	{ 0 },
};

const struct cli_command cli_pull = {
	.name = "pull",
	.operands = "IMAGE",
	.summary = "pull an image",
	.options = pull_options,
	.least = 1,
	.most = 1,
	.run = pull,
	.more = "Prints the image's id. Progress is shown on a terminal. When the command is\n"
		"interrupted the transfer stops; the next pull goes on where it stopped.\n\n"
		"Examples:\n"
		"  crisp pull busybox\n"
		"  crisp pull --creds ci:secret registry.example/app@sha256:4f53cda18c2b...\n",
};
