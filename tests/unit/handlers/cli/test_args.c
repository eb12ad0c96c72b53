/* test_args.c - command lines against a table of options. */
#include "handlers/cli/args.h"

#include "tests/tap.h"

static const struct cli_option options[] = {
	{ "all", 'a', NULL, "" }, { "force", 'f', NULL, "" }, { "env", 'e', "KEY=VALUE", "" }, { 0 },
};
static const struct cli_option globals[] = { { "json", 0, NULL, "" }, { "timeout", 0, "SECONDS", "" }, { 0 } };

static struct arena *arena;
static struct cli_args args;
static struct err err;

/* The words up to NULL. */
#define PARSE(tail, ...) cli_args_parse(&args, options, globals, tail, (char *[]){ __VA_ARGS__, NULL }, arena, &err)

static void words_and_options_mix(void)
{
	ok(PARSE(false, "one", "-a", "two", "--json", "-", "", "--", "--env") == 0);
	ok(args.operands.n == 5);
	is_str(args.operands.at[0], "one");
	is_str(args.operands.at[2], "-");
	is_str(args.operands.at[3], "");
	is_str(args.operands.at[4], "--env");
	ok(cli_args_flag(&args, "all") && cli_args_flag(&args, "json") && !cli_args_flag(&args, "force"));
}

static void a_tail_is_not_ours(void)
{
	ok(PARSE(true, "-a", "image", "sh", "-c", "--no-such") == 0);
	ok(args.operands.n == 4);
	is_str(args.operands.at[3], "--no-such");
}

static void values_in_every_spelling(void)
{
	struct strings env;

	ok(PARSE(false, "-e", "A=1", "-eB=2", "--env", "C=3", "--env=D=4", "-afe", "E=5", "--timeout=3", "--timeout",
		 "4") == 0);
	env = cli_args_values(&args, "env", arena);
	ok(env.n == 5);
	is_str(env.at[0], "A=1");
	is_str(env.at[1], "B=2");
	is_str(env.at[2], "C=3");
	is_str(env.at[3], "D=4");
	is_str(env.at[4], "E=5");
	ok(cli_args_flag(&args, "all") && cli_args_flag(&args, "force"));
	is_str(cli_args_value(&args, "timeout"), "4");
	ok(args.operands.n == 0 && !cli_args_value(&args, "json"));
}

static void what_is_wrong_is_named(void)
{
	ok(PARSE(false, "--al") < 0 && err.code == ERR_INVALID_ARGUMENT);
	is_str(err.msg, "unknown option --al");
	ok(PARSE(false, "--al=x") < 0);
	is_str(err.msg, "unknown option --al");
	ok(PARSE(false, "-ax") < 0);
	is_str(err.msg, "unknown option -x");
	ok(PARSE(false, "--all=yes") < 0);
	is_str(err.msg, "--all takes no value");
	ok(PARSE(false, "-e") < 0);
	is_str(err.msg, "--env needs a value: KEY=VALUE");
	ok(PARSE(false, "--timeout") < 0);
	is_str(err.msg, "--timeout needs a value: SECONDS");
}

int main(void)
{
	arena = arena_new();
	words_and_options_mix();
	a_tail_is_not_ours();
	values_in_every_spelling();
	what_is_wrong_is_named();
	arena_free(arena);
	return tap_end();
}
