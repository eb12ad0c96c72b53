/* caps.c - process.capabilities: the default set, changed by add and drop.
 *
 * Order of CRI: "ALL" is added, "ALL" is dropped, then single capabilities are added, then single ones dropped. A
 * privileged container has all. "ALL" and the default set are cut to the daemon's own bounding set: a runtime that asks
 * for more fails with EPERM. (ARCHITECTURE P19) */
#include <linux/capability.h>
#include <string.h>
#include <strings.h>

#include "procs/spec/part.h"

/* By number. */
static const char *const spec_cap_names[CAPS] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
	"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
};

/* The default set, as in containerd and docker. */
static const uint64_t default_caps = CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_FSETID) | CAP(CAP_FOWNER) |
				     CAP(CAP_MKNOD) | CAP(CAP_NET_RAW) | CAP(CAP_SETGID) | CAP(CAP_SETUID) |
				     CAP(CAP_SETFCAP) | CAP(CAP_SETPCAP) | CAP(CAP_NET_BIND_SERVICE) |
				     CAP(CAP_SYS_CHROOT) | CAP(CAP_KILL) | CAP(CAP_AUDIT_WRITE);

int spec_cap_number(const char *name)
{
	size_t skip = strncasecmp(name, "CAP_", 4) == 0 ? 4 : 0;

	for (int i = 0; i < CAPS; i++)
		if (strcasecmp(spec_cap_names[i] + 4, name + skip) == 0)
			return i;
	return -1;
}

static bool is_all(const char *name)
{
	return strcasecmp(name, "ALL") == 0 || strcasecmp(name, "CAP_ALL") == 0;
}

/* The set of the list's single names; *all tells whether "ALL" was among them. */
static int list_set(const char *field, const struct strings *list, uint64_t *set, bool *all, struct err *e)
{
	*set = 0;
	*all = false;
	for (size_t i = 0; i < list->n; i++) {
		int n = spec_cap_number(list->at[i]);

		if (is_all(list->at[i]))
			*all = true;
		else if (n < 0)
			return err_set(e, ERR_INVALID_ARGUMENT, "%s: unknown capability \"%s\"", field, list->at[i]);
		else
			*set |= CAP(n);
	}
	return 0;
}

static int may_give(const char *field, uint64_t set, uint64_t ours, struct err *e)
{
	for (int i = 0; i < CAPS; i++)
		if (set & ~ours & CAP(i))
			return err_set(e, ERR_INVALID_ARGUMENT, "%s: %s is not in the runtime's own bounding set",
				       field, spec_cap_names[i]);
	return 0;
}

static json_t *names(uint64_t set)
{
	json_t *a = own_must(json_array());

	for (int i = 0; i < CAPS; i++)
		if (set & CAP(i))
			spec_add(a, spec_str(spec_cap_names[i]));
	return a;
}

uint64_t spec_caps_of(const json_t *list)
{
	uint64_t set = 0;
	size_t i;
	json_t *v;

	json_array_foreach ((json_t *)list, i, v) {
		int n = json_is_string(v) ? spec_cap_number(json_string_value(v)) : -1;

		if (n >= 0)
			set |= CAP(n);
	}
	return set;
}

int spec_caps(struct spec *s, struct err *e)
{
	uint64_t add, drop, ambient, ours = s->host->caps;
	bool add_all, drop_all, ambient_all;
	json_t *caps;

	if (list_set("add_capabilities", &s->sec->add_caps, &add, &add_all, e) < 0 ||
	    list_set("drop_capabilities", &s->sec->drop_caps, &drop, &drop_all, e) < 0 ||
	    list_set("add_ambient_capabilities", &s->sec->add_ambient_caps, &ambient, &ambient_all, e) < 0)
		return -1;
	if (may_give("add_capabilities", add, ours, e) < 0 ||
	    may_give("add_ambient_capabilities", ambient, ours, e) < 0)
		return -1;
	s->caps = default_caps & ours;
	if (add_all)
		s->caps = ours;
	if (drop_all)
		s->caps = 0;
	s->caps = (s->caps | add) & ~drop;
	if (s->sec->privileged)
		s->caps = ours;
	if (ambient_all)
		ambient = s->caps;
	s->caps |= ambient;

	caps = own_must(json_object());
	spec_put(s->process, "capabilities", caps);
	spec_put(caps, "bounding", names(s->caps));
	spec_put(caps, "permitted", names(s->caps));
	spec_put(caps, "effective", names(s->caps));
	if (ambient) {
		/* PR_CAP_AMBIENT_RAISE needs the capability in the inheritable set too. Without ambient ones that
		 * set stays empty (CVE-2022-24769). */
		spec_put(caps, "inheritable", names(ambient));
		spec_put(caps, "ambient", names(ambient));
	}
	return 0;
}
