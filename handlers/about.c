/* about.c - see about.h. */
#include "handlers/about.h"

#include <stdio.h>
#include <string.h>

#include "api.pb-c.h"
#include "images/pull.h"
#include "images/ref.h"
#include "procs/container.h"
#include "procs/sandbox.h"
#include "reactor/log.h"
#include "reactor/log_field.h"
#include "reactor/own.h"
#include "reactor/work.h"

enum { NAME_SHOWN = 200 };

#define HEX "0123456789abcdef"

/* ---- a line of the log ---- */

/* Under these keys lines have the id of a container or of a sandbox. */
static const char *const id_keys[] = { "container", "sandbox", "snapshot", "bundle", "cgroup", "id" };

/* A whole id, as paths of bundles and of cgroups have it. */
static bool about_whole_id(const char *text, char id[ID_SHOWN + 1])
{
	while (*(text += strcspn(text, HEX))) {
		size_t n = strspn(text, HEX);

		if (n == ID_SIZE - 1) {
			snprintf(id, ID_SHOWN + 1, "%.*s", ID_SHOWN, text);
			return true;
		}
		text += n;
	}
	return false;
}

static bool about_id(const char *text, char id[ID_SHOWN + 1])
{
	const char *line = text;
	struct log_field f;

	while (log_field_next(&text, &f))
		for (size_t i = 0; i < sizeof(id_keys) / sizeof(*id_keys); i++)
			if (log_field_is(&f, id_keys[i]) && f.value_len >= ID_SHOWN &&
			    strspn(f.value, HEX) == f.value_len) {
				snprintf(id, ID_SHOWN + 1, "%.*s", ID_SHOWN, f.value);
				return true;
			}
	return about_whole_id(line, id);
}

static void about_add(const char *text, char *out, size_t size, const char *key, const char *value)
{
	struct log_field had;
	size_t n = strlen(out);

	if (*value && !log_field_find(text, key, &had))
		snprintf(out + n, size - n, " %s=%s", key, log_quote(value));
}

static void about_names(const char *text, char *out, size_t size)
{
	char id[ID_SHOWN + 1], pod[2 * NAME_SHOWN];
	const struct container *c;
	const struct sandbox *s;
	struct arena *a;

	if (!about_id(text, id))
		return;
	c = container_shown(id);
	s = c ? c->sandbox : sandbox_shown(id);
	if (!s)
		return;
	snprintf(pod, sizeof(pod), "%.150s/%.150s", s->config.namespace_, s->config.name);
	about_add(text, out, size, "pod", pod);
	if (!c)
		return;
	about_add(text, out, size, "container_name", c->config.name);
	a = arena_new();
	about_add(text, out, size, "image", ref_shown(c->image.name, a));
	arena_free(a);
}

const char *about_named(const char *fields, struct arena *a)
{
	char names[3 * NAME_SHOWN] = "";

	about_names(fields, names, sizeof(names));
	return arena_printf(a, "%s%s", fields, names);
}

char *about_container(const struct container *c)
{
	char line[sizeof("container=") + ID_SHOWN], names[3 * NAME_SHOWN] = "";

	snprintf(line, sizeof(line), "container=%.*s", ID_SHOWN, c->id);
	about_names(line, names, sizeof(names));
	return own_must(strdup(names));
}

void about_open(void)
{
	log_names(about_names);
}

/* ---- a request ---- */

static const void *member(const ProtobufCMessage *m, const char *name, ProtobufCType type)
{
	const ProtobufCFieldDescriptor *f = m ? protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name)
					      : NULL;

	if (!f || f->type != type || f->label == PROTOBUF_C_LABEL_REPEATED)
		return NULL;
	return *(void *const *)((const char *)m + f->offset);
}

static const ProtobufCMessage *inner(const ProtobufCMessage *m, const char *name)
{
	return member(m, name, PROTOBUF_C_TYPE_MESSAGE);
}

static const char *request_word(const ProtobufCMessage *m, const char *name)
{
	const char *text = member(m, name, PROTOBUF_C_TYPE_STRING);

	return text ? text : "";
}

static const char *with_id(const char *so_far, const char *key, const char *id, struct arena *a)
{
	if (!*id)
		return so_far;
	if (strlen(id) > ID_SHOWN && strspn(id, HEX) == strlen(id))
		return arena_printf(a, "%s %s=%.*s", so_far, key, ID_SHOWN, id);
	return arena_printf(a, "%s %s=%s", so_far, key, log_quote(arena_strndup(a, id, NAME_SHOWN)));
}

static const char *with_name(const char *so_far, const char *key, const char *name, struct arena *a)
{
	return *name ? arena_printf(a, "%s %s=%s", so_far, key, log_quote(arena_strndup(a, name, NAME_SHOWN))) : so_far;
}

static const char *with_pod(const char *so_far, const ProtobufCMessage *config, struct arena *a)
{
	const ProtobufCMessage *m = inner(config, "metadata");

	if (!m)
		return so_far;
	return with_name(so_far, "pod",
			 arena_printf(a, "%.150s/%.150s", request_word(m, "namespace"), request_word(m, "name")), a);
}

const char *about_request(const ProtobufCMessage *in, struct arena *a)
{
	const ProtobufCMessage *config = inner(in, "config"), *of_container = NULL;
	const char *out = "";

	out = with_id(out, "container", request_word(in, "container_id"), a);
	out = with_id(out, "sandbox", request_word(in, "pod_sandbox_id"), a);
	if (config && config->descriptor == &runtime__v1__pod_sandbox_config__descriptor)
		out = with_pod(out, config, a);
	else if (config && config->descriptor == &runtime__v1__container_config__descriptor)
		of_container = config;
	out = with_pod(out, inner(in, "sandbox_config"), a);
	out = with_name(out, "container_name", request_word(inner(of_container, "metadata"), "name"), a);
	/* Users paste references with passwords. */
	return with_name(out, "image",
			 ref_shown(request_word(inner(of_container ? of_container : in, "image"), "image"), a), a);
}

/* ---- what works for it ---- */

struct about_wanted {
	char id[ID_SHOWN + 1];
	bool sandbox; /* and its containers */
};

static bool about_fits(const void *arg, const struct work *w)
{
	const struct about_wanted *want = arg;
	const struct container *c;
	char id[ID_SHOWN + 1];

	if (strcmp(w->kind, "rpc") == 0 || !w->about || !about_id(w->about, id))
		return false;
	if (strcmp(id, want->id) == 0)
		return true;
	c = want->sandbox ? container_shown(id) : NULL;
	return c && strncmp(c->sandbox->id, want->id, ID_SHOWN) == 0;
}

struct about_pull {
	const char *shown;
	struct about_now *now;
	struct arena *arena;
};

static void about_pull(void *arg, const struct pull_progress *p)
{
	struct about_pull *want = arg;

	if (strcmp(p->ref, want->shown) != 0)
		return;
	want->now = arena_zalloc(want->arena, sizeof(*want->now));
	want->now->stage = arena_printf(want->arena, "pull_%s", p->state);
	want->now->program = "";
}

static struct about_now *about_now_pulled(const char *fields, struct arena *a)
{
	struct about_pull want = { .arena = a };
	struct log_field f;
	char ref[512];

	if (!log_field_find(fields, "image", &f))
		return NULL;
	log_field_text(&f, ref, sizeof(ref));
	want.shown = ref_shown(ref, a);
	pull_each(about_pull, &want);
	return want.now;
}

struct about_now *about_now(const char *fields, struct arena *a)
{
	struct about_wanted want;
	struct about_now *now;
	const struct work *w;
	struct log_field f;

	if (!about_id(fields, want.id))
		return about_now_pulled(fields, a);
	/* Of a CreateContainer: its sandbox's other containers are none of its business. */
	want.sandbox = !log_field_find(fields, "container_name", &f);
	w = work_find(about_fits, &want);
	if (!w)
		return NULL;
	now = arena_zalloc(a, sizeof(*now));
	*now = (struct about_now){ arena_strdup(a, w->stage), arena_strdup(a, w->program ? w->program : ""), w->pid };
	return now;
}
