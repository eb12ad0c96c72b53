/* test_sandbox_check.c - procs/sandbox_check.c: what of a RunPodSandbox is refused before anything is made. */
#include "procs/sandbox_check.h"
#include "tests/fakes/net_child.h"
#include "tests/fakes/net_world.h"
#include "tests/tap.h"
#include "tests/unit/procs/sandbox_run.h"

static void refused(const char *why, enum err_code code)
{
	struct err e = { 0 };

	ok(sandbox_check(&config, &e) < 0 && e.code == code);
	ok(strstr(e.msg, why) != NULL);
	blank();
}

static void with_sysctl(const char *name)
{
	static struct pair one;

	one = (struct pair){ name, "1" };
	config.sysctls = (struct pairs){ &one, 1 };
}

static void contradictions_are_refused_by_name(void)
{
	static struct port_mapping port = { 0, 80, 80, "" };
	static struct id_mapping map = { 1000, 0, 65536 };
	static struct pair note = { "kubernetes.io/egress-bandwidth", "much" };
	static const char *line = "a\nb";
	struct err e;

	blank();
	ok(sandbox_check(&config, &e) == 0);
	config.security.ns.pid = NS_TARGET;
	refused("namespace_options.pid: TARGET", ERR_INVALID_ARGUMENT);
	config.security.ns.pid = 7;
	refused("unknown mode 7", ERR_INVALID_ARGUMENT);
	config.security.ns.network = NS_CONTAINER;
	refused("namespace_options.network: 1", ERR_INVALID_ARGUMENT);
	config.security.ns.ipc = -1;
	refused("namespace_options.ipc: -1", ERR_INVALID_ARGUMENT);
	config.security.ns.has_userns = true;
	config.security.ns.userns_mode = NS_CONTAINER;
	refused("userns_options.mode: 1", ERR_INVALID_ARGUMENT);
	config.security.ns.has_userns = true;
	refused("userns_options.uids: 0 mappings", ERR_INVALID_ARGUMENT);
	config.security.ns.has_userns = true;
	config.security.ns.uids = config.security.ns.gids = (struct id_mappings){ &map, 1 };
	ok(sandbox_check(&config, &e) == 0);
	map.host_id = UINT32_MAX - 1;
	refused("userns_options.uids: 65536 ids from 4294967294 on", ERR_INVALID_ARGUMENT);
	map.host_id = 100000;
	config.security.ns.has_userns = true;
	config.security.ns.uids = config.security.ns.gids = (struct id_mappings){ &map, 1 };
	config.security.ns.pid = NS_NODE;
	refused("mode POD with the PID namespace of the node", ERR_INVALID_ARGUMENT);
	config.security.ns.has_userns = true;
	config.security.ns.userns_mode = NS_NODE;
	ok(sandbox_check(&config, &e) == 0);
	config.security.ns.uids = (struct id_mappings){ &map, 1 };
	refused("mode NODE with mappings", ERR_INVALID_ARGUMENT);

	config.ports.at = &port;
	config.ports.n = 1;
	port.host_port = -5;
	refused("port_mappings[0].host_port: -5", ERR_INVALID_ARGUMENT);
	config.ports.at = &port;
	config.ports.n = 1;
	port = (struct port_mapping){ 9, 80, 80, "" };
	refused("protocol: unknown number 9", ERR_INVALID_ARGUMENT);
	config.ports.at = &port;
	config.ports.n = 1;
	port = (struct port_mapping){ 0, 80, 80, "localhost" };
	refused("\"localhost\" is not an IP address", ERR_INVALID_ARGUMENT);

	config.security.run_as_user = (struct opt_i64){ true, UINT32_MAX };
	refused("run_as_user: 4294967295 is not in", ERR_INVALID_ARGUMENT);
	config.security.run_as_group = (struct opt_i64){ true, -1 };
	refused("run_as_group: -1 is not in", ERR_INVALID_ARGUMENT);
	config.security.supplemental_groups = (struct ints){ &(int64_t){ 4294967296 }, 1 };
	refused("supplemental_groups: 4294967296 is not a group id", ERR_INVALID_ARGUMENT);

	config.hostname = "h2345678901234567890123456789012345678901234567890123456789012345";
	refused("longer than 64 bytes", ERR_INVALID_ARGUMENT);
	config.annotations = (struct pairs){ &note, 1 };
	refused("\"much\" is no rate", ERR_INVALID_ARGUMENT);
	config.name = "a;b";
	refused("\";\"", ERR_INVALID_ARGUMENT);
	config.dns.servers = (struct strings){ &line, 1 };
	refused("dns_config.servers[0]", ERR_INVALID_ARGUMENT);
	config.cgroup_parent = "/a/../..";
	refused("has .. in it", ERR_INVALID_ARGUMENT);
}

static void only_sysctls_of_a_namespace_are_taken(void)
{
	static const char *const good[] = { "net.core.somaxconn",
					    "net/ipv4/conf/eth0.5/forwarding",
					    "kernel.shmmax",
					    "kernel.msgmni",
					    "kernel.sem",
					    "fs.mqueue.msg_max",
					    NULL };
	static const char *const bad[] = { "",
					   "net",
					   "vm.swappiness",
					   "kernel.hostname",
					   "net..x",
					   "net/../kernel/core_pattern",
					   "net.ipv4.",
					   "/net/ipv4",
					   "net.a b",
					   NULL };
	char longest[254] = "net.ipv4."; /* the API server admits 253 bytes */
	struct err e;

	blank();
	memset(longest + 9, 'x', sizeof(longest) - 10);
	with_sysctl(longest);
	ok(sandbox_check(&config, &e) == 0);
	for (int i = 0; good[i]; i++) {
		with_sysctl(good[i]);
		ok(sandbox_check(&config, &e) == 0);
	}
	for (int i = 0; bad[i]; i++) {
		with_sysctl(bad[i]);
		ok(sandbox_check(&config, &e) < 0 && e.code == ERR_INVALID_ARGUMENT);
	}
	with_sysctl("net.core.somaxconn");
	config.security.ns.network = NS_NODE;
	refused("with the network of the node", ERR_INVALID_ARGUMENT);
	with_sysctl("kernel.sem");
	config.security.ns.ipc = NS_NODE;
	refused("with the IPC of the node", ERR_INVALID_ARGUMENT);
}

int main(void)
{
	arena = arena_new();
	blank();
	contradictions_are_refused_by_name();
	only_sysctls_of_a_namespace_are_taken();
	arena_free(arena);
	return tap_end();
}
