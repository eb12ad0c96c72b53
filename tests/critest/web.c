/* web.c - the web servers in critest's images: a master and a worker process, which answers every request with a page.
 *
 * WEB_PORT (80) and WEB_ROLE (nginx, else httpd) choose which server it imitates: specs read the process title, the pid
 * file and the log line of the real servers. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static pid_t worker;

static void end(int sig)
{
	(void)sig;
	if (worker > 0)
		kill(worker, SIGKILL);
	_exit(0);
}

/* Overwrites argv and environ, which are contiguous in memory. */
static void set_title(char **argv, const char *title)
{
	char *stop = argv[0];

	for (int i = 0; argv[i]; i++)
		stop = argv[i] + strlen(argv[i]) + 1;
	for (int i = 0; environ[i] == stop; i++)
		stop += strlen(environ[i]) + 1;
	memset(argv[0], 0, (size_t)(stop - argv[0]));
	strncpy(argv[0], title, (size_t)(stop - argv[0] - 1));
}

static int open_port(int port)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), on = 1, off = 0;

	if (fd >= 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    bind(fd, (void *)&any6, sizeof(any6)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(fd, (void *)&any4, sizeof(any4)) == 0 ? fd : -1;
}

static void answer(int c)
{
	static const char page[] =
		"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 46\r\nConnection: close\r\n\r\n"
		"<html><body><h1>It works!</h1></body></html>\r\n";
	char request[4096];
	size_t n = 0;
	ssize_t r;

	while (n < sizeof(request) - 1 && (r = read(c, request + n, sizeof(request) - 1 - n)) > 0) {
		n += (size_t)r;
		request[n] = '\0';
		if (strstr(request, "\r\n\r\n"))
			break;
	}
	if (n && write(c, page, sizeof(page) - 1) < 0)
		perror("write");
	shutdown(c, SHUT_WR);
	close(c);
}

static void become_nginx(char **argv)
{
	FILE *f = fopen("/var/run/nginx.pid", "w");

	prctl(PR_SET_NAME, "nginx");
	if (f) {
		fprintf(f, "%d\n", getpid());
		fclose(f);
	}
	set_title(argv, "nginx: master process nginx -g daemon off;");
	worker = fork();
	while (worker > 0)
		if (waitpid(worker, NULL, 0) == worker)
			_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	set_title(argv, "nginx: worker process");
}

int main(int argc, char **argv)
{
	const char *port = getenv("WEB_PORT"), *role = getenv("WEB_ROLE");
	int fd = open_port(port ? (int)strtol(port, NULL, 10) : 80);

	(void)argc;
	if (fd < 0 || listen(fd, 64) < 0) {
		perror("listen");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, end);
	signal(SIGINT, end);
	signal(SIGQUIT, end);
	if (role && strcmp(role, "httpd") == 0)
		fprintf(stderr, "[core:notice] [pid %d] AH00094: Command line: 'httpd -D FOREGROUND'\n", getpid());
	else
		become_nginx(argv);
	for (;;) {
		int c = accept(fd, NULL, NULL);

		if (c >= 0)
			answer(c);
	}
}
