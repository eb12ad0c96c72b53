/* upgrade.c - see upgrade.h. */
#include "handlers/cli/upgrade.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* NULL: there is none. */
static const char *socket_beside(const char *cri, struct arena *a)
{
	const char *slash = strncmp(cri, "unix://", 7) == 0 ? strrchr(cri + 7, '/') : NULL, *address;

	if (!slash)
		return NULL;
	address = arena_printf(a, "%.*s/stream.sock", (int)(slash - cri), cri);
	return access(address + 7, F_OK) == 0 ? address : NULL;
}

int cli_upgrade_url(struct cli_upgrade_url *out, const char *url, const char *cri, struct arena *a, struct err *e)
{
	bool tls = strncmp(url, "https://", 8) == 0;
	const char *host, *slash;

	if (!tls && strncmp(url, "http://", 7) != 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "not a URL of a stream: %s", url);
	host = url + (tls ? 8 : 7);
	slash = strchr(host, '/');
	out->host = slash ? arena_strndup(a, host, (size_t)(slash - host)) : host;
	out->path = slash ? slash : "/";
	out->address = tls ? socket_beside(cri, a) : NULL;
	if (tls && !out->address)
		return err_set(e, ERR_UNIMPLEMENTED, "the runtime streams by TLS, which crisp does not speak, and no "
			       "stream.sock is beside %s: %s", cri, url);
	if (tls)
		return 0;
	out->address = arena_printf(a, "tcp://%s", strncmp(out->host, "localhost:", 10) == 0
							? arena_printf(a, "127.0.0.1%s", out->host + 9)
							: out->host);
	return 0;
}

void cli_upgrade_ask(struct buf *out, const struct cli_upgrade_url *url, const char *protocol)
{
	buf_printf(out, "POST %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
			"X-Stream-Protocol-Version: %s\r\nContent-Length: 0\r\n\r\n", url->path, url->host, protocol);
}

ssize_t cli_upgrade_answer(const void *bytes, size_t n, struct err *e)
{
	static const char good[] = "HTTP/1.1 101";
	const char *text = bytes, *line = n ? memchr(bytes, '\r', n) : NULL,
		   *end = n ? memmem(bytes, n, "\r\n\r\n", 4) : NULL;

	if (!end && n > CLI_UPGRADE_HEAD_MAX)
		return err_set(e, ERR_INTERNAL, "the stream server's answer is no HTTP");
	if (!end || !line)
		return 0;
	if (strncmp(text, good, sizeof(good) - 1) != 0)
		return err_set(e, ERR_INTERNAL, "the stream server refuses: %.*s",
			       (int)(line - text < 200 ? line - text : 200), text);
	return end + 4 - text;
}
