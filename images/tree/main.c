/* main.c - crisp-tree, the worker for directory trees and records: it does one job and exits. crispd (images/unpack.c,
 * removal.c) has the keeper start it, for each pod at least once. So it is static and links libc only: execve(2) and
 * the dynamic linker, with what crisp-unpack links, cost more than most of these jobs. (ARCHITECTURE I91)
 *
 *     usage  PATH [PATH]
 *     sync   ROOT
 *     fsync  PATH...
 *     label  CONTEXT PATH...
 *     remove PATH...
 *
 * It prints the line of answer.h on stdout. Usage errors: status 2, and a text on stderr. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images/answer.h"
#include "images/tree.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/privileges.h"

struct job {
	const char *name;
	int words_min, words_max;
	int (*run)(char *const *words, int n, struct answer *out, struct err *e);
	int capabilities[5];
};

static int run_usage(char *const *words, int n, struct answer *out, struct err *e)
{
	struct tree_usage usage;

	for (int i = 0; i < n; i++) {
		if (tree_usage(words[i], &usage, e) < 0)
			return -1;
		out->bytes += usage.bytes;
		out->inodes += usage.inodes;
	}
	return 0;
}

static int run_sync(char *const *words, int n, struct answer *out, struct err *e)
{
	auto_fd int fd = open(words[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)n;
	(void)out;
	if (fd < 0 || syncfs(fd) < 0)
		return err_os(e, ERR_INTERNAL, "sync %s", words[0]);
	return 0;
}

static int fsync_path(const char *path, int flags, struct err *e)
{
	auto_fd int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return 0;
	return fd < 0 || fsync(fd) < 0 ? err_os(e, ERR_INTERNAL, "sync %s", path) : 0;
}

/* A directory is synced after the last of its files that stand in a row. */
static int run_fsync(char *const *words, int n, struct answer *out, struct err *e)
{
	auto_free char *dir = own_must(strdup(""));

	(void)out;
	for (int i = 0; i < n; i++) {
		const char *slash = strrchr(words[i], '/');
		size_t len = slash ? (size_t)(slash - words[i]) : 0;

		if (len == 0)
			return err_set(e, ERR_INTERNAL, "sync %s: not an absolute path", words[i]);
		if (strlen(dir) != len || strncmp(dir, words[i], len) != 0) {
			if (*dir && fsync_path(dir, O_RDONLY | O_DIRECTORY, e) < 0)
				return -1;
			free(dir);
			dir = own_must(strndup(words[i], len));
		}
		if (fsync_path(words[i], O_RDONLY, e) < 0)
			return -1;
	}
	return fsync_path(dir, O_RDONLY | O_DIRECTORY, e);
}

static int remove_path(const char *path, struct err *e)
{
	auto_free char *up = own_must(strdup(path));
	char *slash = strrchr(up, '/');
	auto_fd int dir = -1;

	if (!slash || slash == up || !slash[1])
		return err_set(e, ERR_INTERNAL, "remove %s: not the absolute path of a tree", path);
	*slash = '\0';
	dir = open(up, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 && errno == ENOENT)
		return 0;
	if (dir < 0)
		return err_os(e, ERR_INTERNAL, "open %s", up);
	return tree_remove(dir, slash + 1, e) < 0 ? err_wrap(e, "remove %s", path) : 0;
}

static int run_remove(char *const *words, int n, struct answer *out, struct err *e)
{
	struct err first;
	int r = 0;

	(void)out;
	privileges_last();
	for (int i = 0; i < n; i++)
		if (remove_path(words[i], e) < 0 && r++ == 0)
			first = *e;
	if (r > 0)
		*e = first;
	return r > 0 ? -1 : 0;
}

static int run_label(char *const *words, int n, struct answer *out, struct err *e)
{
	(void)out;
	for (int i = 1; i < n; i++)
		if (tree_label(words[i], words[0], e) < 0)
			return err_wrap(e, "relabel %s", words[i]);
	return 0;
}

static const struct job jobs[] = {
	{ "usage", 1, 2, run_usage, { CAP_DAC_READ_SEARCH, -1 } },
	{ "sync", 1, 1, run_sync, { CAP_DAC_READ_SEARCH, -1 } },
	{ "fsync", 1, 1024, run_fsync, { CAP_DAC_READ_SEARCH, -1 } },
	{ "label", 2, INT32_MAX, run_label, { CAP_DAC_READ_SEARCH, CAP_FOWNER, -1 } },
	{ "remove", 1, 1024, run_remove,
	  { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_LINUX_IMMUTABLE, -1 } },
};

static int run(const struct job *job, char *const *words, int n)
{
	struct answer out = { 0 };
	struct err e;
	int r;

	if (n < job->words_min || n > job->words_max) {
		fprintf(stderr, "crisp-tree %s: wrong number of arguments\n", job->name);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	r = privileges_keep(job->capabilities, &e) < 0 ? -1 : job->run(words, n, &out, &e);
	return answer_print(&out, r < 0 ? &e : NULL);
}

int main(int argc, char **argv)
{
	log_open("crisp-tree", LOG_LEVEL_INFO);
	for (size_t i = 0; argc > 1 && i < sizeof(jobs) / sizeof(jobs[0]); i++)
		if (strcmp(argv[1], jobs[i].name) == 0)
			return run(&jobs[i], argv + 2, argc - 2);
	fprintf(stderr, "usage: crisp-tree usage|sync|fsync|label|remove ...; started by crispd, see main.c\n");
	return 2;
}
