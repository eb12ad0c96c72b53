/* making.c - native.h: the compiler's memory, and the parts of a plan that every process has. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "procs/native/native.h"
#include "procs/spec.h"
#include "reactor/base64.h"
#include "reactor/own.h"

void making_begin(struct making *m, enum plan_kind kind, struct arena *arena, const char *group)
{
	*m = (struct making){ .head = { .magic = PLAN_MAGIC, .version = PLAN_VERSION, .kind = kind }, .arena = arena,
			      .group = group };
	buf_append(&m->bytes, &m->head, sizeof(m->head));
}

void making_free(struct making *m)
{
	buf_free(&m->bytes);
}

uint32_t making_text(struct making *m, const char *text)
{
	uint32_t at = (uint32_t)m->bytes.len;

	if (!text)
		return 0;
	buf_append(&m->bytes, text, strlen(text) + 1);
	return at;
}

struct plan_list making_list(struct making *m, const void *records, size_t n, size_t size)
{
	static const char zeroes[8];
	struct plan_list list;

	if (!n)
		return (struct plan_list){ 0 };
	buf_append(&m->bytes, zeroes, -m->bytes.len % 8);
	list = (struct plan_list){ (uint32_t)m->bytes.len, (uint32_t)n };
	buf_append(&m->bytes, records, n * size);
	return list;
}

struct plan_list making_texts(struct making *m, const json_t *strings)
{
	size_t n = json_array_size(strings);
	uint32_t *at = arena_zalloc(m->arena, (n + 1) * sizeof(*at));

	for (size_t i = 0; i < n; i++)
		at[i] = making_text(m, json_string_value(json_array_get(strings, i)));
	return making_list(m, at, n, sizeof(*at));
}

/* With the end that execve(2) wants, which the list does not count. `more`: NULL, or a word that the list has last. */
static struct plan_list making_words(struct making *m, const json_t *strings, const char *more,
				     struct plan_list *with_more)
{
	size_t n = json_array_size(strings);
	union plan_word *at = arena_zalloc(m->arena, (n + 2) * sizeof(*at));
	struct plan_list list;

	for (size_t i = 0; i < n; i++)
		at[i].at = making_text(m, json_string_value(json_array_get(strings, i)));
	list = making_list(m, at, n + 1, sizeof(*at));
	list.n--;
	if (!more)
		return list;
	at[n].at = making_text(m, more);
	*with_more = making_list(m, at, n + 2, sizeof(*at));
	with_more->n--;
	return list;
}

int making_end(struct making *m, struct err *e)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	auto_fd int fd = -1;

	buf_append(&m->bytes, "", 1);
	if (m->bytes.len > PLAN_MAX)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "config.json is too large: the plan has %zu bytes",
			       m->bytes.len);
	m->head.size = (uint32_t)m->bytes.len;
	memcpy(m->bytes.at, &m->head, sizeof(m->head));
	fd = memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || write(fd, m->bytes.at, m->bytes.len) != (ssize_t)m->bytes.len ||
	    fcntl(fd, F_ADD_SEALS, seals) < 0)
		return err_os(e, ERR_RESOURCE_EXHAUSTED, "write the plan");
	return take_fd(&fd);
}

/* ---- process ---- */

static uint32_t number_of(const json_t *object, const char *key)
{
	return (uint32_t)json_integer_value(json_object_get(object, key));
}

static void plan_user(struct making *m, const json_t *user)
{
	const json_t *groups = json_object_get(user, "additionalGids");
	size_t n = json_array_size(groups);
	uint32_t *ids = arena_zalloc(m->arena, (n + 1) * sizeof(*ids));

	m->head.uid = number_of(user, "uid");
	m->head.gid = number_of(user, "gid");
	for (size_t i = 0; i < n; i++)
		ids[i] = (uint32_t)json_integer_value(json_array_get(groups, i));
	m->head.groups = making_list(m, ids, n, sizeof(*ids));
}

static void plan_caps(struct making *m, const json_t *caps)
{
	m->head.bounding = spec_caps_of(json_object_get(caps, "bounding"));
	m->head.effective = spec_caps_of(json_object_get(caps, "effective"));
	m->head.permitted = spec_caps_of(json_object_get(caps, "permitted"));
	m->head.inheritable = spec_caps_of(json_object_get(caps, "inheritable"));
	m->head.ambient = spec_caps_of(json_object_get(caps, "ambient"));
}

static struct plan_list plan_args(struct making *m, const json_t *process)
{
	if (json_is_true(json_object_get(process, "terminal")))
		m->head.flags |= PLAN_TERMINAL;
	return making_words(m, json_object_get(process, "args"), NULL, NULL);
}

void plan_words(struct making *m, const json_t *process)
{
	m->head.args = plan_args(m, process);
}

int plan_process(struct making *m, const json_t *process, const char *id, struct err *e)
{
	const json_t *env = json_object_get(process, "env"), *args = json_object_get(process, "args");
	const char *more = spec_exec_variable(process);

	if (!json_array_size(args) || !json_is_array(env) || !json_is_string(json_object_get(process, "cwd")))
		return err_set(e, ERR_INTERNAL, "config.json has no process");
	m->head.args = plan_args(m, process);
	m->head.env = making_words(m, env, more, &m->head.env_terminal);
	m->head.cwd = making_text(m, json_string_value(json_object_get(process, "cwd")));
	m->head.apparmor = making_text(m, json_string_value(json_object_get(process, "apparmorProfile")));
	m->head.selinux = making_text(m, json_string_value(json_object_get(process, "selinuxLabel")));
	m->head.keyring = making_text(m, arena_printf(m->arena, "_ses.%s", id));
	m->head.oom_score_adj = (int32_t)json_integer_value(json_object_get(process, "oomScoreAdj"));
	if (json_is_true(json_object_get(process, "noNewPrivileges")))
		m->head.flags |= PLAN_NO_NEW_PRIVS;
	plan_user(m, json_object_get(process, "user"));
	plan_caps(m, json_object_get(process, "capabilities"));
	return 0;
}

/* ---- seccomp ---- */

/* Without flags runc asks for SPEC_ALLOW, and so the speculation mitigations are as before. */
static uint64_t filter_flags(const json_t *flags)
{
	uint64_t bits = json_is_array(flags) ? 0 : SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)flags, i, v) {
		const char *name = json_string_value(v);

		if (name && strcmp(name, "SECCOMP_FILTER_FLAG_LOG") == 0)
			bits |= SECCOMP_FILTER_FLAG_LOG;
		if (name && strcmp(name, "SECCOMP_FILTER_FLAG_SPEC_ALLOW") == 0)
			bits |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
		if (name && strcmp(name, "SECCOMP_FILTER_FLAG_TSYNC") == 0)
			bits |= SECCOMP_FILTER_FLAG_TSYNC;
	}
	return bits;
}

int plan_filter(struct making *m, const json_t *seccomp, const char *base64, struct err *e)
{
	size_t len = strlen(base64);
	unsigned char *code = arena_zalloc(m->arena, len + 1);
	ssize_t n = base64_decode(code, base64, len);

	if (n <= 0 || n % 8 || n / 8 > PLAN_FILTER_MAX)
		return err_set(e, ERR_INTERNAL, "the seccomp filter has %zd bytes", n);
	m->head.filter = making_list(m, code, (size_t)n / 8, sizeof(struct plan_code));
	m->head.filter_flags = filter_flags(json_object_get(seccomp, "flags"));
	m->head.flags |= PLAN_FILTER;
	return 0;
}
