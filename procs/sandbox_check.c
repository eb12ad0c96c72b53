/* sandbox_check.c - see sandbox_check.h. */
#include "procs/sandbox_check.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "procs/cgroup.h"
#include "procs/network.h"
#include "procs/sandbox_sysctl.h"

enum { HOSTNAME_MAX = 64 };

static int check_namespaces(const struct ns_options *ns, struct err *e)
{
	static const char own_or_node[] = "is neither POD nor NODE";

	if (ns->network != NS_POD && ns->network != NS_NODE)
		return err_set(e, ERR_INVALID_ARGUMENT, "namespace_options.network: %d %s", (int)ns->network,
			       own_or_node);
	if (ns->ipc != NS_POD && ns->ipc != NS_NODE)
		return err_set(e, ERR_INVALID_ARGUMENT, "namespace_options.ipc: %d %s", (int)ns->ipc, own_or_node);
	if (ns->pid == NS_TARGET)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "namespace_options.pid: TARGET is for containers; a sandbox has no container to join");
	if (ns->pid < NS_POD || ns->pid > NS_NODE)
		return err_set(e, ERR_INVALID_ARGUMENT, "namespace_options.pid: unknown mode %d", (int)ns->pid);
	return 0;
}

static int check_mapping(const char *what, const struct id_mappings *m, struct err *e)
{
	if (m->n != 1)
		return err_set(e, ERR_INVALID_ARGUMENT, "userns_options.%s: %zu mappings; exactly one is supported",
			       what, m->n);
	if (m->at[0].length == 0 || m->at[0].container_id != 0)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "userns_options.%s: it must map at least one id, from container id 0 on", what);
	if (m->at[0].length > UINT32_MAX - m->at[0].host_id)
		return err_set(e, ERR_INVALID_ARGUMENT, "userns_options.%s: %u ids from %u on are more than there are",
			       what, m->at[0].length, m->at[0].host_id);
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
		return err_set(e, ERR_INVALID_ARGUMENT, "userns_options.mode: %d is neither POD nor NODE",
			       (int)ns->userns_mode);
	/* The kernel lets a user namespace mount proc and mqueue only if it owns the PID and IPC namespaces shown. */
	if (ns->ipc == NS_NODE || ns->pid == NS_NODE)
		return err_set(e, ERR_INVALID_ARGUMENT, "userns_options: mode POD with the %s namespace of the node",
			       ns->ipc == NS_NODE ? "IPC" : "PID");
	return check_mapping("uids", &ns->uids, e) < 0 ? -1 : check_mapping("gids", &ns->gids, e);
}

/* A sandbox has no process with these ids, but the containers of the pod inherit the kubelet's mistake. */
static int check_ids(const struct security *security, struct err *e)
{
	const struct {
		const char *field;
		const struct opt_i64 *id;
	} ids[] = { { "run_as_user", &security->run_as_user }, { "run_as_group", &security->run_as_group } };

	for (size_t i = 0; i < 2; i++)
		if (ids[i].id->set && !id_valid(ids[i].id->value))
			return err_set(e, ERR_INVALID_ARGUMENT, "%s: %lld is not in 0..4294967294", ids[i].field,
				       (long long)ids[i].id->value);
	for (size_t i = 0; i < security->supplemental_groups.n; i++)
		if (!id_valid(security->supplemental_groups.at[i]))
			return err_set(e, ERR_INVALID_ARGUMENT, "supplemental_groups: %lld is not a group id",
				       (long long)security->supplemental_groups.at[i]);
	return 0;
}

static int check_ports(const struct sandbox_config *c, struct err *e)
{
	for (size_t i = 0; i < c->ports.n; i++) {
		const struct port_mapping *p = &c->ports.at[i];
		unsigned char raw[sizeof(struct in6_addr)];

		if (p->protocol < PROTOCOL_TCP || p->protocol > PROTOCOL_SCTP)
			return err_set(e, ERR_INVALID_ARGUMENT, "port_mappings[%zu].protocol: unknown number %d", i,
				       (int)p->protocol);
		if (p->container_port < 0 || p->container_port > 65535)
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "port_mappings[%zu].container_port: %d is not a port number", i,
				       (int)p->container_port);
		if (p->host_port < 0 || p->host_port > 65535)
			return err_set(e, ERR_INVALID_ARGUMENT, "port_mappings[%zu].host_port: %d is not a port number",
				       i, (int)p->host_port);
		if (p->host_ip[0] && inet_pton(strchr(p->host_ip, ':') ? AF_INET6 : AF_INET, p->host_ip, raw) != 1)
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "port_mappings[%zu].host_ip: \"%.64s\" is not an IP address",
				       i, p->host_ip);
	}
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

int sandbox_check(const struct sandbox_config *c, struct err *e)
{
	const struct ns_options *ns = &c->security.ns;

	if (check_namespaces(ns, e) < 0 || check_userns(ns, e) < 0 || check_ids(&c->security, e) < 0 ||
	    check_ports(c, e) < 0)
		return -1;
	if (strlen(c->hostname) > HOSTNAME_MAX || has_control(c->hostname))
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "hostname: \"%.80s\" is longer than %d bytes or has a control character",
			       c->hostname, HOSTNAME_MAX);
	if (sandbox_sysctls_check(c, e) < 0)
		return -1;
	if (check_dns("servers", &c->dns.servers, e) < 0 || check_dns("searches", &c->dns.searches, e) < 0 ||
	    check_dns("options", &c->dns.options, e) < 0)
		return -1;
	if (cgroup_check_parent(c->cgroup_parent, e) < 0)
		return -1;
	return ns->network == NS_NODE ? 0 : network_check(c, e);
}
