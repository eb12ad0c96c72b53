/* compile.c - see compile.h. */
#include "procs/seccomp/compile.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "procs/seccomp/stub.h"
#include "reactor/own.h"

enum { ARGS_MAX = 6, OPTIMIZE_BY_TREE = 2 };

struct filter {
	scmp_filter_ctx ctx;
	uint32_t default_action;
};

static int text_of(const json_t *o, const char *key, const char **out, struct err *e)
{
	*out = json_string_value(json_object_get(o, key));
	return *out ? 0 : err_set(e, ERR_INVALID_ARGUMENT, "%s: not a string", key);
}

static int number_of(const json_t *o, const char *key, json_int_t otherwise, json_int_t *out, struct err *e)
{
	const json_t *v = json_object_get(o, key);

	*out = v ? json_integer_value(v) : otherwise;
	return !v || json_is_integer(v) ? 0 : err_set(e, ERR_INVALID_ARGUMENT, "%s: not an integer", key);
}

static int action_of(const json_t *o, const char *key, const char *errno_key, uint32_t *out, struct err *e)
{
	static const struct {
		const char *name;
		uint32_t action;
	} plain[] = {
		{ "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW },		    { "SCMP_ACT_KILL", SCMP_ACT_KILL },
		{ "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD },   { "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS },
		{ "SCMP_ACT_TRAP", SCMP_ACT_TRAP },		    { "SCMP_ACT_LOG", SCMP_ACT_LOG },
	};
	const char *name;
	json_int_t ret;

	if (text_of(o, key, &name, e) < 0 || number_of(o, errno_key, EPERM, &ret, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (strcmp(name, plain[i].name) == 0) {
			*out = plain[i].action;
			return 0;
		}
	if (ret < 0 || ret > 0xffff || (strcmp(name, "SCMP_ACT_ERRNO") != 0 && strcmp(name, "SCMP_ACT_TRACE") != 0))
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: %.64s", key, name);
	*out = strcmp(name, "SCMP_ACT_ERRNO") == 0 ? SCMP_ACT_ERRNO((uint32_t)ret) : SCMP_ACT_TRACE((uint32_t)ret);
	return 0;
}

/* ---- architectures ---- */

static int add_architecture(struct filter *f, const char *name, struct err *e)
{
	char lower[32] = "";
	uint32_t token;
	int rc;

	if (strncmp(name, "SCMP_ARCH_", 10) == 0 && strlen(name + 10) < sizeof(lower))
		for (size_t i = 0; name[10 + i]; i++)
			lower[i] = (char)(name[10 + i] | ('A' <= name[10 + i] && name[10 + i] <= 'Z' ? 0x20 : 0));
	token = seccomp_arch_resolve_name(lower);
	if (!token)
		return err_set(e, ERR_INVALID_ARGUMENT, "architectures: %.64s", name);
	rc = seccomp_arch_add(f->ctx, token);
	return rc == 0 || rc == -EEXIST ? 0 : err_set(e, ERR_INTERNAL, "add architecture %s: %s", name, strerror(-rc));
}

static int add_architectures(struct filter *f, const json_t *list, struct err *e)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v)
		if (!json_is_string(v) || add_architecture(f, json_string_value(v), e) < 0)
			return json_is_string(v) ? -1 : err_set(e, ERR_INVALID_ARGUMENT, "architectures: not strings");
	return 0;
}

/* ---- rules ---- */

static int comparison(const json_t *o, struct scmp_arg_cmp *out, struct err *e)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} ops[] = {
		{ "SCMP_CMP_NE", SCMP_CMP_NE },
		{ "SCMP_CMP_LT", SCMP_CMP_LT },
		{ "SCMP_CMP_LE", SCMP_CMP_LE },
		{ "SCMP_CMP_EQ", SCMP_CMP_EQ },
		{ "SCMP_CMP_GE", SCMP_CMP_GE },
		{ "SCMP_CMP_GT", SCMP_CMP_GT },
		{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
	};
	json_int_t index, value, value_two;
	const char *name;

	if (text_of(o, "op", &name, e) < 0 || number_of(o, "index", -1, &index, e) < 0 ||
	    number_of(o, "value", 0, &value, e) < 0 || number_of(o, "valueTwo", 0, &value_two, e) < 0)
		return -1;
	for (size_t i = 0; index >= 0 && index < ARGS_MAX && i < sizeof(ops) / sizeof(*ops); i++)
		if (strcmp(name, ops[i].name) == 0) {
			*out = (struct scmp_arg_cmp){ (unsigned)index, ops[i].op, (scmp_datum_t)value,
						      (scmp_datum_t)value_two };
			return 0;
		}
	return err_set(e, ERR_INVALID_ARGUMENT, "args: %.64s of argument %lld", name, (long long)index);
}

/* All comparisons of a rule must hold. libseccomp takes at most one for each argument. */
static int comparisons(const json_t *list, struct scmp_arg_cmp *out, unsigned *n, struct err *e)
{
	unsigned seen = 0;
	size_t i;
	json_t *v;

	*n = 0;
	json_array_foreach(list, i, v) {
		if (i == ARGS_MAX || comparison(v, &out[i], e) < 0)
			return i == ARGS_MAX ? err_set(e, ERR_INVALID_ARGUMENT, "args: more than %d", ARGS_MAX) : -1;
		if (seen & 1U << out[i].arg)
			return err_set(e, ERR_INVALID_ARGUMENT, "args: argument %u twice", out[i].arg);
		seen |= 1U << out[i].arg;
		*n = (unsigned)i + 1;
	}
	return 0;
}

static int filter_add_rule(struct filter *f, const json_t *rule, struct err *e)
{
	struct scmp_arg_cmp args[ARGS_MAX];
	uint32_t action;
	unsigned n;
	size_t i;
	json_t *v;

	if (action_of(rule, "action", "errnoRet", &action, e) < 0 ||
	    comparisons(json_object_get(rule, "args"), args, &n, e) < 0)
		return -1;
	if (action == f->default_action)
		return 0;
	json_array_foreach(json_object_get(rule, "names"), i, v) {
		const char *name = json_string_value(v);
		int number = name ? seccomp_syscall_resolve_name(name) : __NR_SCMP_ERROR, rc;

		if (number == __NR_SCMP_ERROR)
			continue;
		rc = seccomp_rule_add_array(f->ctx, action, number, n, args);
		if (rc < 0)
			return err_set(e, ERR_INTERNAL, "rule for %s: %s", name, strerror(-rc));
	}
	return 0;
}

static int export(struct filter *f, const json_t *profile, struct err *e)
{
	auto_fd int fd = memfd_create("filter", MFD_CLOEXEC);
	struct sock_filter stub[SECCOMP_STUB_MAX];
	size_t n = seccomp_stub(profile, stub);
	int rc;

	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "memfd");
	if (n && write(fd, stub, n * sizeof(*stub)) != (ssize_t)(n * sizeof(*stub)))
		return err_os(e, ERR_INTERNAL, "write the filter");
	rc = seccomp_export_bpf(f->ctx, fd);
	return rc < 0 ? err_set(e, ERR_INTERNAL, "export: %s", strerror(-rc)) : take_fd(&fd);
}

static int build(struct filter *f, const json_t *profile, struct err *e)
{
	size_t i;
	json_t *rule;

	if (add_architectures(f, json_object_get(profile, "architectures"), e) < 0)
		return -1;
	json_array_foreach(json_object_get(profile, "syscalls"), i, rule)
		if (filter_add_rule(f, rule, e) < 0)
			return -1;
	/* As a search tree the filter loads in 175 us instead of 760, and takes fewer steps at every system call. The
	 * result is ignored: libseccomp before 2.5 has no such attribute. */
	seccomp_attr_set(f->ctx, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_BY_TREE);
	return export(f, profile, e);
}

int seccomp_bpf_compile(const json_t *profile, struct err *e)
{
	struct filter f;
	int fd;

	if (json_object_get(profile, "listenerPath"))
		return err_set(e, ERR_INVALID_ARGUMENT, "listenerPath: a listener needs the runtime");
	if (action_of(profile, "defaultAction", "defaultErrnoRet", &f.default_action, e) < 0)
		return -1;
	f.ctx = seccomp_init(f.default_action);
	if (!f.ctx)
		return err_set(e, ERR_INVALID_ARGUMENT, "defaultAction: not for this kernel");
	fd = build(&f, profile, e);
	seccomp_release(f.ctx);
	return fd;
}
