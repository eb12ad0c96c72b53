/* why.c - the command why: what was done for a pod, what failed, and what it waits for. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "crisp.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/table.h"

enum { STEPS_SHOWN = 30, ERRORS_SHOWN = 5 };

static const struct cli_option why_options[] = {
	{ "all", 'a', NULL, "show all steps, not only the last 30" },
	{ 0 },
};

static const char *why_took(struct arena *a, int64_t ns)
{
	double ms = (double)ns / 1e6;

	return ms < 10000 ? arena_printf(a, ms < 10 ? "%.1f ms" : "%.0f ms", ms)
			  : arena_printf(a, "%.1f s", ms / 1000);
}

/* Local time, with the date of another day. */
static const char *why_time(struct arena *a, int64_t at_ns)
{
	time_t at = (time_t)(at_ns / 1000000000), now = time(NULL);
	struct tm then, today;
	char text[40];

	if (!localtime_r(&at, &then) || !localtime_r(&now, &today))
		return "?";
	strftime(text, sizeof(text), then.tm_yday == today.tm_yday && then.tm_year == today.tm_year
				     ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &then);
	return arena_printf(a, "%s.%03d", text, (int)(at_ns % 1000000000 / 1000000));
}

static const char *why_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void why_objects(struct cli *c, const Crisp__V1__WhyResponse *r)
{
	struct cli_table *t = cli_table_new(c->arena, "SANDBOX", "STATE", "AGE", NULL);

	if (r->n_sandboxes == 0)
		printf("\nno sandbox of it is here\n");
	for (size_t i = 0; i < r->n_sandboxes; i++)
		cli_table_row(t, cli_table_id(c->arena, r->sandboxes[i]->id), r->sandboxes[i]->state,
			      cli_table_age(c->arena, r->sandboxes[i]->created_at), NULL);
	if (r->n_sandboxes) {
		putchar('\n');
		cli_table_print(t, stdout);
	}
	if (!r->n_containers)
		return;
	t = cli_table_new(c->arena, "CONTAINER", "NAME", "STATE", "IMAGE", "ENDED", NULL);
	for (size_t i = 0; i < r->n_containers; i++) {
		const Crisp__V1__WhyObject *o = r->containers[i];
		bool ended = strcmp(o->state, "exited") == 0;

		cli_table_row(t, cli_table_id(c->arena, o->id), o->name, o->state, o->image,
			      ended ? arena_printf(c->arena, "exit code %d, %s%s%s", o->exit_code, o->reason,
						   *o->message ? ": " : "", o->message) : "", NULL);
	}
	putchar('\n');
	cli_table_print(t, stdout);
}

/* Its container, or the image of a pull. */
static const char *why_of(const Crisp__V1__WhyStep *s)
{
	return *s->container_name ? s->container_name : s->image;
}

static bool why_is(const char *word, const char *other)
{
	return strcmp(word, other) == 0;
}

/* The message of an operation of crisp's own is too long for the table. */
static bool why_has_message(const Crisp__V1__WhyStep *s)
{
	return *s->fault && (why_is(s->kind, "native") || why_is(s->kind, "net") || why_is(s->kind, "shim"));
}

static const char *why_result(const Crisp__V1__WhyStep *s)
{
	if (*s->code)
		return s->code;
	return why_has_message(s) ? "failed" : *s->fault ? s->fault : "ok";
}

static void why_steps(struct cli *c, const Crisp__V1__WhyResponse *r, bool all)
{
	struct cli_table *t = cli_table_new(c->arena, "BEGAN", "TOOK", "STAGE", "OF", "PROGRAM", "RESULT", NULL);
	size_t from = !all && r->n_steps > STEPS_SHOWN ? r->n_steps - STEPS_SHOWN : 0;

	if (!r->n_steps) {
		printf("\nno step of it is recorded\n");
		return;
	}
	for (size_t i = from; i < r->n_steps; i++) {
		const Crisp__V1__WhyStep *s = r->steps[i];
		bool instant = why_is(s->kind, "container");

		cli_table_row(t, why_time(c->arena, s->begun_at), instant ? "" : why_took(c->arena, s->took_ns),
			      s->stage, why_of(s), why_name(s->program), why_result(s), NULL);
	}
	putchar('\n');
	cli_table_print(t, stdout);
	if (from)
		printf("%zu earlier steps: --all\n", from);
	else if (r->left_out)
		printf("%u earlier steps are left out\n", r->left_out);
}

/* What programs said, each line of it indented. */
static void why_words(struct cli *c, const Crisp__V1__WhyStep *s)
{
	size_t n;

	printf("\n%s %s: %s, and wrote:\n", why_time(c->arena, s->begun_at), s->program, s->fault);
	for (const char *at = s->words; *at; at += n + (at[n] == '\n')) {
		n = strcspn(at, "\n");
		if (n)
			cli_print_plainly(arena_printf(c->arena, "    %.*s\n", (int)n, at), stdout);
	}
}

/* Is it worth a paragraph? The message of an operation is part of its call's. */
static bool why_tells(const Crisp__V1__WhyResponse *r, const Crisp__V1__WhyStep *s)
{
	if (*s->code || *s->words)
		return true;
	if (!why_has_message(s))
		return false;
	for (size_t i = 0; i < r->n_steps; i++)
		if (*r->steps[i]->code && strstr(r->steps[i]->fault, s->fault))
			return false;
	return true;
}

static bool why_same(const Crisp__V1__WhyStep *a, const Crisp__V1__WhyStep *b)
{
	return strcmp(a->stage, b->stage) == 0 && strcmp(a->fault, b->fault) == 0 && strcmp(a->words, b->words) == 0;
}

/* How often it failed so, up to step i; 0: it failed so again later. */
static size_t why_times(const Crisp__V1__WhyResponse *r, size_t i)
{
	size_t n = 0;

	for (size_t k = i + 1; k < r->n_steps; k++)
		if (why_same(r->steps[i], r->steps[k]))
			return 0;
	for (size_t k = 0; k <= i; k++)
		n += why_same(r->steps[i], r->steps[k]);
	return n;
}

static void why_error(struct cli *c, const Crisp__V1__WhyStep *s, size_t times)
{
	const char *of = why_of(s);

	cli_print_plainly(arena_printf(c->arena, "\n%s %s%s%s: %s%s%s\n", why_time(c->arena, s->begun_at), s->stage,
				       *of ? " of " : "", of, s->code, *s->code ? ": " : "", s->fault), stdout);
	if (times > 1)
		printf("    %zu times, of which this was the last\n", times);
}

/* The last of each kind: failed calls and operations, and programs that said why. */
static void why_failures(struct cli *c, const Crisp__V1__WhyResponse *r)
{
	size_t at[ERRORS_SHOWN], n = 0;

	for (size_t i = r->n_steps; i-- > 0 && n < ERRORS_SHOWN;)
		if (why_tells(r, r->steps[i]) && why_times(r, i))
			at[n++] = i;
	while (n-- > 0) {
		const Crisp__V1__WhyStep *s = r->steps[at[n]];

		if (!*s->words)
			why_error(c, s, why_times(r, at[n]));
		else
			why_words(c, s);
	}
}

static void why_waits(struct cli *c, const Crisp__V1__WhyResponse *r)
{
	printf("\n%s\n", r->n_waits ? "waits now for:" : "it waits for nothing now: no operation on it is under way");
	for (size_t i = 0; i < r->n_waits; i++) {
		const Crisp__V1__WhyStep *s = r->waits[i];
		const char *text = arena_printf(c->arena, "    %s, for %s", s->stage, why_took(c->arena, s->took_ns));

		if (*s->container_name)
			text = arena_printf(c->arena, "%s, container %s", text, s->container_name);
		if (*s->now)
			text = arena_printf(c->arena, "%s, at %s", text, s->now);
		if (*s->program)
			text = arena_printf(c->arena, "%s: %s", text, s->program);
		if (s->pid > 0)
			text = arena_printf(c->arena, "%s (pid %d)", text, s->pid);
		if (s->inner_pid > 0)
			text = arena_printf(c->arena, "%s, which waits for %s (pid %d)", text, s->inner, s->inner_pid);
		cli_print_plainly(text, stdout);
		putchar('\n');
	}
}

static int why(struct cli *c, const struct cli_args *args)
{
	Crisp__V1__WhyRequest request = CRISP__V1__WHY_REQUEST__INIT;
	Crisp__V1__WhyResponse *r;
	struct err e;

	request.pod = (char *)args->operands.at[0];
	r = cli_call(c, "Why", &request, &e);
	if (!r)
		return cli_fail(c, &e, "why %s", request.pod);
	if (c->json)
		return cli_print(r), 0;
	cli_print_plainly(arena_printf(c->arena, "pod %s\n", r->pod), stdout);
	why_objects(c, r);
	why_steps(c, r, cli_args_flag(args, "all"));
	why_failures(c, r);
	why_waits(c, r);
	return 0;
}

const struct cli_command cli_why = {
	.name = "why",
	.operands = "POD",
	.summary = "tell what was done for a pod, what failed, and what it waits for",
	.options = why_options,
	.least = 1,
	.most = 1,
	.run = why,
	.more = "POD is [NAMESPACE/]NAME, or the start of its id or of that of one of its containers. The pod may be\n"
		"gone, or may never have come up: what was done is told from the flight recorder of the node, which\n"
		"keeps the last 8000 or so steps of all pods until the machine is restarted. Steps that failed show\n"
		"the program's exit status and the end of what it wrote to stderr; calls that failed show their whole\n"
		"message.\n\n"
		"Example:\n"
		"  crisp why default/web\n",
};
