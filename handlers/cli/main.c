/* main.c - crisp, the command line. Finds the command, its options and the runtime's address, and runs the command,
 * which is in another file of the folder.
 *
 * Exit codes: 0; 1 for a failure; 64 for a usage error. run and exec: the exit code of the container's process, 127
 * when there is no such program, 126 when it cannot be executed, and 125 when crisp itself fails. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "handlers/cli/command.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/places.h"

static const struct cli_command *const commands[] = {
	&cli_run,     &cli_exec,  &cli_logs,   &cli_port_forward,
	&cli_ps,      &cli_pods,  &cli_images, &cli_inspect, &cli_stats, &cli_events, &cli_why,
	&cli_info,    &cli_check, &cli_config, &cli_debug, &cli_version,
	&cli_pull,    &cli_rm,    &cli_rmi,    &cli_gc,     &cli_wipe,
	&cli_runp,    &cli_create, &cli_start, &cli_stop,    &cli_stopp, &cli_rmp,
};

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

static const struct cli_option globals[] = {
	{ "address", 0, "ADDRESS", "the CRI socket: unix:///PATH or tcp://HOST:PORT" },
	{ "timeout", 0, "SECONDS", "give up a call after this time" },
	{ "json", 0, NULL, "print JSON" },
	{ "help", 'h', NULL, "this text" },
	{ 0 },
};

static const struct cli_option version_option[] = {
	{ "version", 0, NULL, "print the version of this program" },
	{ 0 },
};

static const struct cli_command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static void print_help(FILE *to)
{
	fputs("usage: crisp [OPTION...] COMMAND [ARGUMENT...]\n\nCommands:\n", to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\nOptions, before or after the command:\n", to);
	cli_args_help(globals, to);
	cli_args_help(version_option, to);
	fputs("\nThe address is taken from --address, $CRISP_ADDRESS, $CONTAINER_RUNTIME_ENDPOINT, or is\n"
	      DEFAULT_ADDRESS ".\n`crisp COMMAND --help` tells more; so does crisp(1).\n", to);
}

static void print_command_help(const struct cli_command *cmd, FILE *to)
{
	fprintf(to, "usage: crisp %s%s%s%s\n\n%s\n\n", cmd->name, cmd->options ? " [OPTION...]" : "",
		*cmd->operands ? " " : "", cmd->operands, cmd->summary);
	if (cmd->options) {
		fputs("Options:\n", to);
		cli_args_help(cmd->options, to);
		fputc('\n', to);
	}
	fprintf(to, "%s", cmd->more);
	fputs("\nOptions of every command:\n", to);
	cli_args_help(globals, to);
}

/* A plain path is a unix socket. */
static const char *pick_address(struct arena *a, const char *given)
{
	const char *address = given;

	if (!address)
		address = getenv("CRISP_ADDRESS");
	if (!address || !*address)
		address = getenv("CONTAINER_RUNTIME_ENDPOINT");
	if (!address || !*address)
		address = DEFAULT_ADDRESS;
	return address[0] == '/' ? arena_printf(a, "unix://%s", address) : address;
}

/* The value of a global option. Behind the command it has precedence over the same option before the command. */
static const char *global_value(const struct cli_args *before, const struct cli_args *behind, const char *name)
{
	const char *value = cli_args_value(behind, name);

	return value ? value : cli_args_value(before, name);
}

static int cli_open(struct cli *c, const struct cli_command *cmd, const struct cli_args *before,
		  const struct cli_args *behind)
{
	const char *timeout = global_value(before, behind, "timeout");
	double seconds = 0;
	char *end;
	struct err e;

	if (timeout) {
		seconds = strtod(timeout, &end);
		if (end == timeout || *end || !(seconds > 0 && seconds < 1e9))
			return cli_misuse(cmd->name, "--timeout: a number of seconds is expected");
	}
	c->timeout_ms = (int64_t)(seconds * 1000);
	c->json = cli_args_flag(before, "json") || cli_args_flag(behind, "json");
	c->failure = cmd->failure ? cmd->failure : 1;
	c->address = pick_address(c->arena, global_value(before, behind, "address"));
	c->client = grpc_client_new(c->address, &e);
	return c->client ? 0 : cli_misuse(cmd->name, arena_printf(c->arena, "address %s: %s", c->address, e.msg));
}

static int run_command(struct cli *c, const struct cli_args *before, char **argv)
{
	const struct cli_command *cmd = find_command(before->operands.at[0]);
	struct cli_args args;
	struct err e;
	int rc;

	if (!cmd)
		return cli_misuse("", arena_printf(c->arena, "unknown command %s", before->operands.at[0]));
	if (cli_args_parse(&args, cmd->options, globals, cmd->tail, argv, c->arena, &e) < 0)
		return cli_misuse(cmd->name, e.msg);
	if (cli_args_flag(&args, "help") || cli_args_flag(before, "help"))
		return print_command_help(cmd, stdout), 0;
	if ((int)args.operands.n < cmd->least || (cmd->most >= 0 && (int)args.operands.n > cmd->most))
		return cli_misuse(cmd->name, cmd->most == 0 ? "it takes no arguments"
							    : arena_printf(c->arena, "expected: %s", cmd->operands));
	rc = cli_open(c, cmd, before, &args);
	if (rc)
		return rc;
	rc = cmd->run(c, &args);
	grpc_client_free(c->client);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		if (errno != EPIPE) /* a reader that closes early (head) is no failure */
			fprintf(stderr, "crisp: write standard output: %s\n", strerror(errno));
		rc = rc ? rc : c->failure;
	}
	return rc;
}

/* Else a socket of this program would get the number of a standard stream that the caller has closed. */
static void open_standard_streams(void)
{
	int fd = 0;

	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(int argc, char **argv)
{
	struct cli c = { .arena = arena_new() };
	struct cli_args before;
	struct err e;
	int rc = 0;

	(void)argc;
	open_standard_streams();
	log_open("crisp", LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	if (cli_args_parse(&before, version_option, globals, true, argv + 1, c.arena, &e) < 0)
		rc = cli_misuse("", e.msg);
	else if (cli_args_flag(&before, "version"))
		puts("crisp " CRISP_VERSION);
	else if (before.operands.n)
		rc = run_command(&c, &before, (char **)before.operands.at + 1);
	else if (cli_args_flag(&before, "help"))
		print_help(stdout);
	else
		print_help(stderr), rc = EX_USAGE;
	arena_free(c.arena);
	return rc;
}
