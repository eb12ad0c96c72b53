/* seccomp.c - see seccomp.h. Specs: NRI's api.proto, LinuxSeccomp; OCI runtime-spec config-linux.md, "Seccomp". */
#include "handlers/nri/seccomp.h"

#include <stdbool.h>
#include <string.h>

#include "reactor/own.h"
#include "reactor/words.h"

static void put(json_t *object, const char *key, json_t *value)
{
	own_must(json_object_set_new_nocheck(object, key, own_must(value)) == 0 ? object : NULL);
}

static void add(json_t *list, json_t *value)
{
	own_must(json_array_append_new(list, own_must(value)) == 0 ? list : NULL);
}

static int bad(struct err *e, const char *what, const char *value)
{
	return err_set(e, ERR_INVALID_ARGUMENT, "seccomp_policy: %s \"%.100s\"", what, value);
}

/* Words of letters, digits and _ with that begin, as all of seccomp's are. */
static bool is_word(const char *word, const char *begin)
{
	size_t n = strlen(begin);

	return strncmp(word, begin, n) == 0 && word[n] &&
	       !word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")];
}

static int put_words(json_t *to, const char *key, char **list, size_t n, const char *begin, struct err *e)
{
	json_t *words = own_must(json_array());

	put(to, key, words);
	for (size_t i = 0; i < n; i++) {
		if (!is_word(list[i], begin))
			return bad(e, key, list[i]);
		add(words, json_string(list[i]));
	}
	return 0;
}

static int put_action(json_t *to, const char *key, const char *action, struct err *e)
{
	static const char *const actions[] = { "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
					       "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO", "SCMP_ACT_TRACE", "SCMP_ACT_ALLOW",
					       "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", NULL };

	if (!word_is_one_of(action, actions))
		return bad(e, key, action);
	put(to, key, json_string(action));
	return 0;
}

static int add_arg(json_t *list, const Nri__LinuxSeccompArg *arg, struct err *e)
{
	static const char *const ops[] = { "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE",
					   "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ", NULL };

	if (arg->index > 5 || !word_is_one_of(arg->op, ops))
		return bad(e, "an argument of a call: op", arg->op);
	if (arg->value > INT64_MAX || arg->value_two > INT64_MAX)
		return bad(e, "an argument of a call: a value above 2^63-1, op", arg->op);
	add(list, json_pack("{s:I,s:I,s:I,s:s}", "index", (json_int_t)arg->index, "value", (json_int_t)arg->value,
			    "valueTwo", (json_int_t)arg->value_two, "op", arg->op));
	return 0;
}

static int add_call(json_t *list, const Nri__LinuxSyscall *call, struct err *e)
{
	json_t *out = own_must(json_object()), *args;

	add(list, out);
	if (!call->n_names)
		return bad(e, "a rule without names: action", call->action);
	if (put_words(out, "names", call->names, call->n_names, "", e) < 0 ||
	    put_action(out, "action", call->action, e) < 0)
		return -1;
	if (call->errno_ret)
		put(out, "errnoRet", json_integer(call->errno_ret->value));
	if (!call->n_args)
		return 0;
	put(out, "args", args = json_array());
	for (size_t i = 0; i < call->n_args; i++)
		if (add_arg(args, call->args[i], e) < 0)
			return -1;
	return 0;
}

static int put_listener(json_t *to, const Nri__LinuxSeccomp *in, struct err *e)
{
	json_t *path = json_string(in->listener_path), *metadata = json_string(in->listener_metadata);
	bool good = path && metadata && (*in->listener_path == '/' || (!*in->listener_path && !*in->listener_metadata));

	if (good && *in->listener_path)
		put(to, "listenerPath", json_incref(path));
	if (good && *in->listener_metadata)
		put(to, "listenerMetadata", json_incref(metadata));
	json_decref(path);
	json_decref(metadata);
	return good ? 0 : bad(e, "listener_path or listener_metadata", in->listener_path);
}

static int fill(json_t *out, const Nri__LinuxSeccomp *in, struct err *e)
{
	json_t *calls;

	if (put_action(out, "defaultAction", in->default_action, e) < 0)
		return -1;
	if (in->default_errno)
		put(out, "defaultErrnoRet", json_integer(in->default_errno->value));
	if (in->n_architectures &&
	    put_words(out, "architectures", in->architectures, in->n_architectures, "SCMP_ARCH_", e) < 0)
		return -1;
	if (in->n_flags && put_words(out, "flags", in->flags, in->n_flags, "SECCOMP_FILTER_FLAG_", e) < 0)
		return -1;
	put(out, "syscalls", calls = json_array());
	for (size_t i = 0; i < in->n_syscalls; i++)
		if (add_call(calls, in->syscalls[i], e) < 0)
			return -1;
	return put_listener(out, in, e);
}

json_t *nri_seccomp(const Nri__LinuxSeccomp *in, struct err *e)
{
	auto_json json_t *out = own_must(json_object());

	return fill(out, in, e) < 0 ? NULL : take_ptr(&out);
}
