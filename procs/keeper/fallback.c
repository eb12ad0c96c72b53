/* fallback.c - see fallback.h. */
#include "procs/keeper/fallback.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/keeper/proto.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/places.h"
#include "reactor/words.h"

enum { DEATHS_ENOUGH = 2 };

static struct {
	bool used;
	char path[PATH_MAX];
	char why[FALLBACK_WHY_MAX];
} fallback;

/* O_NONBLOCK: a FIFO of that name must not hold the keeper. */
static bool starts_with(const char *path, const char *want)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char got[PATH_MAX + 64];
	size_t len = strlen(want);

	return fd >= 0 && len <= sizeof(got) && read(fd, got, len) == (ssize_t)len && memcmp(got, want, len) == 0;
}

bool fallback_is_there(const char *dir, const char *config)
{
	char path[PATH_MAX], first[PATH_MAX + 64];

	if (!config || snprintf(path, sizeof(path), "%s/" READY_CONFIG, dir) >= (int)sizeof(path) ||
	    snprintf(first, sizeof(first), READY_CONFIG_FIRST "%s\n", config) >= (int)sizeof(first))
		return false;
	return starts_with(path, first);
}

/* What is not said to be the configuration's fault may be one of the moment, so the file gets a second try. */
static bool fallback_due(const struct crispd_life *life)
{
	int code = WIFEXITED(life->status) ? WEXITSTATUS(life->status) : 0;

	return life->late || code == EXIT_CONFIG || code == EXIT_USAGE || life->deaths >= DEATHS_ENOUGH;
}

void fallback_choose(const char *state, const char *config, const struct crispd_life *life)
{
	bool was = fallback.used;

	if (WIFEXITED(life->status) && !WEXITSTATUS(life->status))
		fallback.used = false; /* a reload: the file is tried again */
	else if (!life->ready && fallback.used)
		fallback.used = false; /* neither of the two works now: they take turns */
	else if (!life->ready && fallback_due(life) && fallback_is_there(state, config))
		fallback.used = true;
	if (was || !fallback.used)
		return;
	snprintf(fallback.path, sizeof(fallback.path), "%s/" READY_CONFIG, state);
	snprintf(fallback.why, sizeof(fallback.why), "%s",
		 life->late ? "crispd was not ready in time"
		 : *life->why ? life->why
			      : "crispd died before it was ready");
	log_error("configuration file=%s refused=%s effect=\"the last configuration that was ready is used; mend the "
		  "file and send SIGHUP\"", log_quote(config), log_quote(fallback.why));
}

const char *fallback_path(void)
{
	return fallback.used ? fallback.path : NULL;
}

const char *fallback_why(void)
{
	return fallback.why;
}

static void unquote(char *s)
{
	size_t n = strlen(s);

	if (n < 2 || (*s != '"' && *s != '\'') || s[n - 1] != *s)
		return;
	memmove(s, s + 1, n - 2);
	s[n - 2] = '\0';
}

/* Of a file that is no YAML, or has a bad value elsewhere, this one line is still understood, where crispd would read
 * it: in the first CONFIG_BYTES_MAX bytes. */
static void named_in(int fd, const char *format, char dir[static PATH_MAX])
{
	char line[PATH_MAX + 16], named[PATH_MAX];
	struct stat st;
	auto_file FILE *f = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? fdopen(dup(fd), "re") : NULL;

	while (f && ftell(f) < CONFIG_BYTES_MAX && fgets(line, sizeof(line), f))
		if (sscanf(line, format, named) == 1) {
			unquote(named);
			snprintf(dir, PATH_MAX, "%s", named);
			return;
		}
}

/* As for crispd: what another user may write is not this node's configuration, and may be what crispd has refused. */
static bool is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & S_IWOTH);
}

static size_t parts_seen;

/* More than crispd would read are not looked at. */
static int is_part(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && word_ends_in(entry->d_name, CONFIG_SUFFIX) && parts_seen++ < CONFIG_PARTS_MAX;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* The last one counts, as for crispd. */
static void named_in_parts(const char *config, const char *format, char dir[static PATH_MAX])
{
	int stem = (int)(strlen(config) - strlen(CONFIG_SUFFIX)), n;
	char path[PATH_MAX];
	struct dirent **parts;
	auto_fd int of = -1;

	if (!word_ends_in(config, CONFIG_SUFFIX) || snprintf(path, sizeof(path), "%.*s.d", stem, config) >= PATH_MAX)
		return;
	of = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	parts_seen = 0;
	n = of >= 0 && is_ours(of) ? scandirat(of, ".", &parts, is_part, by_name) : -1;
	for (int i = 0; i < n; i++) {
		auto_fd int fd = openat(of, parts[i]->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

		if (fd >= 0 && is_ours(fd))
			named_in(fd, format, dir);
		free(parts[i]);
	}
	if (n >= 0)
		free(parts);
}

/* format: of sscanf(3), for the line. NULL: no copy is there. */
static const char *copy_in_named(const char *config, const char *format, const char *otherwise)
{
	static char dir[PATH_MAX];
	auto_fd int fd = config ? open(config, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	snprintf(dir, sizeof(dir), "%s", otherwise);
	if (fd >= 0)
		named_in(fd, format, dir);
	if (config)
		named_in_parts(config, format, dir);
	return dir[0] == '/' && fallback_is_there(dir, config) ? dir : NULL;
}

const char *fallback_state(const char *config)
{
	return copy_in_named(config, "state: %4095[^ \t\r\n#]", DEFAULT_STATE);
}

const char *fallback_root(const char *config)
{
	return copy_in_named(config, "root: %4095[^ \t\r\n#]", DEFAULT_ROOT);
}
