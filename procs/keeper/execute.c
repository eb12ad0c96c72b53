/* execute.c - see execute.h. */
#include "procs/keeper/execute.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/keeper/fallback.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/spawn.h"
#include "reactor/own.h"

/* The keeper's environment without the variables that are meant for the keeper, and with the numbers of two fds. */
static const char **crispd_env(void)
{
	static const char *const ours[] = { KEEPER_FD_ENV "=3", KEEPER_WHY_ENV "=4" };
	size_t n = 0, kept = 0;
	const char **env;

	while (environ[n])
		n++;
	env = own_must(calloc(n + 3, sizeof(*env)));
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], KEEPER_FD_ENV "=", strlen(KEEPER_FD_ENV) + 1) != 0 &&
		    strncmp(environ[i], KEEPER_WHY_ENV "=", strlen(KEEPER_WHY_ENV) + 1) != 0 &&
		    strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0)
			env[kept++] = environ[i];
	env[kept++] = ours[0];
	env[kept] = ours[1];
	return env;
}

pid_t crispd_execute(const struct crispd_config *cfg, int channel, int why, int *birth_fd, struct err *e)
{
	const char *copy = fallback_path();
	const char *argv[] = { cfg->path, cfg->config ? "--config" : NULL, cfg->config,
			       copy ? "--fallback" : NULL, copy, "--refused", fallback_why(), NULL };
	auto_free const char **env = crispd_env();
	int fds[] = { channel, STDOUT_FILENO, STDERR_FILENO, why };
	struct child_request r = {
		.argv = argv, .envp = env, .cwd = "/", .cgroup_fd = -1,
		.nfds = 4, .fds = fds, .theirs = { 3, STDOUT_FILENO, STDERR_FILENO, 4 },
	};

	return spawn(&r, true, birth_fd, e);
}
