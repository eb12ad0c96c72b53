/* command.h - the commands of `crisp`. A command is one struct, in the .c file of its kind, beside its options and
 * help. */
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
	int least, most;      /* number of operands; most -1: no limit */
	bool tail;            /* words behind the first operand are a command line for the container, not options */
	int failure;          /* exit code when crisp itself fails; 0 means 1 */
	int (*run)(struct cli *c, const struct cli_args *args); /* returns the exit code; errors are printed */
};

/* use */
extern const struct cli_command cli_run, cli_exec, cli_logs, cli_port_forward;
/* look */
extern const struct cli_command cli_ps, cli_pods, cli_images, cli_inspect, cli_stats, cli_events, cli_why, cli_info,
	cli_check, cli_config, cli_debug, cli_version;
/* change */
extern const struct cli_command cli_pull, cli_rmi, cli_rm, cli_gc, cli_wipe;
/* single steps */
extern const struct cli_command cli_runp, cli_create, cli_start, cli_stop, cli_stopp, cli_rmp;

#endif
