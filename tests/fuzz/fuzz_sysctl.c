/* fuzz_sysctl.c - a client's names of kernel parameters, one a line.
 *
 * The first byte selects the namespaces. A name that is accepted stays below /proc/sys/net or is one of IPC, and never
 * changes the node. Each parameter is set either with the namespaces or late. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "procs/sandbox_sysctl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MANY = 16 };

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* The file below /proc/sys, by the rule of sysctl(8): the first of "." and "/" is the separator. */
static char *path_of(struct arena *a, const char *name)
{
	char *path = arena_strdup(a, name), separator = name[strcspn(name, "./")];

	for (char *c = path; *c && separator == '.'; c++)
		*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
	return path;
}

static void check_path(const char *path, const struct ns_options *ns)
{
	static const char *const ipc[] = { "kernel/shm", "kernel/msg", "kernel/sem", "fs/mqueue/" };
	bool of_ipc = false;

	for (size_t i = 0; i < sizeof(ipc) / sizeof(ipc[0]); i++)
		of_ipc |= strncmp(path, ipc[i], strlen(ipc[i])) == 0;
	must(strncmp(path, "net/", 4) == 0 ? ns->network != NS_NODE : of_ipc && ns->ipc != NS_NODE);
	must(strlen(path) < 256 && !strstr(path, "//") && path[strlen(path) - 1] != '/');
	for (const char *at = path; at; at = strchr(at, '/')) {
		at += *at == '/';
		must(strncmp(at, "..", 2) != 0);
	}
	for (; *path; path++)
		must((unsigned char)*path > ' ');
}

static bool has(const struct pairs *list, const char *key)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].key == key)
			return true;
	return false;
}

static void check_early(struct arena *a, const struct sandbox_config *c)
{
	static const char *const defaults[] = { "net/ipv4/ip_unprivileged_port_start", "net/ipv4/ping_group_range" };
	struct pairs early = sandbox_sysctls(c, a);
	size_t kept = 0, given = 0;
	struct err e;

	for (size_t i = 0; i < c->sysctls.n; i++)
		kept += has(&early, c->sysctls.at[i].key);
	/* The namespace does not exist, so a late parameter fails before anything is set. */
	if (sandbox_sysctls_late(c, "/nowhere/netns", &e) == 0)
		must(kept == c->sysctls.n);
	else
		must(kept < c->sysctls.n && e.code == ERR_INTERNAL);
	for (size_t i = 0; i < 2; i++) {
		size_t times = 0;

		for (size_t k = 0; k < c->sysctls.n; k++)
			given += strcmp(path_of(a, c->sysctls.at[k].key), defaults[i]) == 0;
		for (size_t k = 0; k < early.n; k++)
			times += strcmp(path_of(a, early.at[k].key), defaults[i]) == 0;
		must(c->security.ns.network == NS_NODE ? !times : times > 0);
	}
	must(early.n <= kept + 2 && (!given || early.n < kept + 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sandbox_config c = { 0 };
	struct pair list[MANY];
	struct arena *a;
	struct err e;
	char *text;

	if (!size)
		return 0;
	a = arena_new();
	text = arena_strndup(a, (const char *)data + 1, size - 1);
	c.security.ns.network = data[0] & 1 ? NS_NODE : NS_POD;
	c.security.ns.ipc = data[0] & 2 ? NS_NODE : NS_POD;
	c.sysctls.at = list;
	while (text && c.sysctls.n < MANY)
		list[c.sysctls.n++] = (struct pair){ strsep(&text, "\n"), "1" };
	if (sandbox_sysctls_check(&c, &e) == 0) {
		for (size_t i = 0; i < c.sysctls.n; i++)
			check_path(path_of(a, list[i].key), &c.security.ns);
		check_early(a, &c);
	} else {
		must(e.code == ERR_INVALID_ARGUMENT);
	}
	arena_free(a);
	return 0;
}
