/* calls.c - see probe.h: what only system calls tell. */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#include "tests/oracle/probe.h"

static void say_result(const char *key, long value)
{
	if (value < 0)
		say_errno(key, errno);
	else
		say(key, "%ld", value);
}

static void probe_prctl(void)
{
	static const struct {
		const char *name;
		int option;
	} numbers[] = {
		{ "prctl securebits", PR_GET_SECUREBITS },   { "prctl dumpable", PR_GET_DUMPABLE },
		{ "prctl keepcaps", PR_GET_KEEPCAPS },	     { "prctl timerslack", PR_GET_TIMERSLACK },
		{ "prctl thp_disable", PR_GET_THP_DISABLE }, { "prctl mce_kill", PR_MCE_KILL_GET },
		{ "prctl io_flusher", PR_GET_IO_FLUSHER },   { "prctl no_new_privs", PR_GET_NO_NEW_PRIVS },
	};
	int value = 0;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		say_result(numbers[i].name, prctl(numbers[i].option, 0, 0, 0, 0));
	if (prctl(PR_GET_PDEATHSIG, &value) == 0)
		say("prctl pdeathsig", "%d", value);
	if (prctl(PR_GET_CHILD_SUBREAPER, &value) == 0)
		say("prctl child_subreaper", "%d", value);
}

static void probe_signals(void)
{
	struct sigaction action;
	char key[64];

	for (int s = 1; s < NSIG; s++) {
		if (sigaction(s, NULL, &action) < 0 || action.sa_handler == SIG_DFL)
			continue;
		snprintf(key, sizeof(key), "signal %d", s);
		say(key, "%s", action.sa_handler == SIG_IGN ? "ignored" : "caught");
	}
}

static void probe_stdio(int fd)
{
	struct winsize size = { 0 };
	struct termios t;
	struct stat s, null;
	bool foreign;
	char key[64];

	snprintf(key, sizeof(key), "stdio %d", fd);
	if (fstat(fd, &s) < 0) {
		say_errno(key, errno);
		return;
	}
	/* The node's own /dev/null must not be in reach: its mode and owner could be changed through the descriptor. */
	foreign = S_ISCHR(s.st_mode) && s.st_rdev == makedev(1, 3) &&
		  (stat("/dev/null", &null) < 0 || null.st_dev != s.st_dev || null.st_ino != s.st_ino);
	say(key, "mode=%o owner=%d:%d rdev=%lx%s", s.st_mode, (int)s.st_uid, (int)s.st_gid,
	    S_ISCHR(s.st_mode) ? (unsigned long)s.st_rdev : 0UL, foreign ? " foreign-null=yes" : "");
	if (tcgetattr(fd, &t) < 0)
		return;
	snprintf(key, sizeof(key), "terminal %d", fd);
	ioctl(fd, TIOCGWINSZ, &size);
	say(key, "iflag=%x oflag=%x cflag=%x lflag=%x rows=%d cols=%d foreground=%s", t.c_iflag, t.c_oflag, t.c_cflag,
	    t.c_lflag, size.ws_row, size.ws_col, tcgetpgrp(fd) == getpgrp() ? "yes" : "no");
}

static void probe_session(void)
{
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	say_errno("controlling terminal", tty < 0 ? errno : 0);
	if (tty >= 0)
		close(tty);
	say("session", "leader=%s group_leader=%s sid=%s", getsid(0) == getpid() ? "yes" : "no",
	    getpgrp() == getpid() ? "yes" : "no", getsid(0) ? "inside" : "outside");
	say("parent", "%s", getppid() == 0 ? "outside" : getppid() == 1 ? "init" : "other");
}

static void probe_keyring(void)
{
	char text[256] = "";
	long id = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);

	if (id < 0 || syscall(SYS_keyctl, KEYCTL_DESCRIBE, id, text, sizeof(text) - 1) < 0)
		say_errno("session keyring", errno);
	else
		say("session keyring", "%s", text);
	/* Without a session keyring of its own a process has the one of its user, which all processes of that user on
	 * the node share. */
	if (id >= 0)
		say("session keyring is", "%s", strstr(text, "_uid_ses") ? "the user's" : "its own");
}

static void probe_scheduling(void)
{
	say_result("scheduler", sched_getscheduler(0));
	errno = 0;
	say_result("nice", getpriority(PRIO_PROCESS, 0) + 20);
	say_result("ioprio", syscall(SYS_ioprio_get, 1, 0));
	say_result("personality call", syscall(SYS_personality, 0xffffffff));
}

void probe_process(void)
{
	char path[4096];
	struct utsname u;

	probe_prctl();
	probe_signals();
	for (int fd = 0; fd <= 2; fd++)
		probe_stdio(fd);
	probe_session();
	probe_keyring();
	probe_scheduling();
	if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
		say_errno("cwd", errno);
	else
		say("cwd", "%s", path);
	if (uname(&u) == 0) {
		say("hostname", "%s", u.nodename);
		say("domainname", "%s", u.domainname);
		say("machine", "%s", u.machine);
	}
}
