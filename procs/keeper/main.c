/* main.c - the keeper: parent of crispd and of every container, holder of the fds and exit records that must outlive
 * crispd.
 *
 *   service manager                  shell or another service manager
 *     crisp-keeper                     crisp-keeper (restarts its child when a signal ended it)
 *       crispd, containers               crisp-keeper
 *                                          crispd, containers
 * Usage: crisp-keeper [--config FILE] [--crispd PATH] [--state DIR] [--log LEVEL]
 * Without --state the directory is what `crispd --config FILE --print state` prints.
 * Exit: 0 after SIGTERM; 64 usage; 78 crispd refuses its configuration; 1 the state directory has another keeper, or
 * the keeper cannot work here. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "procs/keeper/crispd.h"
#include "procs/keeper/hold.h"
#include "procs/keeper/notify.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/reap.h"
#include "procs/keeper/spawn.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { LOCK_TRIES = 100, LOCK_TURN_MS = 10, ANSWER_MS = 10000, RESTART_PAUSE_MS = 100, EXIT_NO_KEEPER = 1 };

static void sleep_ms(int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

/* ---- the parent loop, where no service manager restarts the keeper ---- */

static void reap_strays(pid_t keeper, bool *ended, int *status)
{
	int s;
	pid_t pid;

	while ((pid = waitpid(-1, &s, WNOHANG)) > 0) {
		if (pid != keeper)
			continue;
		*ended = true;
		*status = s;
	}
}

/* Waits for the end of the keeper, and passes SIGTERM, SIGINT and SIGHUP on to it. */
static int watch_keeper(pid_t keeper, const sigset_t *set)
{
	bool ended = false;
	int status = 0, sig;

	while (!ended) {
		sig = sigwaitinfo(set, NULL);
		if (sig == SIGCHLD)
			reap_strays(keeper, &ended, &status);
		else if (sig > 0)
			kill(keeper, sig);
	}
	return status;
}

/* Returns in the keeper; the parent never returns. The parent reaps what outlives a keeper. */
static void keeper_under_parent(void)
{
	sigset_t set, before;
	int status;
	pid_t keeper;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &before);
	for (;;) {
		keeper = fork();
		if (keeper == 0) {
			sigprocmask(SIG_SETMASK, &before, NULL);
			return;
		}
		if (keeper < 0) {
			log_error("fork error=%s", log_quote(strerror(errno)));
			exit(EXIT_NO_KEEPER);
		}
		status = watch_keeper(keeper, &set);
		if (WIFEXITED(status))
			exit(WEXITSTATUS(status));
		log_error("keeper pid=%d signal=%d is restarted", keeper, WTERMSIG(status));
		sleep_ms(RESTART_PAUSE_MS);
	}
}

/* ---- start-up: the loop does not run yet, so blocking is allowed ---- */

/* crispd: next to this program, or where `make install` puts it. */
static const char *find_crispd(void)
{
	static char path[PATH_MAX + 32];
	char dir[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);

	if (n <= 0)
		return NULL;
	dir[n] = '\0';
	*strrchr(dir, '/') = '\0';
	snprintf(path, sizeof(path), "%s/crispd", dir);
	if (access(path, X_OK) == 0)
		return path;
	snprintf(path, sizeof(path), "%s/../libexec/crisp/crispd", dir);
	return access(path, X_OK) == 0 ? path : NULL;
}

/* The output of `crispd --print state`. If its exit status is not 0, the keeper exits with the same status. */
static const char *ask_state(const char *crispd, const char *config)
{
	static char line[PATH_MAX];
	const char *argv[] = { crispd, "--print", "state", config ? "--config" : NULL, config, NULL };
	size_t len = 0;
	ssize_t n = 1;
	int ends[2], status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		exit(EXIT_NO_KEEPER);
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execv(crispd, (char *const *)argv);
		log_error("execute path=%s error=%s", log_quote(crispd), log_quote(strerror(errno)));
		_exit(EXIT_NO_KEEPER);
	}
	close(ends[1]);
	while (n > 0 && len < sizeof(line) - 1 && poll(&(struct pollfd){ ends[0], POLLIN, 0 }, 1, ANSWER_MS) > 0) {
		n = read(ends[0], line + len, sizeof(line) - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	close(ends[0]);
	if (n > 0)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status))
		exit(WEXITSTATUS(status));
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static int make_dirs(const char *path)
{
	char dir[PATH_MAX];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
		mkdir(dir, 0755);
	}
	return mkdir(path, 0711) < 0 && errno != EEXIST ? -1 : 0;
}

/* Takes the lock of the state directory, for the life of the keeper. Tries for 1 s: after a kill -9 of the previous
 * keeper a child that it had just made may hold the lock a moment longer. */
static int lock_state(const char *state, struct err *e)
{
	char path[PATH_MAX + 16], text[16] = "";
	auto_fd int fd = -1;
	int n;

	if (make_dirs(state) < 0)
		return err_os(e, ERR_INTERNAL, "make state directory %s", state);
	snprintf(path, sizeof(path), "%s/keeper.lock", state);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "open %s", path);
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (i == LOCK_TRIES) {
			n = (int)pread(fd, text, sizeof(text) - 1, 0);
			text[n > 0 ? strcspn(text, "\n") : 0] = '\0';
			return err_set(e, ERR_UNAVAILABLE, "state directory %s belongs to the keeper with pid %s",
				       state, text);
		}
		sleep_ms(LOCK_TURN_MS);
	}
	n = snprintf(text, sizeof(text), "%d\n", getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return err_os(e, ERR_INTERNAL, "write %s", path);
	return take_fd(&fd);
}

/* Is this process restarted by a service manager? NOTIFY_SOCKET and INVOCATION_ID are inherited by every descendant of
 * a service, also by a shell in it. The service manager restarts only the process that it executed itself, which
 * $SYSTEMD_EXEC_PID names (systemd.exec(5); since systemd 248). */
static bool is_supervised(void)
{
	const char *executed = getenv("SYSTEMD_EXEC_PID");
	bool in_service = getenv("NOTIFY_SOCKET") || getenv("INVOCATION_ID");

	return executed ? in_service && atoi(executed) == getpid()
			: getenv("NOTIFY_SOCKET") || (in_service && getppid() == 1);
}

static void keeper_usage(void)
{
	dprintf(STDERR_FILENO,
		"usage: crisp-keeper [--config FILE] [--crispd PATH] [--state DIR] [--log debug|info|warn|error]\n");
	exit(EXIT_USAGE);
}

struct options {
	const char *config, *crispd, *state;
};

static struct options keeper_parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },  { "crispd", required_argument, NULL, 'd' },
		{ "state", required_argument, NULL, 's' },   { "log", required_argument, NULL, 'l' },
		{ "version", no_argument, NULL, 'v' },       { 0 },
	};
	struct options o = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'c': o.config = optarg; break;
		case 'd': o.crispd = optarg; break;
		case 's': o.state = optarg; break;
		case 'l':
			if (log_level_parse(optarg) < 0)
				keeper_usage();
			log_open("keeper", (enum log_level)log_level_parse(optarg));
			break;
		case 'v':
			dprintf(STDOUT_FILENO, "crisp-keeper %s\n", CRISP_VERSION);
			exit(0);
		default: keeper_usage();
		}
	}
	if (optind != argc)
		keeper_usage();
	return o;
}

int main(int argc, char **argv)
{
	struct crispd_config cfg;
	struct options o;
	struct err e;

	spawn_no_core(); /* before the fork, which gives it to both keepers */
	log_open("keeper", LOG_LEVEL_INFO);
	o = keeper_parse(argc, argv);
	if (!is_supervised())
		keeper_under_parent();
	notify_kept(hold_again);
	cfg = (struct crispd_config){ .path = o.crispd ? o.crispd : find_crispd(), .config = o.config };
	if (!cfg.path || cfg.path[0] != '/') {
		log_error("crispd is not found next to this program; --crispd takes its absolute path");
		return EXIT_USAGE;
	}
	cfg.state = o.state ? o.state : ask_state(cfg.path, o.config);
	if (cfg.state[0] != '/') {
		log_error("state directory %s is not an absolute path", log_quote(cfg.state));
		return EXIT_CONFIG;
	}
	log_info("keeper start pid=%d state=%s", getpid(), log_quote(cfg.state));
	if (lock_state(cfg.state, &e) < 0 || spawn_open(&e) < 0 || reap_open(&e) < 0 || crispd_open(&cfg, &e) < 0) {
		log_error("keeper cannot work error=%s", log_quote(e.msg));
		return EXIT_NO_KEEPER;
	}
	loop_run();
	return crispd_verdict();
}
