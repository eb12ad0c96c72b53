/* test_listen.c - listening sockets: modes, addresses, socket files that are replaced or left alone. */
#include "reactor/listen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/tap.h"

static char dir[] = "/tmp/crisp-listen-XXXXXX";
static char path[64], address[80];
static struct err e;

static bool exists(const char *p)
{
	return access(p, F_OK) == 0;
}

static bool answers(const char *where)
{
	struct listen_address to;
	int fd;
	bool yes;

	if (listen_parse(where, &to, &e) < 0)
		return false;
	fd = socket(to.sa.ss_family, SOCK_STREAM, 0);
	yes = connect(fd, (struct sockaddr *)&to.sa, to.len) == 0;
	close(fd);
	return yes;
}

static void a_unix_socket_is_root_s_and_0660(void)
{
	mode_t was = umask(0);
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/a/b/s.sock", dir);
	snprintf(address, sizeof(address), "unix://%s", path);
	umask(077);
	fd = listen_open(address, NULL, &e);
	ok(fd >= 0 && answers(address));
	ok(stat(path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0660 && st.st_gid == 0);
	snprintf(path, sizeof(path), "%s/a", dir);
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0755);
	snprintf(path, sizeof(path), "%s/a/b/s.sock", dir);
	ok((fcntl(fd, F_GETFL) & O_NONBLOCK) && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	umask(was);
	listen_close(fd, address);
	ok(!exists(path));
}

static void a_live_owner_is_named(void)
{
	int fd = listen_open(address, NULL, &e);
	char want[128];

	ok(fd >= 0);
	ok(listen_open(address, NULL, &e) == -1 && e.code == ERR_UNAVAILABLE);
	snprintf(want, sizeof(want), "listen on %s: pid %d listens there already", path, (int)getpid());
	is_str(e.msg, want);
	ok(answers(address)); /* still */
	listen_close(fd, address);
}

static void a_dead_owner_s_file_is_taken_over(void)
{
	pid_t pid = fork();
	int status = -1, fd;

	if (pid == 0)
		_exit(listen_open(address, NULL, &e) < 0);
	ok(waitpid(pid, &status, 0) == pid && status == 0);
	ok(exists(path) && !answers(address));
	fd = listen_open(address, NULL, &e);
	ok(fd >= 0 && answers(address));
	listen_close(fd, address);
}

/* A socket whose file was replaced must not remove the new file. */
static void another_s_file_stays(void)
{
	int old = listen_open(address, NULL, &e), new;

	unlink(path);
	new = listen_open(address, NULL, &e);
	ok(old >= 0 && new >= 0);
	listen_close(old, address);
	ok(exists(path) && answers(address));
	listen_close(new, address);
	ok(!exists(path));
}

static void a_file_that_is_no_socket_stays(void)
{
	close(open(path, O_CREAT | O_WRONLY, 0600));
	ok(listen_open(address, NULL, &e) == -1 && e.code == ERR_INVALID_ARGUMENT);
	ok(exists(path));
	unlink(path);
}

static void tcp_is_for_loopback(void)
{
	char where[64];
	int port = 0, fd = listen_open("tcp://127.0.0.1:0", &port, &e);

	ok(fd >= 0 && port > 0);
	snprintf(where, sizeof(where), "tcp://127.0.0.1:%d", port);
	ok(answers(where));
	ok(listen_open(where, NULL, &e) == -1 && e.code == ERR_UNAVAILABLE);
	listen_close(fd, where);
	ok(listen_open("tcp://0.0.0.0:0", NULL, &e) == -1 && e.code == ERR_INVALID_ARGUMENT);
	ok(listen_open("tcp://10.0.0.1:80", NULL, &e) == -1 && e.code == ERR_INVALID_ARGUMENT);
	ok(listen_open("tcp://[::]:80", NULL, &e) == -1 && e.code == ERR_INVALID_ARGUMENT);
}

static bool is_bad(const char *text)
{
	struct listen_address to;

	return listen_parse(text, &to, &e) == -1 && e.code == ERR_INVALID_ARGUMENT;
}

static void addresses_have_two_forms(void)
{
	struct listen_address to;
	char long_path[200] = "unix:///";

	ok(listen_parse("tcp://[::1]:443", &to, &e) == 0 && to.sa.ss_family == AF_INET6);
	ok(listen_parse("tcp://192.0.2.1:443", &to, &e) == 0);
	ok(ntohs(((struct sockaddr_in *)&to.sa)->sin_port) == 443);
	ok(is_bad("") && is_bad("/run/s.sock") && is_bad("unix://run/s.sock") && is_bad("http://127.0.0.1:80"));
	ok(is_bad("tcp://127.0.0.1") && is_bad("tcp://127.0.0.1:") && is_bad("tcp://127.0.0.1:65536"));
	ok(is_bad("tcp://127.0.0.1:-1") && is_bad("tcp://127.0.0.1:80x") && is_bad("tcp://:80"));
	ok(is_bad("tcp://localhost:80") && is_bad("tcp://[::1:80"));
	memset(long_path + 8, 'x', 110);
	ok(is_bad(long_path));
}

int main(void)
{
	ok(mkdtemp(dir) != NULL);
	a_unix_socket_is_root_s_and_0660();
	a_live_owner_is_named();
	a_dead_owner_s_file_is_taken_over();
	another_s_file_stays();
	a_file_that_is_no_socket_stays();
	tcp_is_for_loopback();
	addresses_have_two_forms();
	snprintf(path, sizeof(path), "%s/a/b", dir);
	ok(rmdir(path) == 0);
	snprintf(path, sizeof(path), "%s/a", dir);
	ok(rmdir(path) == 0 && rmdir(dir) == 0);
	return tap_end();
}
