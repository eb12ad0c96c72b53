/* birth.c - see birth.h. */
#include "procs/anchor/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/anchor.h"
#include "procs/anchor/table.h"
#include "reactor/log.h"

enum { START_MAX = 8 << 20, STRINGS_MAX = 65536, EXIT_NO_KEEPER = 1, FREE_FD = ANCHOR_TABLE_FD + 1 };

static _Noreturn void birth_fail(const char *what)
{
	log_error("keeper is not started step=%s error=%s", what, log_quote(strerror(errno)));
	_exit(EXIT_NO_KEEPER);
}

static const struct anchor_start *birth_map(int fd, const char **end)
{
	struct stat st;
	void *at;

	if (fstat(fd, &st) < 0)
		birth_fail("stat");
	errno = EBADMSG;
	if (st.st_size <= (off_t)sizeof(struct anchor_start) || st.st_size > START_MAX)
		birth_fail("size");
	at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		birth_fail("mmap");
	*end = (const char *)at + st.st_size;
	return at;
}

/* The next n strings, NULL behind them. */
static char **birth_strings(const char **at, const char *end, uint32_t n)
{
	char **v = n <= STRINGS_MAX ? calloc(n + 2, sizeof(*v)) : NULL;

	for (uint32_t i = 0; v && i < n; i++) {
		const char *zero = memchr(*at, '\0', (size_t)(end - *at));

		errno = EBADMSG;
		if (!zero)
			birth_fail("strings");
		v[i] = (char *)*at;
		*at = zero + 1;
	}
	if (!v)
		birth_fail("strings");
	return v;
}

/* What cannot be raised again stays as it is: an anchor without CAP_SYS_RESOURCE may have lower limits. */
static void birth_limits(const struct anchor_start *s)
{
	char text[16];
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC), n;

	n = snprintf(text, sizeof(text), "%d", s->oom_score_adj);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		log_warn("oom_score_adj of the keeper wanted=%d", s->oom_score_adj);
	for (int i = 0; i < ANCHOR_LIMITS; i++) {
		struct rlimit limit = { s->limits[i][0], s->limits[i][1] };

		if (setrlimit((__rlimit_resource_t)i, &limit) == 0)
			continue;
		log_warn("limit=%d of the keeper wanted=%llu error=%s effect=\"it is the anchor's\"", i,
			 (unsigned long long)limit.rlim_max, log_quote(strerror(errno)));
	}
	umask((mode_t)s->umask);
}

static int birth_lift(int fd)
{
	int lifted = fcntl(fd, F_DUPFD_CLOEXEC, FREE_FD);

	if (lifted < 0)
		birth_fail("duplicate an fd");
	return lifted;
}

static void birth_arrange_fds(const int stdio[3], int channel, int table)
{
	int from[FREE_FD] = { stdio[0], stdio[1], stdio[2], channel, table };

	for (int i = 0; i < FREE_FD; i++)
		from[i] = birth_lift(from[i]);
	for (int i = 0; i < FREE_FD; i++)
		if (dup2(from[i], i) < 0)
			birth_fail("dup2");
}

static void birth_signals(void)
{
	sigset_t set;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

void birth(int start, const int stdio[3], int channel)
{
	const char *end, *at;
	const struct anchor_start *s = birth_map(start, &end);
	int table = memfd_create("crisp-anchor-table", MFD_CLOEXEC);
	char **argv, **envp, **paths;

	at = (const char *)(s + 1);
	paths = birth_strings(&at, end, 2);
	argv = birth_strings(&at, end, s->argc);
	envp = birth_strings(&at, end, s->envc);
	envp[s->envc] = (char *)ANCHOR_ENV "=1";
	if (table < 0 || table_hand_over(table) < 0 || lseek(table, 0, SEEK_SET) < 0)
		birth_fail("table");
	birth_limits(s);
	birth_arrange_fds(stdio, channel, table);
	birth_signals();
	if (chdir(paths[1]) < 0)
		birth_fail("chdir");
	execve(paths[0], argv, envp);
	birth_fail("execve");
}
