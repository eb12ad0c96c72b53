/* sandbox_sysctl.c - see sandbox_sysctl.h. */
#include "procs/sandbox_sysctl.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reactor/fault.h"
#include "reactor/own.h"

enum { SYSCTL_MAX = 256 }; /* the API server admits names of 253 bytes */

/* sysctl(8): the first of "." and "/" in a name is its separator. `out` gets the name with dots as separators. */
static bool sysctl_dotted(const char *name, char out[SYSCTL_MAX])
{
	bool swap = name[strcspn(name, "./")] == '/';
	size_t i;

	for (i = 0; name[i] && i < SYSCTL_MAX - 1; i++) {
		out[i] = swap && name[i] == '/' ? '.' : swap && name[i] == '.' ? '/' : name[i];
		if ((unsigned char)out[i] <= ' ')
			return false;
	}
	out[i] = '\0';
	/* After the swap "/" stands for a dot inside a component. An empty component or a leading separator would lead
	 * out of /proc/sys. */
	return i > 0 && !name[i] && !strstr(out, "..") && !strstr(out, "//") && out[0] != '.' && out[0] != '/' &&
	       out[i - 1] != '.' && strchr(out, '.');
}

static bool sysctl_is_ipc(const char *name)
{
	return strncmp(name, "kernel.shm", 10) == 0 || strncmp(name, "kernel.msg", 10) == 0 ||
	       strcmp(name, "kernel.sem") == 0 || strncmp(name, "fs.mqueue.", 10) == 0;
}

static int check_sysctl(const struct sandbox_config *c, const struct pair *p, struct err *e)
{
	const struct ns_options *ns = &c->security.ns;
	char name[SYSCTL_MAX];
	bool net, ipc;

	if (!sysctl_dotted(p->key, name))
		return err_set(e, ERR_INVALID_ARGUMENT, "sysctl \"%.100s\" is not a valid name", p->key);
	net = strncmp(name, "net.", 4) == 0;
	ipc = sysctl_is_ipc(name);
	if (!net && !ipc)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "sysctl %.100s belongs to no namespace: it would change the node", name);
	if (net && ns->network == NS_NODE)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "sysctl %.100s with the network of the node: it would change the node", name);
	if (ipc && ns->ipc == NS_NODE)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "sysctl %.100s with the IPC of the node: it would change the node", name);
	return 0;
}

int sandbox_sysctls_check(const struct sandbox_config *c, struct err *e)
{
	for (size_t i = 0; i < c->sysctls.n; i++)
		if (check_sysctl(c, &c->sysctls.at[i], e) < 0)
			return -1;
	return 0;
}

/* net.<family>.conf.<interface>.* and net.<family>.neigh.<interface>.*, without the interfaces of every namespace. */
static bool sysctl_is_late(const struct pair *p)
{
	static const char *const always[] = { "all.", "default.", "lo." };
	char name[SYSCTL_MAX];
	const char *conf, *neigh, *at;

	if (!sysctl_dotted(p->key, name))
		return false;
	conf = strstr(name, ".conf.");
	neigh = strstr(name, ".neigh.");
	at = conf ? conf + strlen(".conf.") : neigh ? neigh + strlen(".neigh.") : NULL;
	if (!at)
		return false;
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (strncmp(at, always[i], strlen(always[i])) == 0)
			return false;
	return true;
}

static bool asked_for(const struct pairs *sysctls, const char *name)
{
	char given[SYSCTL_MAX];

	for (size_t i = 0; i < sysctls->n; i++)
		if (sysctl_dotted(sysctls->at[i].key, given) && strcmp(given, name) == 0)
			return true;
	return false;
}

/* GID_T_MAX in net/ipv4/sysctl_net_ipv4.c. */
static const char ping_groups[] = "net.ipv4.ping_group_range";
const char *const sandbox_sysctl_defaults[] = {
	"net.ipv4.ip_unprivileged_port_start", "0", ping_groups, "0 2147483647", NULL
};

/* The last group of the range must be mapped in the user namespace. */
static const char *default_value(const char *const *sysctl, const struct ns_options *ns, struct arena *a)
{
	if (sysctl[0] == ping_groups && ns_has_user(ns) && ns->gids.at[0].length <= INT32_MAX)
		return arena_printf(a, "0 %u", ns->gids.at[0].length - 1);
	return sysctl[1];
}

struct pairs sandbox_sysctls(const struct sandbox_config *c, struct arena *a)
{
	struct pairs all = { arena_zalloc(a, (c->sysctls.n + 2) * sizeof(*all.at)), 0 };

	for (const char *const *s = sandbox_sysctl_defaults; s[0] && c->security.ns.network != NS_NODE; s += 2)
		if (!asked_for(&c->sysctls, s[0]))
			all.at[all.n++] = (struct pair){ s[0], default_value(s, &c->security.ns, a) };
	for (size_t i = 0; i < c->sysctls.n; i++)
		if (!sysctl_is_late(&c->sysctls.at[i]))
			all.at[all.n++] = c->sysctls.at[i];
	return all;
}

static int sysctl_set(const struct pair *p, struct err *e)
{
	char path[SYSCTL_MAX + 16] = "/proc/sys/", *at = path + 10;
	auto_fd int fd = -1;

	sysctl_dotted(p->key, at);
	for (; *at; at++)
		*at = *at == '.' ? '/' : *at == '/' ? '.' : *at;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || EFFECT(write(fd, p->value, strlen(p->value))) != (ssize_t)strlen(p->value))
		return err_os(e, ERR_INVALID_ARGUMENT, "sysctl %.100s", p->key);
	return 0;
}

int sandbox_sysctls_late(const struct sandbox_config *c, const char *netns_path, struct err *e)
{
	auto_fd int ours = -1, theirs = -1;
	int ret = 0;

	for (size_t i = 0; i < c->sysctls.n && ret == 0; i++) {
		if (!sysctl_is_late(&c->sysctls.at[i]))
			continue;
		if (ours < 0) {
			ours = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
			theirs = open(netns_path, O_RDONLY | O_CLOEXEC);
			if (ours < 0 || theirs < 0 || setns(theirs, CLONE_NEWNET) < 0)
				return err_os(e, ERR_INTERNAL, "enter the network namespace %s", netns_path);
		}
		ret = sysctl_set(&c->sysctls.at[i], e);
	}
	/* A daemon that stayed in a pod's network namespace would be worse than one that is started again. */
	if (ours >= 0 && setns(ours, CLONE_NEWNET) < 0)
		abort();
	return ret;
}
