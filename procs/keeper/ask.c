/* ask.c - see ask.h. */
#include "procs/keeper/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/keeper/fallback.h"
#include "procs/keeper/front.h"
#include "procs/keeper/proto.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/places.h"
#include "reactor/small_file.h"

enum { ANSWER_MS = 10000, EXIT_NO_ANSWER = 1, LINES_MAX = 2 * PATH_MAX + 32 };

_Static_assert(sizeof(((struct asked *)0)->state) == PATH_MAX, "a path fits");

/* Its exit status; text: what it printed. */
static int ask(const char *crispd, const char *config, char text[static LINES_MAX])
{
	const char *argv[] = { crispd, "--print", "state", config ? "--config" : NULL, config, NULL };
	size_t len = 0;
	ssize_t n = 1;
	int ends[2], status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		exit(EXIT_NO_ANSWER);
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		front_signals(SIG_UNBLOCK);
		execv(crispd, (char *const *)argv);
		log_error("execute path=%s error=%s", log_quote(crispd), log_quote(strerror(errno)));
		_exit(EXIT_NO_ANSWER);
	}
	close(ends[1]);
	while (n > 0 && len < LINES_MAX - 1 && poll(&(struct pollfd){ ends[0], POLLIN, 0 }, 1, ANSWER_MS) > 0) {
		n = read(ends[0], text + len, LINES_MAX - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	text[len] = '\0';
	close(ends[0]);
	if (n > 0)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_NO_ANSWER;
}

/* The first line is the state directory; a crispd of an earlier version does not print the others. */
static int ask_lines(const char *crispd, const char *config, struct asked *out)
{
	char text[LINES_MAX];
	int status = ask(crispd, config, text);
	const char *root = strstr(text, "\nroot: ");

	out->json = strstr(text, "\nlog: json") != NULL;
	snprintf(out->state, sizeof(out->state), "%.*s", (int)strcspn(text, "\n"), text);
	out->root[0] = '\0';
	if (root) {
		root += strlen("\nroot: ");
		snprintf(out->root, sizeof(out->root), "%.*s", (int)strcspn(root, "\n"), root);
	}
	return status;
}

static int ask_copy(const char *crispd, const char *dir, struct asked *out)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/" READY_CONFIG, dir) >= (int)sizeof(path))
		return EXIT_CONFIG;
	return ask_lines(crispd, path, out);
}

int ask_directories(const char *crispd, const char *config, struct asked *out)
{
	int status = ask_lines(crispd, config, out);
	const char *dir;

	if (status != EXIT_CONFIG)
		return status;
	dir = fallback_state(config);
	if (!dir)
		dir = fallback_root(config);
	return dir && ask_copy(crispd, dir, out) == 0 ? 0 : status;
}

static void copy_text(const char *from, const char *to)
{
	struct err e;
	size_t len;
	auto_free char *text = small_file_read(from, CONFIG_BYTES_MAX, &len, ERR_INTERNAL, &e);

	if (text && small_file_put(to, text, len, ERR_INTERNAL, &e) == 0)
		log_info("configuration_copy from=%s why=\"the state directory has none, as after a reboot\"",
			 log_quote(from));
	else
		log_error("configuration_copy from=%s error=%s", log_quote(from), log_quote(e.msg));
}

void ask_restore_copy(const char *crispd, const char *config, const char *state, const char *root)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct asked of_copy;

	if (!fallback_is_there(state, config) && fallback_is_there(root, config) &&
	    ask_copy(crispd, root, &of_copy) == 0 && strcmp(of_copy.state, state) == 0 &&
	    snprintf(from, sizeof(from), "%s/" READY_CONFIG, root) < (int)sizeof(from) &&
	    snprintf(to, sizeof(to), "%s/" READY_CONFIG, state) < (int)sizeof(to))
		copy_text(from, to);
}
