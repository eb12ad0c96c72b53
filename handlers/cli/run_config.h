/* run_config.h - the options of `crisp run`, and the CRI configs of a pod and a container that they make. */
#ifndef HANDLERS_CLI_RUN_CONFIG_H
#define HANDLERS_CLI_RUN_CONFIG_H

#include <stdbool.h>

#include "api.pb-c.h"
#include "handlers/cli/args.h"

enum cli_run_pull { CLI_PULL_MISSING, CLI_PULL_ALWAYS, CLI_PULL_NEVER };

struct cli_run_config {
	const char *image, *creds, *name, *runtime;
	enum cli_run_pull pull;
	bool host_network, verbose, keep;
	bool input, tty, detach; /* detach: with keep */
	const char *log_dir; /* exists; absolute */
	bool log_dir_ours;   /* crisp made it, and removes it with the files in it */
	struct strings env;  /* K=V */
	struct {
		Runtime__V1__PortMapping **at;
		size_t n;
	} ports;
	struct {
		Runtime__V1__Mount **at;
		size_t n;
	} volumes;
	struct strings command;
};

extern const struct cli_option cli_run_options[];

/* Reads the options and makes the log directory. INVALID_ARGUMENT: the value of an option; INTERNAL: the directory
 * cannot be made, or there is no such volume. Strings live in the arena or in argv. */
int cli_run_config_read(struct cli_run_config *out, const struct cli_args *args, struct arena *arena, struct err *e);

/* Removes the log directory if crisp made it. */
void cli_run_config_free(const struct cli_run_config *config);

Runtime__V1__PodSandboxConfig *cli_run_config_pod(const struct cli_run_config *config, struct arena *arena);
Runtime__V1__ContainerConfig *cli_run_config_container(const struct cli_run_config *config, const char *image_ref,
						       struct arena *arena);

#endif
