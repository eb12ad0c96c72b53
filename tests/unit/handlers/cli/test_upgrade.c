/* test_upgrade.c - streaming URLs, and the server's answers. */
#include "handlers/cli/upgrade.h"

#include <string.h>

#include "tests/tap.h"

static struct arena *arena;
static struct cli_upgrade_url url;
static struct err err;
static const char cri[] = "unix:///nowhere/crisp.sock";

static void urls(void)
{
	struct buf out = { 0 };

	ok(cli_upgrade_url(&url, "http://127.0.0.1:99/exec/t?x=1", cri, arena, &err) == 0);
	is_str(url.address, "tcp://127.0.0.1:99");
	cli_upgrade_ask(&out, &url, "v4.channel.k8s.io");
	is_str(buf_str(&out), "POST /exec/t?x=1 HTTP/1.1\r\nHost: 127.0.0.1:99\r\nConnection: Upgrade\r\n"
			      "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
			      "Content-Length: 0\r\n\r\n");
	buf_free(&out);
	ok(cli_upgrade_url(&url, "http://[::1]:99/", cri, arena, &err) == 0);
	is_str(url.address, "tcp://[::1]:99");
	ok(cli_upgrade_url(&url, "http://localhost:99", cri, arena, &err) == 0);
	is_str(url.address, "tcp://127.0.0.1:99");
	is_str(url.path, "/");
	ok(cli_upgrade_url(&url, "https://127.0.0.1:99/", cri, arena, &err) < 0 && err.code == ERR_UNIMPLEMENTED);
	ok(cli_upgrade_url(&url, "", cri, arena, &err) < 0 && err.code == ERR_INVALID_ARGUMENT);
}

static ssize_t answer(const char *text)
{
	return cli_upgrade_answer(text, strlen(text), &err);
}

static void answers(void)
{
	static char much[CLI_UPGRADE_HEAD_MAX + 2];

	ok(answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r\n\x80") == 55);
	ok(answer("") == 0);
	ok(answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\n\r") == 0);
	ok(answer("HTTP/1.1 404 Not Found\r\n\r\ngone") < 0 && err.code == ERR_INTERNAL);
	is_str(err.msg, "the stream server refuses: HTTP/1.1 404 Not Found");
	ok(answer("\r\n\r\n") < 0);
	memset(much, 'x', sizeof(much) - 1);
	ok(answer(much) < 0);
}

int main(void)
{
	arena = arena_new();
	urls();
	answers();
	arena_free(arena);
	return tap_end();
}
