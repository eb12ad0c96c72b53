/* ns_request.c - see ns_request.h. */
#include "procs/keeper/ns_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procs/keeper/proto.h"

/* sysctl(8): the first of '.' and '/' in a key is its separator; the other character is then part of a component. */
void ns_sysctl_path(char *out, size_t size, const char *key)
{
	bool dots = key[strcspn(key, "./")] == '.';
	int n = snprintf(out, size, "/proc/sys/");

	for (; *key && (size_t)n < size - 1; key++)
		out[n++] = !dots ? *key : *key == '.' ? '/' : *key == '/' ? '.' : *key;
	out[n] = '\0';
}

/* Does the parameter belong to one of the new namespaces? Any other parameter would change the host. */
static bool sysctl_belongs(const char *key, uint32_t bits)
{
	static const struct {
		const char *prefix;
		uint32_t bit;
	} owners[] = {
		{ "net/", KEEPER_NS_NET }, { "kernel/shm", KEEPER_NS_IPC }, { "kernel/msg", KEEPER_NS_IPC },
		{ "kernel/sem", KEEPER_NS_IPC }, { "fs/mqueue/", KEEPER_NS_IPC },
	};
	char path[512];

	if (strlen(key) > 255) /* the API server admits 253 */
		return false;
	ns_sysctl_path(path, sizeof(path), key);
	if (strstr(path, "/../") || strstr(path, "//"))
		return false;
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
		if (bits & owners[i].bit &&
		    strncmp(path + strlen("/proc/sys/"), owners[i].prefix, strlen(owners[i].prefix)) == 0)
			return true;
	return false;
}

int ns_sysctls_check(const char *const *sysctls, uint32_t bits, struct err *e)
{
	for (const char *const *s = sysctls; s && s[0]; s += 2) {
		if (!s[1])
			return err_set(e, ERR_INVALID_ARGUMENT, "sysctl %s has no value", s[0]);
		if (!sysctl_belongs(s[0], bits))
			return err_set(e, ERR_INVALID_ARGUMENT, "sysctl %s belongs to none of the new namespaces",
				       s[0]);
	}
	return 0;
}

int ns_request_get(struct ns_make *r, const struct imsg *m, struct err *e)
{
	struct get g = get_from(m);

	*r = (struct ns_make){ .id = get_str(&g) };
	r->bits = get_u32(&g);
	r->path = get_str(&g);
	r->hostname = get_str(&g);
	r->sysctls = get_strv(&g);
	r->uid_map = get_str(&g);
	r->gid_map = get_str(&g);
	if (g.bad || g.at != g.end || !r->id || strlen(r->id) > 128 || !r->bits || r->bits >= KEEPER_NS_END ||
	    (r->path && (r->path[0] != '/' || !(r->bits & KEEPER_NS_NET) || strlen(r->path) > NS_PATH_MAX)) ||
	    (r->hostname && !(r->bits & KEEPER_NS_UTS)) || !r->uid_map != !(r->bits & KEEPER_NS_USER) ||
	    !r->gid_map != !r->uid_map)
		return err_set(e, ERR_INVALID_ARGUMENT, "malformed request for namespaces");
	return ns_sysctls_check(r->sysctls, r->bits, e);
}

void ns_request_free(struct ns_make *r)
{
	free(r->sysctls);
	r->sysctls = NULL;
}
