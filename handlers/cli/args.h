/* args.h - a command line against a table of options; the same table makes the help text. */
#ifndef HANDLERS_CLI_ARGS_H
#define HANDLERS_CLI_ARGS_H

#include <stdbool.h>
#include <stdio.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"

struct cli_option {
	const char *name;  /* without the dashes; NULL ends the table */
	char letter;       /* 0: none */
	const char *value; /* the value's name in the help text; NULL: the option takes no value */
	const char *help;
};

struct cli_given;

struct cli_args {
	struct cli_given *given; /* options in the order of the command line */
	size_t ngiven;
	struct strings operands;
};

/* Forms: --name=VALUE, --name VALUE, -nVALUE, -n VALUE, flags together as -ab. `--` ends the options. With `tail` the
 * first operand ends them too. An option may be in either table; `second` may be NULL. Strings are borrowed from argv.
 * INVALID_ARGUMENT: an option that is in no table, a missing value, a value for an option that takes none. */
int cli_args_parse(struct cli_args *out, const struct cli_option *first, const struct cli_option *second, bool tail,
		   char **argv, struct arena *arena, struct err *e);

bool cli_args_flag(const struct cli_args *args, const char *name);
const char *cli_args_value(const struct cli_args *args, const char *name); /* the last value wins; NULL: not given */
struct strings cli_args_values(const struct cli_args *args, const char *name, struct arena *arena);

void cli_args_help(const struct cli_option *table, FILE *to);

#endif
