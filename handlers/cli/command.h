/* command.h - the commands of `crisp`. Each stands in the file of its kind with its options and its help. */
#ifndef HANDLERS_CLI_COMMAND_H
#define HANDLERS_CLI_COMMAND_H

#include "handlers/cli/args.h"
#include "handlers/cli/call.h"

struct cli_command {
	const char *name;
	const char *operands; /* for the usage line */
	const char *summary;  /* one line */
	const char *more;     /* paragraphs and examples for --help */
	const struct cli_option *options; /* may be NULL */
	int least, most;      /* operands; most -1: any number */
	bool tail;            /* what follows the first operand is not ours: a command line of its own */
	int failure;          /* exit code for our failures; 0: 1, and 64 for usage */
	int (*run)(struct cli *c, const struct cli_args *args); /* the exit code; what went wrong has been printed */
};

extern const struct cli_command cli_run, cli_exec, cli_logs;                             /* use */
extern const struct cli_command cli_ps, cli_pods, cli_images, cli_inspect, cli_info, cli_version; /* look */
extern const struct cli_command cli_pull, cli_rmi, cli_rm;                               /* change */
extern const struct cli_command cli_runp, cli_create, cli_start, cli_stop, cli_stopp, cli_rmp; /* single steps */

#endif
