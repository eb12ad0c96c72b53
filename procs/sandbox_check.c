/* sandbox_check.c - see sandbox_check.h. */
#include "procs/sandbox_check.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "procs/cni_args.h"
#include "reactor/json.h"

enum { HOSTNAME_MAX = 64, SYSCTL_MAX = 200 };

static int check_namespaces(const struct ns_options *ns, struct err *e)
{
	static const char own_or_node[] = "is neither POD nor NODE";

	if (ns->network != NS_POD && ns->network != NS_NODE)
		return err_set(e, ERR_INVALID_ARGUMENT, "namespace_options.network: %d %s", (int)ns->network, own_or_node);
	if (ns->ipc != NS_POD && ns->ipc != NS_NODE)
		return err_set(e, ERR_INVALID_ARGUMENT, "namespace_options.ipc: %d %s", (int)ns->ipc, own_or_node);
	if (ns->pid == NS_TARGET)
		return err_set(e, ERR_INVALID_ARGUMENT, "namespace_options.pid: TARGET is for containers, a sandbox has none to join");
	if (ns->pid < NS_POD || ns->pid > NS_NODE)
		return err_set(e, ERR_INVALID_ARGUMENT, "namespace_options.pid: unknown mode %d", (int)ns->pid);
	return 0;
}

static int check_mapping(const char *what, const struct id_mappings *m, struct err *e)
{
	if (m->n != 1)
		return err_set(e, ERR_INVALID_ARGUMENT, "userns_options.%s: %zu mappings, exactly one is possible", what, m->n);
	if (m->at[0].length == 0 || m->at[0].container_id != 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "userns_options.%s: it must map at least one id, from container id 0 on", what);
	return 0;
}

static int check_userns(const struct ns_options *ns, struct err *e)
{
	if (!ns->has_userns)
		return 0;
	if (ns->userns_mode == NS_NODE) {
		if (ns->uids.n || ns->gids.n)
			return err_set(e, ERR_INVALID_ARGUMENT, "userns_options: mode NODE with mappings");
		return 0;
	}
	if (ns->userns_mode != NS_POD)
		return err_set(e, ERR_INVALID_ARGUMENT, "userns_options.mode: %d is neither POD nor NODE", (int)ns->userns_mode);
	if (check_mapping("uids", &ns->uids, e) < 0 || check_mapping("gids", &ns->gids, e) < 0)
		return -1;
	return err_set(e, ERR_UNIMPLEMENTED, "user namespaces are not supported yet: leave userns_options out or use mode NODE");
}

static int check_ports(const struct sandbox_config *c, struct err *e)
{
	for (size_t i = 0; i < c->ports.n; i++) {
		const struct port_mapping *p = &c->ports.at[i];
		unsigned char raw[sizeof(struct in6_addr)];

		if (p->protocol < PROTOCOL_TCP || p->protocol > PROTOCOL_SCTP)
			return err_set(e, ERR_INVALID_ARGUMENT, "port_mappings[%zu].protocol: unknown number %d", i, (int)p->protocol);
		if (p->container_port < 0 || p->container_port > 65535)
			return err_set(e, ERR_INVALID_ARGUMENT, "port_mappings[%zu].container_port: %d is no port", i, (int)p->container_port);
		if (p->host_port < 0 || p->host_port > 65535)
			return err_set(e, ERR_INVALID_ARGUMENT, "port_mappings[%zu].host_port: %d is no port", i, (int)p->host_port);
		if (p->host_ip[0] && inet_pton(strchr(p->host_ip, ':') ? AF_INET6 : AF_INET, p->host_ip, raw) != 1)
			return err_set(e, ERR_INVALID_ARGUMENT, "port_mappings[%zu].host_ip: \"%.64s\" is no address", i, p->host_ip);
	}
	return 0;
}

/* sysctl(8): the first separator says which of "." and "/" separates. `out` gets the name with dots. */
static bool dotted(const char *name, char out[SYSCTL_MAX])
{
	bool swap = name[strcspn(name, "./")] == '/';
	size_t i;

	for (i = 0; name[i] && i < SYSCTL_MAX - 1; i++) {
		out[i] = swap && name[i] == '/' ? '.' : swap && name[i] == '.' ? '/' : name[i];
		if ((unsigned char)out[i] <= ' ')
			return false;
	}
	out[i] = '\0';
	/* After the swap a "/" stands for a dot inside a name; an empty part or a leading separator would climb. */
	return i > 0 && !name[i] && !strstr(out, "..") && !strstr(out, "//") && out[0] != '.' && out[0] != '/' && out[i - 1] != '.' &&
	       strchr(out, '.');
}

static bool is_ipc(const char *name)
{
	return strncmp(name, "kernel.shm", 10) == 0 || strncmp(name, "kernel.msg", 10) == 0 || strcmp(name, "kernel.sem") == 0 ||
	       strncmp(name, "fs.mqueue.", 10) == 0;
}

static int check_sysctl(const struct sandbox_config *c, const struct pair *p, struct err *e)
{
	const struct ns_options *ns = &c->security.ns;
	char name[SYSCTL_MAX];
	bool net, ipc;

	if (!dotted(p->key, name))
		return err_set(e, ERR_INVALID_ARGUMENT, "sysctl \"%.100s\" is no valid name", p->key);
	net = strncmp(name, "net.", 4) == 0;
	ipc = is_ipc(name);
	if (!net && !ipc)
		return err_set(e, ERR_INVALID_ARGUMENT, "sysctl %.100s belongs to no namespace: it would change the node", name);
	if (net && ns->network == NS_NODE)
		return err_set(e, ERR_INVALID_ARGUMENT, "sysctl %.100s with the network of the node: it would change the node", name);
	if (ipc && ns->ipc == NS_NODE)
		return err_set(e, ERR_INVALID_ARGUMENT, "sysctl %.100s with the IPC of the node: it would change the node", name);
	return 0;
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

static int check_dns(const char *what, const struct strings *values, struct err *e)
{
	for (size_t i = 0; i < values->n; i++)
		if (has_control(values->at[i]))
			return err_set(e, ERR_INVALID_ARGUMENT, "dns_config.%s[%zu] has a control character", what, i);
	return 0;
}

/* What CNI plugins will be told, tried before there is anything to undo. */
static int check_network(const struct sandbox_config *c, struct err *e)
{
	struct cni_sandbox s = { .id = "", .name = c->name, .namespace_ = c->namespace_, .uid = c->uid, .annotations = &c->annotations,
		.ports = c->ports.at, .nports = c->ports.n, .cgroup = c->cgroup_parent, .dns = &c->dns };
	struct arena *a = arena_new();
	auto_json json_t *told = cni_capabilities(&s, e);
	int ret = told && cni_args(&s, a, e) ? 0 : -1;

	arena_free(a);
	return ret;
}

int sandbox_check(const struct sandbox_config *c, struct err *e)
{
	const struct ns_options *ns = &c->security.ns;

	if (check_namespaces(ns, e) < 0 || check_userns(ns, e) < 0 || check_ports(c, e) < 0)
		return -1;
	if (strlen(c->hostname) > HOSTNAME_MAX || has_control(c->hostname))
		return err_set(e, ERR_INVALID_ARGUMENT, "hostname: \"%.80s\" is longer than %d bytes or no name", c->hostname, HOSTNAME_MAX);
	for (size_t i = 0; i < c->sysctls.n; i++)
		if (check_sysctl(c, &c->sysctls.at[i], e) < 0)
			return -1;
	if (check_dns("servers", &c->dns.servers, e) < 0 || check_dns("searches", &c->dns.searches, e) < 0 ||
	    check_dns("options", &c->dns.options, e) < 0)
		return -1;
	if (strstr(c->cgroup_parent, ".."))
		return err_set(e, ERR_INVALID_ARGUMENT, "cgroup_parent: \"%.200s\" climbs", c->cgroup_parent);
	return ns->network == NS_NODE ? 0 : check_network(c, e);
}

static bool asked_for(const struct pairs *sysctls, const char *name)
{
	char given[SYSCTL_MAX];

	for (size_t i = 0; i < sysctls->n; i++)
		if (dotted(sysctls->at[i].key, given) && strcmp(given, name) == 0)
			return true;
	return false;
}

struct pairs sandbox_sysctls(const struct sandbox_config *c, struct arena *a)
{
	static const struct pair defaults[] = {
		{ "net.ipv4.ip_unprivileged_port_start", "0" },
		{ "net.ipv4.ping_group_range", "0 2147483647" },
	};
	struct pairs all = { arena_zalloc(a, (c->sysctls.n + 2) * sizeof(*all.at)), 0 };

	for (size_t i = 0; i < 2 && c->security.ns.network != NS_NODE; i++)
		if (!asked_for(&c->sysctls, defaults[i].key))
			all.at[all.n++] = defaults[i];
	for (size_t i = 0; i < c->sysctls.n; i++)
		all.at[all.n++] = c->sysctls.at[i];
	return all;
}
