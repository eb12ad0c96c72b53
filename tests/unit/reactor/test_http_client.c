/* test_http_client.c - transfers that succeed, each kind of failure, and pauses (http_run.h). */
#include <signal.h>

#include "tests/unit/reactor/http_run.h"

/* ---- responses ---- */

static void a_get(void)
{
	struct seen s = { .want_header = "CONTENT-length" };

	start_path(&s, "/hello");
	ok(s.heads == 0 && s.dones == 0);
	run_until(&s.dones, 1);
	ok(s.heads == 1 && s.status == 200 && s.dones == 1 && s.err.code == ERR_OK);
	is_str(s.text, "hello");
	is_str(s.header, "5");
}

static void a_head(void)
{
	struct seen s = { .want_header = "Content-Length" };

	fetch(&s, (struct http_request){ .method = "HEAD", .url = url("127.0.0.1", "/hello") });
	ok(s.status == 200 && s.bytes == 0 && s.err.code == ERR_OK);
	is_str(s.header, "5");
}

static void a_post_is_sent_as_given(void)
{
	struct seen s = { 0 };
	const char *headers[] = { "Authorization: Bearer abc", "Accept: application/json", NULL };

	fetch(&s, (struct http_request){ .method = "POST", .url = url("127.0.0.1", "/echo"), .headers = headers,
					 .body = "grant_type=x", .body_len = 12 });
	ok(s.status == 200 && s.err.code == ERR_OK);
	ok(strncmp(s.text, "POST /echo HTTP/1.1\r\n", 21) == 0);
	ok(strstr(s.text, "\r\nAuthorization: Bearer abc\r\n") && strstr(s.text, "\r\nAccept: application/json\r\n"));
	ok(strstr(s.text, "\r\nUser-Agent: crisp/") && !strstr(s.text, "Expect:") &&
	   strstr(s.text, "\r\nAccept-Encoding: identity\r\n"));
	ok(strstr(s.text, "\r\n\r\ngrant_type=x"));
}

static void coded_bodies(void)
{
	struct seen s = { 0 }, raw = { 0 }, said = { 0 };

	fetch(&s, (struct http_request){ .url = url("127.0.0.1", "/gzip"), .decode = true });
	ok(s.err.code == ERR_OK);
	is_str(s.text, "hello");
	fetch_path(&raw, "/gzip");
	ok(raw.err.code == ERR_OK && raw.bytes == 25 && memcmp(raw.text, "\x1f\x8b", 2) == 0);
	fetch(&said, (struct http_request){ .url = url("127.0.0.1", "/echo"), .decode = true });
	ok(strstr(said.text, "\r\nAccept-Encoding: identity\r\n"));
	fails((struct http_request){ .url = url("127.0.0.1", "/coded"), .decode = true }, ERR_FAILED_PRECONDITION, "");
}

static void a_redirect_is_handed_up(void)
{
	struct seen s = { .want_header = "location" };
	int before = http_peer.requests;

	fetch_path(&s, "/status/307");
	ok(s.status == 307 && s.err.code == ERR_OK && http_peer.requests == before + 1);
	is_str(s.header, "http://elsewhere.test/x");
}

static void header_lines_of_one_name_are_joined(void)
{
	struct seen s = { .want_header = "Www-Authenticate" };

	fetch_path(&s, "/status/401");
	ok(s.status == 401);
	is_str(s.header, "Basic realm=\"b\", Bearer realm=\"t\"");
}

static void interim_responses_are_skipped(void)
{
	struct seen s = { .want_header = "X-Hint" };

	fetch_path(&s, "/continue");
	ok(s.heads == 1 && s.status == 200);
	is_str(s.text, "hello");
	is_str(s.header, "(none)");
}

static void chunks_and_trailers(void)
{
	struct seen s = { 0 };

	fetch_path(&s, "/chunked/100000");
	ok(s.heads == 1 && s.bytes == 100000 && !s.damaged && s.err.code == ERR_OK);
}

static void an_empty_body(void)
{
	struct seen s = { 0 };

	fetch_path(&s, "/bytes/0");
	ok(s.status == 200 && s.datas == 0 && s.dones == 1 && s.err.code == ERR_OK);
}

/* ---- failures ---- */

static void path_fails(const char *path, int64_t stall_timeout_ms, const char *cause)
{
	fails((struct http_request){ .url = url("127.0.0.1", path), .stall_timeout_ms = stall_timeout_ms },
	      ERR_UNAVAILABLE, cause);
}

static void each_failure_names_host_and_cause(void)
{
	path_fails("/short", PATIENCE_MS, "90 bytes");
	path_fails("/reset", PATIENCE_MS, "reset");
	path_fails("/rubbish", PATIENCE_MS, "HTTP/0.9");
	path_fails("/silent", 100, "stalled: no data for 100 ms");
	path_fails("/stall", 100, "stalled: no data for 100 ms");
	fails((struct http_request){ .url = "http://127.0.0.1:1/" }, ERR_UNAVAILABLE, "Connection refused");
	fails((struct http_request){ .url = "ftp://127.0.0.1/x" }, ERR_INVALID_ARGUMENT, "neither http nor https");
	fails((struct http_request){ .url = "file:///etc/passwd" }, ERR_INVALID_ARGUMENT, "neither http nor https");
	fails((struct http_request){ .url = "http://[bad/" }, ERR_INVALID_ARGUMENT, "URL: cannot be parsed");
}

/* A manifest names the URLs of foreign layers. */
static void a_url_of_any_length_is_no_harm(void)
{
	static char text[9000000] = "http://127.0.0.1:1/";

	memset(text + strlen(text), 'a', sizeof(text) - 1 - strlen(text));
	fails((struct http_request){ .url = text }, ERR_INVALID_ARGUMENT, "URL: longer than 128 KiB");
	text[128 << 10] = '\0';
	fails((struct http_request){ .url = text }, ERR_UNAVAILABLE, "Connection refused");
}

static void a_line_break_cannot_be_smuggled_in(void)
{
	const char *headers[] = { "Authorization: Bearer a\r\nHost: evil", NULL };
	int before = http_peer.requests;

	fails((struct http_request){ .url = url("127.0.0.1", "/hello"), .headers = headers }, ERR_INVALID_ARGUMENT,
	      "line break");
	ok(http_peer.requests == before);
}

static void a_byte_a_second_is_no_stall(void)
{
	struct seen s = { 0 };

	fetch(&s, (struct http_request){ .url = url("127.0.0.1", "/slow"), .stall_timeout_ms = 600 });
	ok(s.err.code == ERR_OK && s.bytes == 100);
}

/* ---- pause ---- */

static void fifty_megabytes_with_refusals(void)
{
	struct seen s = { .refuse = true };
	size_t sent = http_peer.sent_bytes;

	start_path(&s, "/bytes/52428800");
	turn_until(&s.refusals, 1);
	run_ms(100);
	ok(s.bytes == 0 && http_peer.sent_bytes - sent < 16 << 20); /* no more than the sockets buffer */
	for (int i = 0; i < 10000000 && !s.dones; i++) {
		if (s.h)
			http_resume(s.h);
		loop_turn();
	}
	ok(s.bytes == 52428800 && !s.damaged && s.err.code == ERR_OK && s.dones == 1);
	ok(s.refusals > 100);
}

static void chunks_with_refusals(void)
{
	struct seen s = { .refuse = true };

	start_path(&s, "/chunked/1000000");
	for (int i = 0; i < 1000000 && !s.dones; i++) {
		if (s.h)
			http_resume(s.h);
		loop_turn();
	}
	ok(s.bytes == 1000000 && !s.damaged && s.err.code == ERR_OK && s.heads == 1 && s.refusals > 10);
}

static void a_pause_is_no_stall(void)
{
	struct seen s = { .refuse = true };

	start(&s, (struct http_request){ .url = url("127.0.0.1", "/bytes/1000"), .stall_timeout_ms = 500 });
	turn_until(&s.refusals, 1);
	run_ms(1000);
	ok(s.refusals == 1 && s.dones == 0);
	http_resume(s.h);
	run_until(&s.dones, 1);
	ok(s.bytes == 1000 && !s.damaged && s.err.code == ERR_OK);
}

static void a_paused_transfer_holds_up_no_other(void)
{
	struct seen paused = { .refuse = true }, other = { 0 };

	start_path(&paused, "/bytes/1000000");
	turn_until(&paused.refusals, 1);
	fetch_path(&other, "/bytes/1000000");
	ok(other.bytes == 1000000 && paused.dones == 0);
	cancel(&paused);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	port = http_peer_open();
	a_get();
	a_head();
	a_post_is_sent_as_given();
	coded_bodies();
	a_redirect_is_handed_up();
	header_lines_of_one_name_are_joined();
	interim_responses_are_skipped();
	chunks_and_trailers();
	an_empty_body();
	each_failure_names_host_and_cause();
	a_url_of_any_length_is_no_harm();
	a_line_break_cannot_be_smuggled_in();
	a_byte_a_second_is_no_stall();
	fifty_megabytes_with_refusals();
	chunks_with_refusals();
	a_pause_is_no_stall();
	a_paused_transfer_holds_up_no_other();
	http_client_close();
	http_peer_close();
	return tap_end();
}
