/* test_anchor.c - a real crisp-anchor, with this program as its front and, run again, as the keeper. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/anchor.h"
#include "procs/pidstat.h"
#include "reactor/own.h"
#include "tests/built.h"
#include "tests/tap.h"

enum { PATIENCE_MS = 60000 };

static char dir[] = "/tmp/crisp-anchor-XXXXXX", anchor_program[4096], self[4096];

/* ---- the keeper: its exit status is the number of the first check that failed ---- */

static int checks;
#define must(x) do { checks++; if (!(x)) _exit(checks); } while (0)

static struct anchor_message table[16];
static int in_table;

static void table_read(void)
{
	while (read(ANCHOR_TABLE_FD, &table[in_table], sizeof(table[0])) == sizeof(table[0]))
		in_table++;
	fcntl(ANCHOR_CHANNEL_FD, F_SETFL, 0);
}

static const struct anchor_message *entry(uint32_t type, const char *name)
{
	for (int i = 0; i < in_table; i++)
		if (table[i].type == type && strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

static void say(uint32_t type, const char *name, int fd, struct anchor_message m)
{
	m.type = type;
	snprintf(m.name, sizeof(m.name), "%s", name);
	while (anchor_send(ANCHOR_CHANNEL_FD, &m, &fd, fd >= 0) < 0 && errno == EAGAIN)
		poll(&(struct pollfd){ ANCHOR_CHANNEL_FD, POLLOUT, 0 }, 1, PATIENCE_MS);
}

static struct anchor_message hear(int fd)
{
	struct anchor_message m = { 0 };
	int fds[ANCHOR_FDS_MAX];
	size_t n = 0;

	while (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, PATIENCE_MS) == 1) {
		if (anchor_receive(fd, &m, fds, &n) < 0)
			m.type = 0;
		break;
	}
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	return m;
}

static struct anchor_message ask(const char *id)
{
	say(ANCHOR_ASK, id, -1, (struct anchor_message){ 0 });
	return hear(ANCHOR_CHANNEL_FD);
}

/* The number of a held fd in the anchor, whose fds can be opened by this path. */
static int where(const char *name, uint64_t question)
{
	struct anchor_message m;

	say(ANCHOR_WHERE, name, -1, (struct anchor_message){ .start_ticks = question });
	m = hear(ANCHOR_CHANNEL_FD);
	must(m.type == ANCHOR_PLACE && m.start_ticks == question && strcmp(m.name, name) == 0);
	return m.number;
}

static bool has_text(int fd, const char *text)
{
	char got[32] = "";

	return pread(fd, got, sizeof(got) - 1, 0) > 0 && strcmp(got, text) == 0;
}

static bool has_text_at(pid_t pid, int number, const char *text)
{
	char path[64];
	auto_fd int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, number);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && has_text(fd, text);
}

static int text_fd(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (write(fd, text, strlen(text)) < 0)
		_exit(99);
	return fd;
}

/* A child that lives until the write end of its pipe is closed, and ends with `code`. */
static pid_t child(int code, int *end)
{
	int ends[2];
	pid_t pid;
	char byte;

	if (pipe2(ends, O_CLOEXEC) < 0)
		_exit(99);
	pid = fork();
	if (pid == 0) {
		dup2(ends[0], 3);
		close_range(4, ~0u, 0); /* the pipes of its brothers too */
		_exit(read(3, &byte, 1) == 0 ? code : 98);
	}
	close(ends[0]);
	*end = ends[1];
	return pid;
}

static void born_right(char **argv)
{
	struct rlimit limit;
	char text[64], cwd[64];

	must(strcmp(argv[3], "last") == 0 && !argv[4]);
	must(getenv("A") && strcmp(getenv("A"), "1") == 0 && getenv(ANCHOR_ENV) && !getenv("HOME"));
	must(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, "/usr") == 0);
	must(umask(0) == 027);
	must(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 99);
	must(read(STDIN_FILENO, text, sizeof(text)) == 5 && memcmp(text, "stdin", 5) == 0);
	must(fcntl(ANCHOR_TABLE_FD + 1, F_GETFD) < 0 && getsid(0) == getpid());
}

/* Killed at its end; what ends after it, and what ended before it was reaped, is known to the next life. */
static void first_life(char **argv)
{
	int ends[3], number;
	pid_t later, unreaped, stray;
	struct pidstat stat;
	siginfo_t info;

	must(in_table == 0);
	born_right(argv);
	later = child(7, &ends[0]);
	unreaped = child(8, &ends[1]);
	stray = child(9, &ends[2]);
	say(ANCHOR_HOLD, "one", text_fd("first"), (struct anchor_message){ 0 });
	say(ANCHOR_HOLD, "two", text_fd("second"), (struct anchor_message){ 0 });
	number = where("two", 1);
	say(ANCHOR_HOLD, "two", text_fd("other"), (struct anchor_message){ 0 });
	must(where("two", 2) == number && number >= 10 && number != where("one", 3));
	say(ANCHOR_HOLD, "three", text_fd("third"), (struct anchor_message){ 0 });
	say(ANCHOR_RELEASE, "three", -1, (struct anchor_message){ 0 });
	say(ANCHOR_HOLD, "no fd came", -1, (struct anchor_message){ 0 });
	say(4711, "a type of later versions", -1, (struct anchor_message){ 0 });
	say(ANCHOR_KEEP, "later", (int)syscall(SYS_pidfd_open, later, 0), (struct anchor_message){ .pid = later });
	must(pidstat_read(unreaped, &stat));
	say(ANCHOR_KEEP, "unreaped", -1,
	    (struct anchor_message){ .pid = unreaped, .start_ticks = (uint64_t)stat.start_ticks });
	say(ANCHOR_KEEP, "told", -1, (struct anchor_message){ .pid = 5, .status = 3 << 8, .at_ns = 17 });
	must(pidstat_read(stray, &stat));
	/* Where the next life finds what it needs of the stray. */
	say(ANCHOR_KEEP, "note", -1, (struct anchor_message){
		.pid = stray, .start_ticks = (uint64_t)stat.start_ticks + 1, .at_ns = 1 });
	close(ends[1]);
	must(waitid(P_PID, (id_t)unreaped, &info, WEXITED | WNOWAIT) == 0);
	kill(getpid(), SIGKILL); /* the kernel closes ends[0] and ends[2] now: `later` and `stray` end after it */
}

static void second_life(void)
{
	const struct anchor_message *later, *note = entry(ANCHOR_KEEP, "note");
	struct anchor_message m;

	must(in_table == 6 && entry(ANCHOR_HOLD, "one") && entry(ANCHOR_HOLD, "two"));
	must(has_text(entry(ANCHOR_HOLD, "one")->number, "first"));
	must(has_text(entry(ANCHOR_HOLD, "two")->number, "other"));
	must(has_text_at(getppid(), entry(ANCHOR_HOLD, "two")->number, "other"));
	must(where("two", 4) == entry(ANCHOR_HOLD, "two")->number);
	m = *entry(ANCHOR_KEEP, "told");
	must(m.pid == 5 && m.status == 3 << 8 && m.at_ns == 17 && m.number == -1);
	m = *entry(ANCHOR_KEEP, "unreaped");
	must(WEXITSTATUS(m.status) == 8 && m.at_ns > 17);
	later = entry(ANCHOR_KEEP, "later");
	m = later->at_ns ? *later : hear(ANCHOR_CHANNEL_FD);
	must(m.type == ANCHOR_KEEP && WEXITSTATUS(m.status) == 7 && m.at_ns > 17);
	/* A child without an id is found by pid and start time, and by nothing else. */
	while (kill(note->pid, 0) == 0)
		poll(NULL, 0, 1);
	say(ANCHOR_KEEP, "wrong", -1, (struct anchor_message){ .pid = note->pid, .start_ticks = note->start_ticks });
	must(ask("wrong").at_ns == 0);
	say(ANCHOR_KEEP, "right", -1,
	    (struct anchor_message){ .pid = note->pid, .start_ticks = note->start_ticks - 1 });
	m = ask("right");
	must(strcmp(m.name, "right") == 0 && m.at_ns > 17 && WEXITSTATUS(m.status) == 9);
	m = ask("nobody");
	must(m.type == ANCHOR_KEEP && strcmp(m.name, "nobody") == 0 && m.at_ns == 0);
	say(ANCHOR_STATE, "", -1, (struct anchor_message){ .status = ANCHOR_READY });
	_exit(200); /* with all of it still kept */
}

static void third_life(void)
{
	for (int i = 0; i < in_table; i++)
		say(table[i].type == ANCHOR_HOLD ? ANCHOR_RELEASE : ANCHOR_FORGET, table[i].name, -1,
		    (struct anchor_message){ 0 });
	raise(SIGSTOP); /* until the front sends SIGTERM and SIGCONT */
	_exit(201);
}

static int be_keeper(char **argv)
{
	const char *life = argv[2];
	sigset_t set;

	table_read();
	must(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, SIGTERM) && sigismember(&set, SIGHUP));
	if (strcmp(life, "1") == 0 && in_table == 0)
		first_life(argv);
	if (strcmp(life, "1") == 0)
		second_life();
	third_life();
	return 0;
}

/* ---- the front ---- */

static int front;
static pid_t anchor;

static void anchor_start_it(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		abort();
	anchor = fork();
	if (anchor == 0) {
		dup2(ends[1], ANCHOR_FRONT_FD);
		if (ends[1] == ANCHOR_FRONT_FD)
			fcntl(ANCHOR_FRONT_FD, F_SETFD, 0);
		execl(anchor_program, anchor_program, dir, NULL);
		_exit(99);
	}
	close(ends[1]);
	front = ends[0];
}

static int start_file(const struct anchor_start *s, const char *strings, size_t size)
{
	int fd = memfd_create("start", MFD_CLOEXEC);

	if (write(fd, s, sizeof(*s)) < 0 || write(fd, strings, size) < 0)
		abort();
	return fd;
}

static int request(const char *life)
{
	struct anchor_start s = { .argc = 4, .envc = 1, .umask = 027 };
	char strings[8192];
	struct rlimit limit;
	int n = snprintf(strings, sizeof(strings), "%s%c/usr%cname%ckeeper%c%s%clast%cA=1", self, 0, 0, 0, 0, life, 0,
			 0);

	for (int i = 0; i < ANCHOR_LIMITS; i++) {
		getrlimit((__rlimit_resource_t)i, &limit);
		s.limits[i][0] = i == RLIMIT_NOFILE ? 99 : limit.rlim_cur;
		s.limits[i][1] = limit.rlim_max;
	}
	return start_file(&s, strings, (size_t)n + 1);
}

static void ask_start(int file, const char *name)
{
	struct anchor_message m = { .type = ANCHOR_START };
	auto_fd int in = text_fd("stdin");
	int fds[] = { file, in, STDOUT_FILENO, STDERR_FILENO };

	lseek(in, 0, SEEK_SET);
	snprintf(m.name, sizeof(m.name), "%s", name);
	ok(anchor_send(front, &m, fds, 4) == 0);
	close(file);
}

static void signal_keeper(int sig)
{
	struct anchor_message m = { .type = ANCHOR_SIGNAL, .status = sig };

	ok(anchor_send(front, &m, NULL, 0) == 0);
}

static int ended(void)
{
	struct anchor_message m = hear(front);

	while (m.type == ANCHOR_KEEPER || m.type == ANCHOR_STATE)
		m = hear(front);
	return m.type == ANCHOR_ENDED ? m.status : -1;
}

static int connect_to_it(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%.80s/%s", dir, ANCHOR_SOCKET);
	return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -1 : fd;
}

static void a_keeper_is_killed(void)
{
	int status;

	anchor_start_it();
	ask_start(request("1"), "one");
	ok(hear(front).type == ANCHOR_KEEPER);
	status = ended();
	printf("# the keeper's exit status: %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 200);
}

/* What others send ends nothing: another size, a type of the keeper, a start without fds, nothing at all. */
static void nonsense_is_dropped(void)
{
	struct anchor_message m = { .type = ANCHOR_FORGET, .name = "told" };
	auto_fd int first = connect_to_it(), second = connect_to_it(), third = -1;
	char byte;

	ok(first >= 0 && second >= 0 && send(second, "short", 5, 0) == 5);
	ok(recv(second, &byte, 1, 0) == 0); /* closed */
	third = connect_to_it();
	ok(anchor_send(third, &m, NULL, 0) == 0);
	m.type = ANCHOR_START;
	ok(anchor_send(third, &m, NULL, 0) == 0);
}

static void a_request_that_is_none(void)
{
	struct anchor_start s = { .argc = 3, .envc = 1 };

	ask_start(start_file(&s, "/x\0/\0a", 6), "bad");
	ok(WEXITSTATUS(ended()) == 1); /* too few strings */
	s.argc = UINT32_MAX;
	ask_start(start_file(&s, "/x\0/\0a", 6), "bad");
	ok(WEXITSTATUS(ended()) == 1);
	ask_start(start_file(&s, "", 0), "bad");
	ok(WEXITSTATUS(ended()) == 1);
}

/* The anchor is there because something is kept; the keeper lets go of it, and the anchor ends with the keeper. */
static void nothing_is_left(void)
{
	struct anchor_message m;
	int status;

	ask_start(request("2"), "two");
	m = hear(front);
	ok(m.type == ANCHOR_KEEPER && m.pid > 0);
	for (struct pidstat stat = { 0 }; stat.state != 'T'; poll(NULL, 0, 1))
		if (!pidstat_read(m.pid, &stat))
			break;
	close(front);
	front = connect_to_it();
	ask_start(request("2"), "two"); /* another front: the same keeper */
	ok(hear(front).pid == m.pid);
	signal_keeper(SIGTERM); /* while the keeper and so the anchor is there for certain */
	kill(m.pid, SIGCONT);
	ok(ended() >= 0);
	ok(waitpid(anchor, &status, 0) == anchor && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ok(connect_to_it() < 0);
	close(front);
}

/* The kernel answers ECONNRESET then, and has the message all the same. */
static void the_last_message_of_a_dead_keeper(void)
{
	struct anchor_message m = { .type = ANCHOR_FORGET, .name = "last" };
	int fds[ANCHOR_FDS_MAX], ends[2];
	size_t n;

	ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	ok(anchor_send(ends[0], &m, NULL, 0) == 0 && anchor_send(ends[1], &m, NULL, 0) == 0);
	close(ends[1]); /* it has not read */
	m = (struct anchor_message){ 0 };
	ok(anchor_receive(ends[0], &m, fds, &n) == 1 && m.type == ANCHOR_FORGET);
	is_str(m.name, "last");
	ok(anchor_receive(ends[0], &m, fds, &n) == -1);
	close(ends[0]);
}

int main(int argc, char **argv)
{
	char path[128];

	if (argc > 2 && strcmp(argv[1], "keeper") == 0)
		return be_keeper(argv);
	if (!mkdtemp(dir) || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		abort();
	built(anchor_program, "crisp-anchor");
	the_last_message_of_a_dead_keeper();
	a_keeper_is_killed();
	nonsense_is_dropped();
	a_request_that_is_none();
	nothing_is_left();
	for (const char *const *f = (const char *const[]){ ANCHOR_LOCK, ANCHOR_SOCKET, NULL }; *f; f++) {
		snprintf(path, sizeof(path), "%s/%s", dir, *f);
		unlink(path);
	}
	ok(rmdir(dir) == 0);
	return tap_end();
}
