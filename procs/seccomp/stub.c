/* stub.c - see stub.h. */
#include "procs/seccomp/stub.h"

#include <ctype.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { ARCHES_MAX = 32, X32_BIT = 0x40000000 };

struct stub {
	struct sock_filter *at;
	size_t n;
};

static void put(struct stub *s, uint16_t code, uint8_t yes, uint8_t no, uint32_t k)
{
	s->at[s->n++] = (struct sock_filter){ code, yes, no, k };
}

/* The largest number of a call that the profile names, for this architecture; -1: it names none. */
static int64_t last_call(const json_t *profile, uint32_t arch)
{
	int64_t last = -1;
	size_t i, k;
	json_t *rule, *name;

	json_array_foreach(json_object_get(profile, "syscalls"), i, rule)
		json_array_foreach(json_object_get(rule, "names"), k, name) {
			int nr = json_is_string(name)
					 ? seccomp_syscall_resolve_name_arch(arch, json_string_value(name)) : -1;

			if (nr > last)
				last = nr;
		}
	return last;
}

static uint32_t arch_token(const char *name)
{
	char lower[32] = "";

	if (strncmp(name, "SCMP_ARCH_", 10) != 0 || strlen(name + 10) >= sizeof(lower))
		return 0;
	for (size_t i = 0; name[10 + i]; i++)
		lower[i] = (char)tolower((unsigned char)name[10 + i]);
	return seccomp_arch_resolve_name(lower);
}

/* Those of the profile and the machine's own, each once. */
static size_t arches_of(const json_t *profile, uint32_t *out)
{
	size_t n = 0, i;
	json_t *v;

	out[n++] = seccomp_arch_native();
	json_array_foreach(json_object_get(profile, "architectures"), i, v) {
		uint32_t token = json_is_string(v) ? arch_token(json_string_value(v)) : 0;
		bool seen = !token || n == ARCHES_MAX;

		for (size_t k = 0; k < n; k++)
			seen |= out[k] == token;
		if (!seen)
			out[n++] = token;
	}
	return n;
}

/* A has the architecture before and, when it is another one, behind. The jump to the filter is filled in at the end. */
static void put_arch(struct stub *s, uint32_t arch, int64_t last, int64_t last_x32)
{
	const uint16_t load = BPF_LD | BPF_W | BPF_ABS, more = BPF_JMP | BPF_JGT | BPF_K;
	bool x86_64 = arch == SCMP_ARCH_X86_64, x32 = x86_64 && last_x32 >= 0;

	put(s, BPF_JMP | BPF_JEQ | BPF_K, 0, x32 ? 6 : x86_64 ? 5 : 4, arch);
	put(s, load, 0, 0, offsetof(struct seccomp_data, nr));
	/* The calls of x32 have the same architecture. A profile that does not name x32 leaves them to the filter,
	 * which ends the process. */
	if (x32) {
		put(s, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
		put(s, more, 1, 2, (uint32_t)last_x32);
	} else if (x86_64) {
		put(s, BPF_JMP | BPF_JGE | BPF_K, 2, 0, X32_BIT);
	}
	put(s, more, 0, 1, (uint32_t)last);
	put(s, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
	put(s, BPF_JMP | BPF_JA, 0, 0, 0);
}

/* runc's conditions: a profile that allows, or only logs or traces, what it does not name has no need of it. */
static bool is_wanted(const json_t *profile)
{
	static const char *const permissive[] = { "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE" };
	const char *action = json_string_value(json_object_get(profile, "defaultAction"));
	const json_t *ret = json_object_get(profile, "defaultErrnoRet");

	for (size_t i = 0; i < sizeof(permissive) / sizeof(*permissive); i++)
		if (!action || strcmp(action, permissive[i]) == 0)
			return false;
	return !(json_is_integer(ret) && json_integer_value(ret) == ENOSYS);
}

size_t seccomp_stub(const json_t *profile, struct sock_filter out[SECCOMP_STUB_MAX])
{
	uint32_t arches[ARCHES_MAX];
	struct stub s = { out, 0 };
	size_t n;
	int64_t x32 = -1;

	if (!is_wanted(profile))
		return 0;
	n = arches_of(profile, arches);
	for (size_t i = 0; i < n; i++)
		if (arches[i] == SCMP_ARCH_X32)
			x32 = last_call(profile, SCMP_ARCH_X32);
	put(&s, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	for (size_t i = 0; i < n; i++) {
		int64_t last = arches[i] == SCMP_ARCH_X32 ? -1 : last_call(profile, arches[i]);

		if (last >= 0)
			put_arch(&s, arches[i], last, x32);
	}
	for (size_t i = 0; i < s.n; i++)
		if (out[i].code == (BPF_JMP | BPF_JA))
			out[i].k = (uint32_t)(s.n - i - 1);
	return s.n;
}
