/* fault.c - see fault.h. It works in tests only, so it may block. It is linked into static programs, so it has lines of
 * its own instead of log.h, which would add 160 KiB. */
#include "reactor/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reactor/own.h"

enum { POINT_MAX = 160, ORDER_MAX = 256, ERRNO_MAX = 134, DEATH_PATIENCE_MS = 5000, KILLED = 137 };

#define VARIABLE "CRISP_FAULTS"

bool fault_on;

static struct {
	const char *program;
	char *variable; /* owned */
	int dir, hits;  /* hits -1: not wanted */
	bool quiet;
} fault = { .dir = -1, .hits = -1 };

static void fault_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void fault_say(const char *format, ...)
{
	char line[POINT_MAX + ORDER_MAX + 256];
	va_list args;
	int n = snprintf(line, sizeof(line), "%s pid=%d fault ", fault.program, getpid());

	if (fault.quiet)
		return;
	va_start(args, format);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, format, args);
	va_end(args);
	n = n < (int)sizeof(line) - 1 ? n : (int)sizeof(line) - 2;
	line[n++] = '\n';
	(void)!write(STDERR_FILENO, line, (size_t)n);
}

void fault_quiet(void)
{
	fault.quiet = true;
}

int fault_open(const char *program, struct err *e)
{
	const char *dir = secure_getenv(VARIABLE);
	struct stat st;

	if (!dir || !dir[0])
		return 0;
	fault.program = program;
	fault.dir = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fault.dir < 0 || fstat(fault.dir, &st) < 0)
		return err_os(e, ERR_INVALID_ARGUMENT, VARIABLE ": open %s", dir);
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(e, ERR_INVALID_ARGUMENT, VARIABLE ": %s can be written to by another user", dir);
	fault.hits = openat(fault.dir, "hits", O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	free(fault.variable);
	fault.variable = own_must(malloc(sizeof(VARIABLE "=") + strlen(dir)));
	sprintf(fault.variable, VARIABLE "=%s", dir);
	fault_on = true;
	fault_say("points dir=%s effect=\"this is a test: the program may end itself\"", dir);
	return 0;
}

const char *fault_variable(void)
{
	return fault.variable;
}

int fault_close_from(unsigned first)
{
	int low = fault.dir < fault.hits ? fault.dir : fault.hits, keep[] = { low, fault.dir + fault.hits - low };

	for (int i = 0; i < 2; i++) {
		if (keep[i] < (int)first)
			continue;
		if (keep[i] > (int)first && close_range(first, (unsigned)keep[i] - 1, 0) < 0)
			return -1;
		first = (unsigned)keep[i] + 1;
	}
	return close_range(first, ~0u, 0);
}

static void fault_kill_other(pid_t pid)
{
	auto_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0 || syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0) {
		fault_say("kill=%d error=\"%s\"", pid, strerror(errno));
		return;
	}
	if (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, DEATH_PATIENCE_MS) != 1)
		fault_say("kill=%d error=\"it lives on\"", pid);
}

static void fault_kill(char *who)
{
	char *rest = NULL;

	for (char *word = strtok_r(who, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
		char *end;
		long pid = strtol(word, &end, 10);

		if (strcmp(word, "self") == 0) {
			kill(getpid(), SIGKILL);
			_exit(KILLED); /* the first process of a PID namespace does not hear its own signal */
		} else if (*end == '\0' && pid > 1 && pid <= INT32_MAX)
			fault_kill_other((pid_t)pid);
		else
			fault_say("kill=%s error=\"not a pid\"", word);
	}
}

static void fault_wait(void)
{
	int fd = openat(fault.dir, "waits", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return fault_say("wait error=\"%s\"", strerror(errno));
	close(fd);
	for (int ms = 0; ms < DEATH_PATIENCE_MS && faccessat(fault.dir, "waits", F_OK, 0) == 0; ms++)
		poll(NULL, 0, 1);
}

static int fault_errno(const char *name)
{
	size_t n = strcspn(name, " \n");

	for (int i = 1; i < ERRNO_MAX; i++) {
		const char *known = strerrorname_np(i);

		if (known && strlen(known) == n && strncmp(known, name, n) == 0)
			return i;
	}
	fault_say("err=%s error=\"not an errno\"", name);
	return 0;
}

/* Does what the order says. The errno with which the call is to fail; 0: it is to be made. */
static int fault_act(const char *point, char *order)
{
	fault_say("point=%s order=\"%s\"", point, order);
	if (strncmp(order, "kill ", 5) == 0)
		fault_kill(order + 5);
	else if (strncmp(order, "wait", 4) == 0)
		fault_wait();
	else if (strncmp(order, "stop", 4) == 0)
		kill(getpid(), SIGSTOP);
	else if (strncmp(order, "err ", 4) == 0)
		return fault_errno(order + 4);
	else
		fault_say("order=%s error=unknown", order);
	return 0;
}

/* The order in the file, when this pass is the one that it waits for. The file is removed then; of several processes
 * only the one that removed it acts. */
static bool fault_is_due(const char *file, char order[ORDER_MAX])
{
	auto_fd int fd = openat(fault.dir, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	char text[ORDER_MAX], *end;
	long passes;
	ssize_t n;

	if (fd < 0)
		return false;
	n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	passes = strtol(text, &end, 10);
	snprintf(order, ORDER_MAX, "%s", end + (*end == ' '));
	order[strcspn(order, "\n")] = '\0';
	if (passes <= 1)
		return unlinkat(fault.dir, file, 0) == 0;
	n = snprintf(text, sizeof(text), "%ld %s\n", passes - 1, order);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		fault_say("file=%s error=\"%s\"", file, strerror(errno));
	return false;
}

bool fault_pass(const char *const words[4])
{
	char file[POINT_MAX], order[ORDER_MAX];
	int was = errno, failed = 0;
	size_t len = (size_t)snprintf(file, sizeof(file), "%s", fault.program);
	char *point = file + len;

	for (int i = 0; i < 4; i++)
		if (words[i] && len < sizeof(file))
			len += (size_t)snprintf(file + len, sizeof(file) - len, ".%s", words[i]);
	if (len >= sizeof(file))
		return false;
	if (fault.hits >= 0)
		(void)!dprintf(fault.hits, "%s %s\n", fault.program, point + 1);
	if (fault_is_due(file, order))
		failed = fault_act(point + 1, order);
	errno = failed ? failed : was;
	return failed != 0;
}

/* "rename(tmp, path)": rename; "syscall(SYS_clone3, ...)": clone3. */
bool fault_pass_effect(const char *file, const char *function, const char *call, bool after)
{
	char base[32], name[32];
	const char *slash = strrchr(file, '/');

	snprintf(base, sizeof(base), "%s", slash ? slash + 1 : file);
	base[strcspn(base, ".")] = '\0';
	if (strncmp(call, "syscall(SYS_", 12) == 0)
		call += 12;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(call, "(,"), call);
	return fault_pass(fault_words(base, function, name, after ? "after" : "before"));
}
