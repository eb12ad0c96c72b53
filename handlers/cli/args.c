/* args.c - see args.h. getopt_long(3) is not used: it accepts abbreviated options, and a script that uses an
 * abbreviation breaks when a new option makes it ambiguous. */
#include "handlers/cli/args.h"

#include <string.h>

struct cli_given {
	const struct cli_option *option;
	const char *value;
};

struct parsing {
	const struct cli_option *tables[2];
	struct cli_args *out;
	char **next;
	struct err *e;
};

static const struct cli_option *find_option(const struct parsing *p, const char *name, size_t len, char letter)
{
	for (size_t i = 0; i < 2; i++)
		for (const struct cli_option *o = p->tables[i]; o && o->name; o++)
			if (name ? strlen(o->name) == len && memcmp(o->name, name, len) == 0 : o->letter == letter)
				return o;
	return NULL;
}

static int give_option(struct parsing *p, const struct cli_option *o, const char *value)
{
	if (o->value && !value)
		value = *p->next ? *p->next++ : NULL;
	if (o->value && !value)
		return err_set(p->e, ERR_INVALID_ARGUMENT, "--%s needs a value: %s", o->name, o->value);
	p->out->given[p->out->ngiven++] = (struct cli_given){ o, value };
	return 0;
}

static int parse_long(struct parsing *p, const char *word)
{
	const char *value = strchr(word, '=');
	size_t len = value ? (size_t)(value - word) : strlen(word);
	const struct cli_option *o = find_option(p, word, len, 0);

	if (!o)
		return err_set(p->e, ERR_INVALID_ARGUMENT, "unknown option --%.*s", (int)len, word);
	if (value && !o->value)
		return err_set(p->e, ERR_INVALID_ARGUMENT, "--%s takes no value", o->name);
	return give_option(p, o, value ? value + 1 : NULL);
}

static int parse_letters(struct parsing *p, const char *letters)
{
	for (; *letters; letters++) {
		const struct cli_option *o = find_option(p, NULL, 0, *letters);

		if (!o)
			return err_set(p->e, ERR_INVALID_ARGUMENT, "unknown option -%c", *letters);
		if (o->value)
			return give_option(p, o, letters[1] ? letters + 1 : NULL);
		give_option(p, o, NULL);
	}
	return 0;
}

int cli_args_parse(struct cli_args *out, const struct cli_option *first, const struct cli_option *second, bool tail,
		   char **argv, struct arena *a, struct err *e)
{
	struct parsing p = { { first, second }, out, argv, e };
	bool operands_only = false;
	size_t room = 0;

	for (char **w = argv; *w; w++)
		room += 1 + strlen(*w); /* a word holds at most as many options as letters (-abc) */
	*out = (struct cli_args){ .given = arena_zalloc(a, (room + 1) * sizeof(*out->given)) };
	out->operands.at = arena_zalloc(a, (room + 1) * sizeof(*out->operands.at));
	while (*p.next) {
		char *word = *p.next++;

		if (operands_only || word[0] != '-' || !word[1]) {
			out->operands.at[out->operands.n++] = word;
			operands_only |= tail;
		} else if (strcmp(word, "--") == 0) {
			operands_only = true;
		} else if ((word[1] == '-' ? parse_long(&p, word + 2) : parse_letters(&p, word + 1)) < 0) {
			return -1;
		}
	}
	return 0;
}

const char *cli_args_value(const struct cli_args *args, const char *name)
{
	for (size_t i = args->ngiven; i > 0; i--)
		if (strcmp(args->given[i - 1].option->name, name) == 0)
			return args->given[i - 1].value;
	return NULL;
}

bool cli_args_flag(const struct cli_args *args, const char *name)
{
	for (size_t i = 0; i < args->ngiven; i++)
		if (strcmp(args->given[i].option->name, name) == 0)
			return true;
	return false;
}

struct strings cli_args_values(const struct cli_args *args, const char *name, struct arena *a)
{
	struct strings all = { arena_zalloc(a, (args->ngiven + 1) * sizeof(*all.at)), 0 };

	for (size_t i = 0; i < args->ngiven; i++)
		if (strcmp(args->given[i].option->name, name) == 0)
			all.at[all.n++] = args->given[i].value;
	return all;
}

void cli_args_help(const struct cli_option *table, FILE *to)
{
	for (const struct cli_option *o = table; o && o->name; o++) {
		char left[64];

		snprintf(left, sizeof(left), "%c%c%s--%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
			 o->letter ? ", " : "  ", o->name, o->value ? " " : "", o->value ? o->value : "");
		fprintf(to, "  %-28s %s\n", left, o->help);
	}
}
