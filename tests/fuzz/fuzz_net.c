/* fuzz_net.c - what the native network reads: conflists, results in records, files of addresses, netlink answers. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "procs/net/lease.h"
#include "procs/net/netlink.h"
#include "procs/net/nft.h"
#include "procs/net/ports.h"
#include "procs/net/result.h"
#include "procs/net/watch.h"
#include "procs/net_ip.h"
#include "procs/net_plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void as_plan(const char *text, struct arena *a)
{
	struct net_plan p;
	struct err e;

	if (net_plan_read(&p, a, text, &e) < 0)
		return;
	must(p.nsets > 0 && p.nsets <= NET_SETS_MAX && p.nroutes <= NET_ROUTES_MAX && *p.leases == '/');
	for (size_t i = 0; i < p.nsets; i++)
		for (size_t k = 0; k < p.sets[i].n; k++) {
			const struct net_range *r = &p.sets[i].at[k];

			must(net_ip_cmp(&r->first, &r->last) <= 0 && net_prefix_has(&r->subnet, &r->last));
		}
}

/* A text that is read comes back as the same address. */
static void as_address(const char *text)
{
	struct net_prefix p, again;
	struct net_ip ip, same;
	char out[NET_PREFIX_TEXT];

	if (net_ip_parse(&ip, text) == 0)
		must(net_ip_parse(&same, net_ip_text(&ip, out)) == 0 && net_ip_cmp(&ip, &same) == 0);
	if (net_prefix_parse(&p, text) == 0)
		must(net_prefix_parse(&again, net_prefix_text(&p, out)) == 0 && again.len == p.len &&
		     net_ip_cmp(&p.ip, &again.ip) == 0);
}

static void as_ports(const char *text)
{
	auto_json json_t *caps = json_loads(text, 0, NULL);
	struct host_port *ports;
	struct err e;
	size_t n;

	if (ports_read(&ports, &n, caps, &e) == 0)
		for (size_t i = 0; i < n; i++)
			must(ports[i].host && ports[i].inside && ports[i].protocol);
	free(ports);
}

/* A cache file of this owner gives strings only. */
static void as_cache_file(const uint8_t *data, size_t size, struct arena *a)
{
	static char path[64];
	struct result_cached c;
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("cache", 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	must(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	if (result_cache_read(&c, a, path, "me"))
		must(*c.id && c.conf && c.caps && c.result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), comment[NFT_COMMENT_MAX];
	struct arena *a = arena_new();
	struct result_known known;
	struct nl_attr at[8];

	memcpy(text, data, size);
	text[size] = '\0';
	as_plan(text, a);
	as_address(text);
	result_read(&known, a, text);
	as_ports(text);
	as_cache_file(data, size, a);
	watch_is_loss(data, size, 7);
	must(known.n <= NET_SETS_MAX && known.host);
	lease_is_of(text, size, "0123456789abcdef", "eth0");
	nl_attrs(at, 7, data, size);
	for (unsigned i = 0; i < 8; i++)
		must(!at[i].data || ((const uint8_t *)at[i].data >= data && at[i].len <= size));
	if (nft_comment(data, size, comment))
		must(memchr(comment, '\0', sizeof(comment)) != NULL);
	arena_free(a);
	free(text);
	return 0;
}
