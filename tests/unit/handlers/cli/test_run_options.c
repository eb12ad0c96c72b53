/* test_run_options.c - the values of --publish and --volume. */
#include "handlers/cli/run_options.h"

#include <string.h>

#include "tests/missing.h"
#include "tests/tap.h"

static struct arena *arena;
static struct err err;

static bool port_is(const char *word, const char *ip, int outer, int inner, int protocol)
{
	Runtime__V1__PortMapping *p = cli_run_port(word, arena, &err);

	return p && strcmp(p->host_ip, ip) == 0 && p->host_port == outer && p->container_port == inner &&
	       (int)p->protocol == protocol;
}

static void ports(void)
{
	static const char *const bad[] = { "", "80", ":80", "80:", "80:x", "0:80", "80:0", "65536:80", "80:080000",
					   "1.2.3:80:80", "::1:80:80", "[::1:80:80", "80:80/", "80:80/icmp", "-1:80",
					   "localhost:80:80", " 80:80", "[]:80:80" };

	ok(port_is("8080:80", "", 8080, 80, 0));
	ok(port_is("8080:80/tcp", "", 8080, 80, 0));
	ok(port_is("53:5353/udp", "", 53, 5353, 1));
	ok(port_is("65535:1/sctp", "", 65535, 1, 2));
	ok(port_is("127.0.0.1:8080:80", "127.0.0.1", 8080, 80, 0));
	ok(port_is("[::1]:8080:80/udp", "::1", 8080, 80, 1));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok(!cli_run_port(bad[i], arena, &err) && err.code == ERR_INVALID_ARGUMENT);
}

static bool volume_is(const char *word, const char *host, const char *inside, bool readonly)
{
	Runtime__V1__Mount *m = cli_run_volume(word, arena, &err);

	return m && strcmp(m->host_path, host) == 0 && strcmp(m->container_path, inside) == 0 &&
	       (bool)m->readonly == readonly;
}

static void volumes(void)
{
	static const char *const bad[] = { "", "/", "/:", ":/a", "/:a", "/:/a:", "/:/a:rx", "/:/a:ro:ro" };

	ok(volume_is("/proc/..:/a", "/", "/a", false));
	ok(volume_is("/:/a:ro", "/", "/a", true));
	ok(volume_is("/:/a:rw", "/", "/a", false));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok(!cli_run_volume(bad[i], arena, &err) && err.code == ERR_INVALID_ARGUMENT);
	ok(!cli_run_volume(arena_printf(arena, "%s:/a", missing("x")), arena, &err) && err.code == ERR_NOT_FOUND);
}

int main(void)
{
	arena = arena_new();
	ports();
	volumes();
	arena_free(arena);
	return tap_end();
}
