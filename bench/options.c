/* options.c - see options.h. One table has everything about an option; getopt's own table is made from it. */
#include "bench/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/buf.h"

enum kind {
	NUMBER,
	TEXT,
	PLACE, /* a text that says where something is, which no figure depends on */
	FLAG,
	LINES, /* the file that the JSON lines are added to */
};

static const struct option_row {
	const char *name, *argument, *about;
	enum kind kind;
	size_t at; /* in struct bench */
	long least, most;
	bool common;
} rows[] = {
#define AT(member) offsetof(struct bench, member)
	{ "rounds", "N", "every endpoint has its turns in each round", NUMBER, AT(rounds), 1, 100000, false },
	{ "count", "N", "pods, or calls, of an endpoint in a round, one by one", NUMBER, AT(count), 0, 100000, false },
	{ "width", "N", "at once; with pod-start and exec 0 leaves this part out", NUMBER, AT(width), 0, 1000, false },
	{ "rate", "N", "an open loop: N pods a second are due, however long the earlier ones take; 0: closed", NUMBER,
	  AT(rate), 0, 10000, false },
	{ "seconds", "N", "how long", NUMBER, AT(seconds), 1, 86400, false },
	{ "n", "N", "pods that are up meanwhile", NUMBER, AT(n), 1, PODS_MAX, false },
	{ "steps", "N", "steps in which the pods are started", NUMBER, AT(steps), 1, 1000, false },
	{ "command", "TEXT", "words of the program, separated by blanks", TEXT, AT(command), 0, 0, false },
	{ "beside", "NAME=PROGRAM", "also PROGRAM CONTAINER-ID COMMAND, in the first endpoint's pods", TEXT, AT(beside),
	  0, 0, false },
	{ "images", "REF,REF", "the images to pull", TEXT, AT(images), 0, 0, false },
	{ "megabytes", "N", "of lines, in bulk and line by line", NUMBER, AT(megabytes), 1, 100000, false },
	{ "pause-ms", "N", "rest between two steps, and up to 10 ms more", NUMBER, AT(pause_ms), 0, 60000, false },
	{ "image", "REF", "the image of the pods; it is pulled before anything is measured", TEXT, AT(pods.image), 0, 0,
	  true },
	{ "log-dir", "DIR", "for the logs of the containers; the servers write there", PLACE, AT(pods.log_dir), 0, 0,
	  true },
	{ "cgroup-parent", "PATH", "of every pod", PLACE, AT(pods.cgroup_parent), 0, 0, true },
	{ "seccomp-default", NULL, "containers with the profile RuntimeDefault; else unconfined", FLAG,
	  AT(pods.seccomp_default), 0, 0, true },
	{ "host-network", NULL, "pods with the node's network (network: NODE)", FLAG, AT(pods.host_network), 0, 0,
	  true },
	{ "host-port", "N", "pods with a hostPort each, from N to N + 9999; 0: without", NUMBER, AT(pods.host_port), 0,
	  55536, true },
	{ "mode", "WORD", "added to the samples' mode, so that they are counted by themselves", TEXT, AT(mode), 0, 0,
	  true },
	{ "timeout-s", "N", "seconds for a call", NUMBER, AT(timeout_s), 1, 3600, true },
	{ "ready-s", "N", "seconds for a server to become ready", NUMBER, AT(ready_s), 0, 3600, true },
	{ "out", "FILE", "JSON lines are added to it; else they go to standard output", LINES, AT(out), 0, 0, true },
#undef AT
};
enum { ROWS = sizeof(rows) / sizeof(*rows) };

static const void *value_of(const struct bench *b, const struct option_row *row)
{
	return (const char *)b + row->at;
}

static long number_of(const struct bench *b, const struct option_row *row)
{
	return *(const long *)value_of(b, row);
}

/* The value of an option of kind TEXT; NULL: it has none, or the option is of another kind. */
static const char *text_of(const struct bench *b, const struct option_row *row)
{
	const char *text = row->kind == TEXT ? *(const char *const *)value_of(b, row) : NULL;

	return text && *text ? text : NULL;
}

static bool takes(const struct scenario *s, const struct option_row *row)
{
	size_t len = strlen(row->name);

	if (row->common)
		return true;
	for (const char *at = s->takes; *at; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		if (strcspn(at, " ") == len && strncmp(at, row->name, len) == 0)
			return true;
	}
	return false;
}

static struct bench with_defaults(const struct scenario *s)
{
	struct bench b = s->defaults;

	b.scenario = s->name;
	b.out = stdout;
	b.pods.cgroup_parent = "";
	b.timeout_s = 60;
	b.ready_s = 30;
	return b;
}

/* ---- reading ---- */

static int wrong(const char *option, const char *why)
{
	fprintf(stderr, "crisp-bench: --%s %s\n", option, why);
	return -1;
}

static int take_number(const struct option_row *row, const char *text, long *out)
{
	char *end;

	*out = strtol(text, &end, 10);
	if (*text && !*end && *out >= row->least && *out <= row->most)
		return 0;
	fprintf(stderr, "crisp-bench: --%s %s: not a number from %ld to %ld\n", row->name, text, row->least, row->most);
	return -1;
}

static int take(struct bench *b, const struct option_row *row, const char *text)
{
	void *value = (char *)b + row->at;

	switch (row->kind) {
	case NUMBER:
		return take_number(row, text, value);
	case TEXT:
	case PLACE:
		*(const char **)value = text;
		return 0;
	case FLAG:
		*(bool *)value = true;
		return 0;
	case LINES:
		*(FILE **)value = fopen(text, "ae");
		if (!*(FILE **)value)
			perror(text);
		return *(FILE **)value ? 0 : -1;
	}
	return -1;
}

/* A program that takes a server's turns has answers for two scenarios only. */
static bool takes_twins(const struct bench *b)
{
	return strcmp(b->scenario, "exec") == 0 || (strcmp(b->scenario, "pod-start") == 0 && !b->rate);
}

static int check(const struct bench *b, const struct scenario *s, char **endpoints, int n)
{
	if (!b->pods.image || !b->pods.log_dir)
		return wrong(b->pods.image ? "log-dir" : "image", "is missing");
	if (b->images && !*b->images)
		return wrong("images", "is missing");
	if (b->beside && !strstr(b->beside, "=/"))
		return wrong("beside", "is not NAME=/PROGRAM");
	if (s->defaults.width && !b->width && !takes_twins(b))
		return wrong("width", "0: no pod would be started");
	if (n < 1 || n > ENDPOINTS_MAX) {
		fprintf(stderr, "crisp-bench: %d endpoints: 1 to %d are needed\n", n, ENDPOINTS_MAX);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		if (takes_twins(b) || !strstr(endpoints[i], "@" TWIN_SCHEME))
			continue;
		fprintf(stderr, "crisp-bench: %s: only pod-start without --rate, and exec, take a program\n",
			endpoints[i]);
		return -1;
	}
	return 0;
}

enum options_read options_read(struct bench *b, const struct scenario *s, int argc, char **argv)
{
	enum { HELP = ROWS };
	struct option options[ROWS + 2] = { [ROWS] = { "help", no_argument, NULL, HELP } };
	int c;

	for (int i = 0; i < ROWS; i++)
		options[i] = (struct option){ rows[i].name, rows[i].argument != NULL, NULL, i };
	*b = with_defaults(s);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == HELP)
			return OPTIONS_HELP;
		if (c == '?')
			return OPTIONS_WRONG;
		if (!takes(s, &rows[c])) {
			wrong(rows[c].name, "is no option of this scenario");
			return OPTIONS_WRONG;
		}
		if (take(b, &rows[c], optarg) < 0)
			return OPTIONS_WRONG;
	}
	if (check(b, s, argv + optind, argc - optind) < 0)
		return OPTIONS_WRONG;
	b->n = b->n < b->steps ? b->steps : b->n; /* no step without a pod */
	return OPTIONS_RUN;
}

/* ---- printing ---- */

static void help_rows(const struct scenario *s, bool common, FILE *out)
{
	struct bench defaults = with_defaults(s);

	for (size_t i = 0; i < ROWS; i++) {
		const struct option_row *row = &rows[i];
		const char *text = text_of(&defaults, row);
		char left[32];

		if (row->common != common || !takes(s, row))
			continue;
		snprintf(left, sizeof(left), "--%s %s", row->name, row->argument ? row->argument : "");
		fprintf(out, "  %-22s %s", left, row->about);
		if (row->kind == NUMBER)
			fprintf(out, " (%ld)", number_of(&defaults, row));
		else if (text)
			fprintf(out, " (%s)", text);
		fputc('\n', out);
	}
}

void options_help(const struct scenario *s, FILE *out)
{
	fprintf(out,
		"usage: crisp-bench %s --image REF --log-dir DIR [OPTION...] NAME=HANDLER@ADDRESS...\n\n%s\n\n"
		"options, with the default in brackets:\n",
		s->name, s->about);
	help_rows(s, false, out);
	fputs("options of every scenario:\n", out);
	help_rows(s, true, out);
}

const char *options_text(const struct bench *b, const struct scenario *s, struct arena *arena)
{
	const struct bench defaults = with_defaults(s);
	struct buf text = { 0 };
	const char *kept;

	for (size_t i = 0; i < ROWS; i++) {
		const struct option_row *row = &rows[i];
		const char *comma = text.len ? ", " : "";

		if (!takes(s, row))
			continue;
		if (row->kind == NUMBER && (!row->common || number_of(b, row) != number_of(&defaults, row)))
			buf_printf(&text, "%s%s %ld", comma, row->name, number_of(b, row));
		else if (row->kind == FLAG && *(const bool *)value_of(b, row))
			buf_printf(&text, "%s%s", comma, row->name);
		else if (text_of(b, row))
			buf_printf(&text, "%s%s %s", comma, row->name, text_of(b, row));
	}
	kept = arena_strdup(arena, buf_str(&text));
	buf_free(&text);
	return kept;
}
