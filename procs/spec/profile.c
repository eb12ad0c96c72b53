/* profile.c - reads a seccomp profile file of the node and converts it to OCI's form.
 *
 * The file has OCI's form or the engines' form (docker, podman). The latter adds archMap, `name` for a single call, and
 * for each rule `includes` and `excludes` by capability, architecture and kernel version, which are evaluated here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "procs/spec/part.h"
#include "reactor/buf.h"

enum { PROFILE_MAX = 1 << 20 };

#if defined(__x86_64__)
#define NATIVE	     "SCMP_ARCH_X86_64"
#define NATIVE_SHORT "amd64"
#elif defined(__aarch64__)
#define NATIVE	     "SCMP_ARCH_AARCH64"
#define NATIVE_SHORT "arm64"
#elif defined(__powerpc64__)
#define NATIVE	     "SCMP_ARCH_PPC64LE"
#define NATIVE_SHORT "ppc64le"
#elif defined(__s390x__)
#define NATIVE	     "SCMP_ARCH_S390X"
#define NATIVE_SHORT "s390x"
#elif defined(__riscv)
#define NATIVE	     "SCMP_ARCH_RISCV64"
#define NATIVE_SHORT "riscv64"
#endif

const char *spec_native_arch(void)
{
	return NATIVE;
}

static bool profile_has(const json_t *array, const char *want)
{
	size_t i;
	json_t *v;

	json_array_foreach(array, i, v)
		if (json_is_string(v) && strcmp(json_string_value(v), want) == 0)
			return true;
	return false;
}

static bool kernel_at_least(const char *version, const struct spec_host *host)
{
	char *end;
	unsigned long major = strtoul(version, &end, 10), minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;

	return host->kernel_major != major ? host->kernel_major > major : host->kernel_minor >= minor;
}

/* How many of the named capabilities are in caps. `includes` needs all of them, `excludes` none. */
static size_t caps_there(const json_t *names, uint64_t caps)
{
	size_t i, there = 0;
	json_t *v;

	json_array_foreach(names, i, v) {
		int n = json_is_string(v) ? spec_cap_number(json_string_value(v)) : -1;

		there += n >= 0 && (caps & CAP(n));
	}
	return there;
}

static bool applies(const json_t *rule, uint64_t caps, const struct spec_host *host)
{
	const json_t *in = json_object_get(rule, "includes"), *ex = json_object_get(rule, "excludes");
	const json_t *arches = json_object_get(in, "arches"), *in_caps = json_object_get(in, "caps");
	const char *since = json_string_value(json_object_get(in, "minKernel"));
	const char *until = json_string_value(json_object_get(ex, "minKernel"));

	if (json_array_size(arches) && !profile_has(arches, NATIVE_SHORT))
		return false;
	if (caps_there(in_caps, caps) != json_array_size(in_caps) || (since && !kernel_at_least(since, host)))
		return false;
	return !profile_has(json_object_get(ex, "arches"), NATIVE_SHORT) &&
	       !caps_there(json_object_get(ex, "caps"), caps) && !(until && kernel_at_least(until, host));
}

/* Copies only the members in `keys`, which are OCI's. */
static void profile_copy(json_t *to, const json_t *from, const char *const *keys)
{
	for (; *keys; keys++) {
		json_t *v = json_object_get(from, *keys);

		if (v && !json_is_null(v))
			spec_put(to, *keys, json_incref(v));
	}
}

static int profile_add_rule(json_t *calls, const json_t *rule, struct err *e)
{
	static const char *const keys[] = { "names", "action", "errnoRet", "args", NULL };
	const json_t *one = json_object_get(rule, "name");
	json_t *out;

	if (!json_is_string(json_object_get(rule, "action")))
		return err_set(e, ERR_INVALID_ARGUMENT, "a rule of syscalls has no action");
	if (!json_is_string(one) && !json_is_array(json_object_get(rule, "names")))
		return err_set(e, ERR_INVALID_ARGUMENT, "a rule of syscalls names no system call");
	out = own_must(json_object());
	profile_copy(out, rule, keys);
	if (json_is_string(one))
		spec_put(out, "names", json_pack("[O]", one));
	spec_add(calls, out);
	return 0;
}

/* archMap: [{architecture, subArchitectures}]; only the entry of this machine is used. */
static void profile_architectures(json_t *out, const json_t *j)
{
	const json_t *map = json_object_get(j, "archMap");
	size_t i;
	json_t *v;

	if (json_array_size(map) == 0)
		return;
	json_array_foreach(map, i, v) {
		const char *name = json_string_value(json_object_get(v, "architecture"));
		json_t *all;

		if (!name || strcmp(name, NATIVE) != 0)
			continue;
		all = own_must(json_array());
		spec_add(all, spec_str(name));
		if (json_is_array(json_object_get(v, "subArchitectures")))
			json_array_extend(all, json_object_get(v, "subArchitectures"));
		spec_put(out, "architectures", all);
		return;
	}
}

static int profile_convert(const json_t *j, uint64_t caps, const struct spec_host *host, json_t **out, struct err *e)
{
	static const char *const keys[] = {
		"defaultAction", "defaultErrnoRet", "architectures", "flags", "listenerPath", "listenerMetadata", NULL
	};
	const json_t *rules = json_object_get(j, "syscalls");
	auto_json json_t *made = own_must(json_object());
	json_t *calls = own_must(json_array());
	size_t i;
	json_t *rule;

	spec_put(made, "syscalls", calls);
	if (!json_is_string(json_object_get(j, "defaultAction")))
		return err_set(e, ERR_INVALID_ARGUMENT, "no defaultAction");
	if (rules && !json_is_array(rules) && !json_is_null(rules))
		return err_set(e, ERR_INVALID_ARGUMENT, "syscalls is not a list");
	profile_copy(made, j, keys);
	profile_architectures(made, j);
	json_array_foreach(rules, i, rule)
		if (applies(rule, caps, host) && profile_add_rule(calls, rule, e) < 0)
			return -1;
	*out = take_ptr(&made);
	return 0;
}

static int read_whole(struct lookup *lookup, const char *path, struct buf *b, struct err *e)
{
	struct looked *f = lookup_get(lookup, LOOKUP_TEXT, path, e);
	ssize_t n;

	if (!f)
		return -1;
	if (f->error) {
		errno = f->error;
		return err_os(e, ERR_INVALID_ARGUMENT, "open");
	}
	if (!S_ISREG(f->mode))
		return err_set(e, ERR_INVALID_ARGUMENT, "not a regular file");
	while ((n = buf_read(b, f->fd, PROFILE_MAX)) > 0)
		if (b->len > PROFILE_MAX)
			return err_set(e, ERR_INVALID_ARGUMENT, "larger than %d bytes", PROFILE_MAX);
	return n < 0 ? err_os(e, ERR_INVALID_ARGUMENT, "read") : 0;
}

int spec_profile_load(struct lookup *lookup, const char *path, uint64_t caps, const struct spec_host *host,
		      json_t **out, struct err *e)
{
	auto_json json_t *j = NULL;
	struct buf b = { 0 };
	int bad = -1;

	if (path[0] != '/')
		return err_set(e, ERR_INVALID_ARGUMENT, "seccomp profile \"%s\": not an absolute path", path);
	if (read_whole(lookup, path, &b, e) == 0 && (j = json_parse((const char *)b.at, b.len, "parse", e)) != NULL)
		bad = profile_convert(j, caps, host, out, e);
	buf_free(&b);
	if (bad) {
		e->code = ERR_INVALID_ARGUMENT;
		return err_wrap(e, "seccomp profile \"%s\"", path);
	}
	return 0;
}
