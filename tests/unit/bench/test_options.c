/* test_options.c - what a scenario takes, what its --help says, and what is written down of a run. */
#include "bench/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/own.h"
#include "tests/tap.h"

static const struct scenario churn = { "churn", "About it.", "rounds width seconds", NULL,
				       { .rounds = 3, .width = 10, .seconds = 10 } };
static const struct scenario exec = { "exec", "About it.", "rounds width command", NULL,
				      { .rounds = 5, .width = 10, .command = "true" } };
static struct bench b;

/* Reads the words behind "churn --image I --log-dir L", or only the words when `bare`. */
static enum options_read read_words(const struct scenario *s, bool bare, const char *words)
{
	static char text[256];
	char *argv[32] = { (char *)s->name, (char *)"--image", (char *)"I", (char *)"--log-dir", (char *)"L" };
	int argc = bare ? 1 : 5;

	snprintf(text, sizeof(text), "%s", words);
	for (char *save, *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	optind = 0; /* getopt_long begins anew */
	return options_read(&b, s, argc, argv);
}

static void defaults_and_values(void)
{
	ok(read_words(&churn, false, "--width 4 a=@unix:///a") == OPTIONS_RUN);
	ok(b.rounds == 3 && b.width == 4 && b.seconds == 10 && b.timeout_s == 60 && b.ready_s == 30);
	is_str(b.pods.image, "I");
	is_str(b.pods.cgroup_parent, "");
	is_str(b.scenario, "churn");
	ok(b.out == stdout && !b.pods.host_network);
	ok(read_words(&churn, false, "--host-network --mode x a=@b c=@d") == OPTIONS_RUN);
	ok(b.pods.host_network && b.width == 10);
	is_str(b.mode, "x");
}

static void what_is_refused(void)
{
	ok(read_words(&churn, false, "") == OPTIONS_WRONG);			  /* no endpoint */
	ok(read_words(&churn, true, "--image I a=@b") == OPTIONS_WRONG);	  /* no log-dir */
	ok(read_words(&churn, false, "--n 3 a=@b") == OPTIONS_WRONG);		  /* of another scenario */
	ok(read_words(&churn, false, "--nothing 3 a=@b") == OPTIONS_WRONG);
	ok(read_words(&churn, false, "--rounds 0 a=@b") == OPTIONS_WRONG);
	ok(read_words(&churn, false, "--rounds 3x a=@b") == OPTIONS_WRONG);
	ok(read_words(&churn, false, "--seconds 99999 a=@b") == OPTIONS_WRONG);
	ok(read_words(&churn, false, "--width 0 a=@b") == OPTIONS_WRONG);
	ok(read_words(&exec, false, "--width 0 a=@b") == OPTIONS_RUN);		  /* it has another part */
	ok(read_words(&churn, false, "a=@exec:/bin/cat") == OPTIONS_WRONG);	  /* has no answers for a churn */
	ok(read_words(&exec, false, "a=@exec:/bin/cat") == OPTIONS_RUN);
	ok(read_words(&churn, false, "1=@ 2=@ 3=@ 4=@ 5=@ 6=@ 7=@ 8=@ 9=@ 10=@ 11=@ 12=@ 13=@") == OPTIONS_WRONG);
}

static char *help_of(const struct scenario *s)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	options_help(s, out);
	fclose(out);
	return text;
}

static void help(void)
{
	auto_free char *text = help_of(&exec);

	ok(read_words(&exec, true, "--help") == OPTIONS_HELP);
	ok(strstr(text, "usage: crisp-bench exec ") && strstr(text, "About it."));
	ok(strstr(text, "--rounds N ") && strstr(text, "(5)\n") && strstr(text, "(true)\n") && strstr(text, "(60)\n"));
	ok(!strstr(text, "--seconds")); /* not of this scenario */
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		if (strcspn(line, "\n") > 120)
			ok(!"a line of --help is too long");
}

static void what_is_written_down(void)
{
	struct arena *a = arena_new();

	read_words(&churn, false, "--width 4 --seccomp-default --timeout-s 5 a=@b");
	is_str(options_text(&b, &churn, a), "rounds 3, width 4, seconds 10, image I, seccomp-default, timeout-s 5");
	arena_free(a);
}

int main(void)
{
	defaults_and_values();
	what_is_refused();
	help();
	what_is_written_down();
	return tap_end();
}
