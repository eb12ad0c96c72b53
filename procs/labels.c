/* labels.c - see labels.h. */
#include "procs/labels.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "reactor/lookup.h"
#include "procs/selinux.h"
#include "procs/volume.h"
#include "reactor/own.h"

/* A context becomes a mount option, and fsconfig(2) takes strings of at most 255 bytes. */
enum { CATEGORIES = 1024, TRIES = 10000, CONTEXT_MAX = 255 };

/* USER:ROLE:TYPE[:LEVEL]; a level may have colons too. */
struct context {
	const char *user, *role, *type, *level; /* level "": the policy has no levels */
};

static struct context context_split(struct arena *a, const char *text)
{
	struct context c = { "", "", "", "" };
	const char **parts[] = { &c.user, &c.role, &c.type };

	for (int i = 0; i < 3; i++) {
		size_t n = strcspn(text, ":");

		*parts[i] = arena_strndup(a, text, n);
		text += n + (text[n] == ':');
	}
	c.level = arena_strdup(a, text);
	return c;
}

static const char *context_text(struct arena *a, const struct context *c)
{
	return arena_printf(a, "%s:%s:%s%s%s", c->user, c->role, c->type, *c->level ? ":" : "", c->level);
}

/* ---- levels ---- */

static bool numbered(const char **p, char letter)
{
	size_t n = **p == letter ? strspn(*p + 1, "0123456789") : 0;

	if (n == 0 || n > 4)
		return false;
	*p += n + 1;
	return true;
}

/* "s0", "s0:c1", "s0:c1,c5.c9" */
static bool one_level(const char **p)
{
	char before = ':';

	if (!numbered(p, 's'))
		return false;
	while (**p == before) {
		++*p;
		if (!numbered(p, 'c'))
			return false;
		if (**p == '.' && (++*p, !numbered(p, 'c')))
			return false;
		before = ',';
	}
	return true;
}

/* A level, or a range of two. */
static bool is_level(const char *p)
{
	return one_level(&p) && (*p == '\0' || (*p++ == '-' && one_level(&p) && *p == '\0'));
}

/* The two categories of a level as "s0:c1,c2", the lower one first. False: the level has another form. */
static bool level_pair(const char *level, unsigned pair[2])
{
	const char *p = strchr(level, ':');
	char *end;

	if (!p || p[1] != 'c')
		return false;
	pair[0] = (unsigned)strtoul(p + 2, &end, 10);
	if (end[0] != ',' || end[1] != 'c')
		return false;
	pair[1] = (unsigned)strtoul(end + 2, &end, 10);
	if (pair[0] > pair[1]) {
		unsigned low = pair[1];

		pair[1] = pair[0];
		pair[0] = low;
	}
	return *end == '\0';
}

struct search {
	unsigned pair[2];
	bool taken;
};

static bool same_pair(const char *label, const unsigned pair[2])
{
	const char *level = label;
	unsigned other[2];

	for (int i = 0; i < 3 && level; i++)
		level = strchr(level, ':') ? strchr(level, ':') + 1 : NULL;
	return level && level_pair(level, other) && other[0] == pair[0] && other[1] == pair[1];
}

static void labels_look(void *arg, struct sandbox *s)
{
	struct search *f = arg;

	f->taken |= same_pair(s->mount_label, f->pair);
	list_each(l, &s->containers)
		f->taken |= same_pair(container_of(l, struct container, of_sandbox)->mount_label, f->pair);
}

static void labels_draw_pair(unsigned pair[2])
{
	uint16_t raw[2];

	do {
		if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
			abort();
		pair[0] = raw[0] % CATEGORIES;
		pair[1] = raw[1] % CATEGORIES;
	} while (pair[0] >= pair[1]);
}

/* `base` with two categories that no other pod has, in the arena. Drawn at random up to TRIES times: there are 523,776
 * pairs, so with a thousand pods the second draw is almost never needed. */
static const char *new_level(struct arena *a, const char *base, struct err *e)
{
	struct search f;

	for (int i = 0; i < TRIES; i++) {
		f.taken = false;
		labels_draw_pair(f.pair);
		sandbox_each(labels_look, &f);
		sandbox_each_hidden(labels_look, &f);
		if (!f.taken)
			return arena_printf(a, "%.*s:c%u,c%u", (int)strcspn(base, ":-"), base, f.pair[0], f.pair[1]);
	}
	err_set(e, ERR_RESOURCE_EXHAUSTED, "selinux: no free pair of categories");
	return NULL;
}

/* ---- options ---- */

static bool labels_asked(const struct selinux_options *o)
{
	return o->user[0] || o->role[0] || o->type[0] || o->level[0];
}

static int check_word(const char *what, const char *word, struct err *e)
{
	for (const char *p = word; *p; p++)
		if ((unsigned char)*p <= ' ' || strchr(":,\"\\\x7f", *p))
			return err_set(e, ERR_INVALID_ARGUMENT, "selinux_options.%s: \"%.100s\" is not valid", what,
				       word);
	return 0;
}

static int check_options(const struct selinux_options *o, struct err *e)
{
	if (check_word("user", o->user, e) < 0 || check_word("role", o->role, e) < 0 ||
	    check_word("type", o->type, e) < 0)
		return -1;
	if (o->level[0] && !is_level(o->level))
		return err_set(e, ERR_INVALID_ARGUMENT, "selinux_options.level: \"%.100s\" is no level like s0:c4,c5",
			       o->level);
	return 0;
}

static int labels_check_known(const char *context, struct err *e)
{
	if (strlen(context) > CONTEXT_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "selinux_options: %.60s.. is too long", context);
	if (!selinux_knows(context))
		return err_set(e, ERR_INVALID_ARGUMENT, "selinux_options: the policy of this node has no %s", context);
	return 0;
}

/* The policy's contexts, changed by the options; `level` where the options name no level. Both texts in the arena. */
static int labels_apply(struct arena *a, const struct selinux_options *o, const char *level, const char **process,
		 const char **file, struct err *e)
{
	struct context p = context_split(a, selinux_process()), f = context_split(a, selinux_file());

	if (*o->user)
		p.user = f.user = o->user;
	if (*o->role)
		p.role = o->role;
	if (*o->type)
		p.type = o->type;
	p.level = f.level = *o->level ? o->level : level;
	*process = context_text(a, &p);
	*file = context_text(a, &f);
	return labels_check_known(*process, e) < 0 ? -1 : labels_check_known(*file, e);
}

/* Without labels: options are ignored on a host that has no SELinux, and refused on a host that has it. */
static int labels_none(const struct selinux_options *o, struct err *e)
{
	if (labels_asked(o) && selinux_host())
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "selinux_options: this node has SELinux, and crisp's configuration does not say "
			       "\"selinux: true\"");
	return 0;
}

int labels_of_sandbox(struct sandbox *s, struct err *e)
{
	const struct selinux_options *o = &s->config.security.selinux;
	const char *level;

	if (!selinux_on())
		return labels_none(o, e);
	if (check_options(o, e) < 0)
		return -1;
	level = context_split(s->arena, selinux_process()).level;
	if (*level && !*o->level && !(level = new_level(s->arena, level, e)))
		return -1;
	return labels_apply(s->arena, o, level, &s->process_label, &s->mount_label, e);
}

/* A privileged container is not confined: spc_t is the policy's type for that. "" where the policy has no such type:
 * the process keeps the label of the runtime. */
static const char *labels_privileged(struct arena *a)
{
	struct context p = context_split(a, selinux_process());
	const char *label;

	p.type = "spc_t";
	label = context_text(a, &p);
	return selinux_knows(label) ? label : "";
}

static int labels_check_mounts(const struct container *c, struct err *e)
{
	for (size_t i = 0; i < c->config.mounts.n; i++) {
		const struct mount_config *m = &c->config.mounts.at[i];
		struct looked *f;

		/* A path that cannot be looked up is an error later, with its name. */
		if (!m->selinux_relabel || m->image[0])
			continue;
		f = lookup_get(c->lookup, volume_lookup(m), m->host_path, e);
		if (f && !f->error && selinux_check_relabel(m->container_path, f->real, e) < 0)
			return -1;
	}
	return 0;
}

int labels_of_container(struct container *c, struct err *e)
{
	const struct selinux_options *o = &c->config.security.selinux;
	const char *process = c->sandbox->process_label, *file = c->sandbox->mount_label, *level;

	if (!selinux_on())
		return labels_none(o, e);
	if (check_options(o, e) < 0 || labels_check_mounts(c, e) < 0)
		return -1;
	/* A pod that was made while `selinux` was off has no labels. */
	level = context_split(c->arena, *file ? file : selinux_file()).level;
	if (labels_asked(o) && labels_apply(c->arena, o, level, &process, &file, e) < 0)
		return -1;
	c->process_label =
		c->config.security.privileged ? labels_privileged(c->arena) : arena_strdup(c->arena, process);
	c->mount_label = arena_strdup(c->arena, file);
	return 0;
}
