/* run_config.h - what `crisp run` asks for: its options as CRI's configs of a pod and a container. */
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
	const char *log_dir; /* there, absolute */
	bool log_dir_ours;   /* made by us, and removed with what is in it */
	struct strings env;  /* K=V */
	struct strings command;
};

extern const struct cli_option cli_run_options[];

/* Makes the log directory. INVALID_ARGUMENT: an option's value; INTERNAL: the directory. Strings live in the arena or
 * in argv. */
int cli_run_config_read(struct cli_run_config *out, const struct cli_args *args, struct arena *a, struct err *e);

/* Removes a log directory that is ours. */
void cli_run_config_free(const struct cli_run_config *cfg);

Runtime__V1__PodSandboxConfig *cli_run_config_pod(const struct cli_run_config *cfg, struct arena *a);
Runtime__V1__ContainerConfig *cli_run_config_container(const struct cli_run_config *cfg, const char *image_ref,
						       struct arena *a);

#endif
