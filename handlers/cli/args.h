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
	const char *value; /* what to call its value in help; NULL: it has none */
	const char *help;
};

struct cli_given;

struct cli_args {
	struct cli_given *given; /* options in the order they came */
	size_t ngiven;
	struct strings operands;
};

/* --name=VALUE, --name VALUE, -nVALUE, -n VALUE, flags together as -ab; `--` ends the options, and so does the first
 * operand when `tail`. Options of either table (second may be NULL). Strings are borrowed from argv. INVALID_ARGUMENT:
 * an option that is in no table, a value that is missing or not wanted. */
int cli_args_parse(struct cli_args *out, const struct cli_option *first, const struct cli_option *second, bool tail,
		   char **argv, struct arena *a, struct err *e);

bool cli_args_flag(const struct cli_args *args, const char *name);
const char *cli_args_value(const struct cli_args *args, const char *name); /* the last one given; NULL: none */
struct strings cli_args_values(const struct cli_args *args, const char *name, struct arena *a);

void cli_args_help(const struct cli_option *table, FILE *to);

#endif
