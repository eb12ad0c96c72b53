/* test_http_server.c - pages over unix and tcp, and no wake-ups while idle; with either engine. */
#include "reactor/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "reactor/list.h"
#include "reactor/listen.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/tap.h"
#include "tests/unit/reactor/loop_run.h"

/* h2o 2.2.5 never frees the 88 bytes of a context's message queue. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:h2o_multithread_create_queue";
}

static char dir[] = "/tmp/crisp-test-XXXXXX", address[128];
static int pages_served;

static int hello_page(void *arg, const char *path, struct buf *body, const char **type)
{
	pages_served++;
	buf_printf(body, "%s at %s\n", (const char *)arg, path);
	*type = "text/x-hello";
	return 200;
}

static int big_page(void *arg, const char *path, struct buf *body, const char **type)
{
	(void)arg;
	(void)path;
	(void)type;
	memset(buf_room(body, 4000000), 'b', 4000000);
	buf_added(body, 4000000);
	return 200;
}

static int sick_page(void *arg, const char *path, struct buf *body, const char **type)
{
	(void)arg;
	(void)path;
	(void)type;
	buf_puts(body, "not ready\n");
	return 503;
}

static struct http_server *serve(const char *at)
{
	struct http_server *s = http_server_new();
	struct err e = { 0 };

	http_server_page(s, "/hello", hello_page, (void *)"hello");
	http_server_page(s, "/big", big_page, NULL);
	http_server_page(s, "/healthz", sick_page, NULL);
	ok(http_server_listen(s, at, &e) == 0);
	return s;
}

/* A connected socket; connecting does not need the server's loop. */
static int dial(const char *at)
{
	struct listen_address a;
	struct err e;
	int fd;

	ok(listen_parse(at, &a, &e) == 0);
	fd = socket(a.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ok(connect(fd, (struct sockaddr *)&a.sa, a.len) == 0);
	return fd;
}

struct reader {
	struct fd_watch watch;
	struct buf *in;
};

static void on_readable(struct fd_watch *w, int events)
{
	struct reader *r = container_of(w, struct reader, watch);

	(void)events;
	if (buf_read(r->in, w->ev.fd, 65536) <= 0) {
		fd_watch_clear(w);
		loop_stop();
	}
}

/* Sends `request` and reads until the server closes. */
static const char *ask(const char *at, const char *request, size_t len)
{
	static struct buf in;
	struct reader r = { .in = &in };
	struct timer bail = { 0 };
	auto_fd int fd = dial(at);

	buf_free(&in);
	if (write(fd, request, len) < 0)
		return "(refused)";
	fd_watch_set(&r.watch, fd, FD_READ, on_readable);
	timer_set(&bail, PATIENCE_MS, stop_loop);
	loop_run();
	ok(timer_is_set(&bail));
	timer_clear(&bail);
	fd_watch_clear(&r.watch);
	return buf_str(&in);
}

static const char *get(const char *method, const char *path)
{
	char request[512];
	int n = snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method,
			 path);

	return ask(address, request, (size_t)n);
}

static void pages_and_errors(void)
{
	const char *r = get("GET", "/hello");

	ok(strncmp(r, "HTTP/1.1 200 OK\r\n", 17) == 0 && strstr(r, "\r\n\r\nhello at /hello\n"));
	ok(strcasestr(r, "\r\ncontent-type: text/x-hello\r\n") && strcasestr(r, "\r\ncontent-length: 16\r\n"));
	r = get("GET", "/hello?a=b");
	ok(strstr(r, "\r\n\r\nhello at /hello\n"));
	r = get("HEAD", "/hello");
	ok(strncmp(r, "HTTP/1.1 200 ", 13) == 0 && strcasestr(r, "\r\ncontent-length: 16\r\n"));
	is_str(strstr(r, "\r\n\r\n"), "\r\n\r\n");
	r = get("GET", "/nothing");
	ok(strncmp(r, "HTTP/1.1 404 ", 13) == 0);
	r = get("GET", "/hello/");
	ok(strncmp(r, "HTTP/1.1 404 ", 13) == 0);
	r = get("DELETE", "/hello");
	ok(strncmp(r, "HTTP/1.1 405 ", 13) == 0 && strcasestr(r, "\r\nallow: GET, HEAD\r\n"));
	r = get("GET", "/healthz");
	ok(strncmp(r, "HTTP/1.1 503 ", 13) == 0 && strstr(r, "not ready"));
	r = get("GET", "/big");
	ok(strlen(strstr(r, "\r\n\r\n")) == 4000004);
}

/* Requests behind the first one would all be answered in one turn of the loop. */
static void one_request_on_a_connection(void)
{
	static const char both[] =
		"GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	int before = pages_served;
	const char *r = ask(address, both, sizeof(both) - 1), *second = strstr(r + 1, "HTTP/1.1 200");

	ok(strncmp(r, "HTTP/1.1 200", 12) == 0 && strcasestr(r, "\r\nconnection: close\r\n"));
	ok(!second && pages_served == before + 1);
}

static void a_tcp_listener_tells_its_port(void)
{
	struct http_server *s = serve("tcp://127.0.0.1:0");
	char at[64];
	static const char request[] = "GET /hello HTTP/1.0\r\n\r\n";

	snprintf(at, sizeof(at), "tcp://127.0.0.1:%d", http_server_port(s));
	ok(strstr(ask(at, request, sizeof(request) - 1), "hello at /hello"));
	run_ms(0);
	http_server_free(s);
}

static void a_bad_address_is_an_error(void)
{
	struct http_server *s = http_server_new();
	struct err e = { 0 };

	ok(http_server_listen(s, "nonsense", &e) < 0 && e.code == ERR_INVALID_ARGUMENT);
	/* the other server of this test listens there */
	ok(http_server_listen(s, address, &e) < 0 && e.code == ERR_UNAVAILABLE);
	http_server_free(s);
}

/* After each broken request the next one is answered. */
static void hostile_requests(void)
{
	static const char *const requests[] = {
		"rubbish\r\n\r\n",
		"GET\r\n\r\n",
		"GET /hello HTTP/9.9\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET /hello HTTP/1.1\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n",
		"POST /hello HTTP/1.1\r\nConnection: close\r\nContent-Length: 99999999999\r\n\r\n",
		"POST /hello HTTP/1.1\r\nConnection: close\r\nContent-Length: -1\r\n\r\n",
		"POST /hello HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"GET /../../etc/passwd HTTP/1.1\r\nConnection: close\r\n\r\n",
		"GET /%00 HTTP/1.1\r\nConnection: close\r\n\r\n",
		"GET * HTTP/1.1\r\nConnection: close\r\n\r\n",
		"\r\n\r\n\r\n\r\n",
		"GET http://x/hello HTTP/1.1\r\nConnection: close\r\n\r\n",
	};
	auto_free char *endless = own_must(malloc(1000000));

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i][0] == '\r') {
			auto_fd int fd = dial(address); /* the server waits for more */

			ok(write(fd, requests[i], strlen(requests[i])) > 0);
			run_ms(20);
			continue;
		}
		ask(address, requests[i], strlen(requests[i]));
	}
	memset(endless, 'a', 1000000);
	memcpy(endless, "GET /", 5);
	{
		auto_fd int fd = dial(address);

		ok(send(fd, endless, 1000000, MSG_DONTWAIT | MSG_NOSIGNAL) > 0);
		run_ms(20);
	}
	ok(strstr(get("GET", "/hello"), "hello at /hello"));
}

static uint64_t turns(void)
{
	struct loop_stats s;

	loop_stats(&s);
	return s.turns;
}

static void idling_costs_no_turn(void)
{
	static const char half[] = "GET /hello HTTP/1.1\r\nHost: x\r\n";
	auto_fd int kept = dial(address);
	uint64_t before;

	ok(write(kept, half, sizeof(half) - 1) > 0);
	run_ms(100); /* it is accepted and read */
	before = turns();
	run_ms(300);
	printf("# %llu turns with a connection that waits\n", (unsigned long long)(turns() - before));
	ok(turns() - before <= 2); /* run_ms() itself takes two */
}

static void the_socket_file_goes_with_the_server(struct http_server *s)
{
	struct stat st;

	ok(stat(address + strlen("unix://"), &st) == 0 && (st.st_mode & 0777) == 0660);
	http_server_free(s);
	ok(stat(address + strlen("unix://"), &st) < 0 && errno == ENOENT);
	run_ms(50); /* the ends of the last connections */

}

int main(void)
{
	struct http_server *s;

	signal(SIGPIPE, SIG_IGN);
	own_must(mkdtemp(dir));
	snprintf(address, sizeof(address), "unix://%s/http.sock", dir);
	s = serve(address);
	pages_and_errors();
	one_request_on_a_connection();
	a_tcp_listener_tells_its_port();
	a_bad_address_is_an_error();
	hostile_requests();
	idling_costs_no_turn();
	the_socket_file_goes_with_the_server(s);
	rmdir(dir);
	return tap_end();
}
