/* labels.c - see labels.h. */
#include "procs/labels.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "procs/selinux.h"
#include "reactor/own.h"

/* fsconfig(2) takes strings of 255 bytes, and a context is a mount's option. */
enum { CATEGORIES = 1024, TRIES = 10000, CONTEXT_MAX = 255 };

/* USER:ROLE:TYPE[:LEVEL]; a level has colons of its own. */
struct context {
	const char *user, *role, *type, *level; /* level "": a policy without */
};

static struct context split(struct arena *a, const char *text)
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

static const char *joined(struct arena *a, const struct context *c)
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

/* The two categories of "s0:c1,c2", the lower one first. Any other level is no pair. */
static bool pair_of(const char *level, unsigned pair[2])
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
	return level && pair_of(level, other) && other[0] == pair[0] && other[1] == pair[1];
}

static void look(void *arg, struct sandbox *s)
{
	struct search *f = arg;

	f->taken |= same_pair(s->mount_label, f->pair);
	list_each(l, &s->containers)
		f->taken |= same_pair(container_of(l, struct container, of_sandbox)->mount_label, f->pair);
}

static void draw(unsigned pair[2])
{
	uint16_t raw[2];

	do {
		if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
			abort();
		pair[0] = raw[0] % CATEGORIES;
		pair[1] = raw[1] % CATEGORIES;
	} while (pair[0] >= pair[1]);
}

/* `base` with two categories that no other pod has, in the arena. */
static const char *new_level(struct arena *a, const char *base, struct err *e)
{
	struct search f;

	for (int i = 0; i < TRIES; i++) {
		f.taken = false;
		draw(f.pair);
		sandbox_each(look, &f);
		sandbox_each_hidden(look, &f);
		if (!f.taken)
			return arena_printf(a, "%.*s:c%u,c%u", (int)strcspn(base, ":-"), base, f.pair[0], f.pair[1]);
	}
	err_set(e, ERR_RESOURCE_EXHAUSTED, "selinux: no free pair of categories");
	return NULL;
}

/* ---- options ---- */

static bool asked(const struct selinux_options *o)
{
	return o->user[0] || o->role[0] || o->type[0] || o->level[0];
}

static int check_word(const char *what, const char *word, struct err *e)
{
	for (const char *p = word; *p; p++)
		if ((unsigned char)*p <= ' ' || strchr(":,\"\\\x7f", *p))
			return err_set(e, ERR_INVALID_ARGUMENT, "selinux_options.%s: \"%.100s\" is none", what, word);
	return 0;
}

static int check_options(const struct selinux_options *o, struct err *e)
{
	if (check_word("user", o->user, e) < 0 || check_word("role", o->role, e) < 0 ||
	    check_word("type", o->type, e) < 0)
		return -1;
	if (o->level[0] && !is_level(o->level))
		return err_set(e, ERR_INVALID_ARGUMENT, "selinux_options.level: \"%.100s\" is none, as s0:c4,c5 is",
			       o->level);
	return 0;
}

static int known(const char *context, struct err *e)
{
	if (strlen(context) > CONTEXT_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "selinux_options: %.60s.. is too long", context);
	if (!selinux_knows(context))
		return err_set(e, ERR_INVALID_ARGUMENT, "selinux_options: the policy of this node has no %s", context);
	return 0;
}

/* The policy's contexts, changed by the options; `level` where they name none. Both texts in the arena. */
static int apply(struct arena *a, const struct selinux_options *o, const char *level, const char **process,
		 const char **file, struct err *e)
{
	struct context p = split(a, selinux_process()), f = split(a, selinux_file());

	if (*o->user)
		p.user = f.user = o->user;
	if (*o->role)
		p.role = o->role;
	if (*o->type)
		p.type = o->type;
	p.level = f.level = *o->level ? o->level : level;
	*process = joined(a, &p);
	*file = joined(a, &f);
	return known(*process, e) < 0 ? -1 : known(*file, e);
}

/* Nothing to label; options are passed over on a host that has no SELinux. */
static int none(const struct selinux_options *o, struct err *e)
{
	if (asked(o) && selinux_host())
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
		return none(o, e);
	if (check_options(o, e) < 0)
		return -1;
	level = split(s->arena, selinux_process()).level;
	if (*level && !*o->level && !(level = new_level(s->arena, level, e)))
		return -1;
	return apply(s->arena, o, level, &s->process_label, &s->mount_label, e);
}

/* What runs with all rights is not confined by a type; where the policy has no such type it stays as the runtime is. */
static const char *privileged(struct arena *a)
{
	struct context p = split(a, selinux_process());
	const char *label;

	p.type = "spc_t";
	label = joined(a, &p);
	return selinux_knows(label) ? label : "";
}

static int check_mounts(const struct container *c, struct err *e)
{
	char real[PATH_MAX];

	for (size_t i = 0; i < c->config.mounts.n; i++) {
		const struct mount_config *m = &c->config.mounts.at[i];

		/* One that is not there yet is made later, and looked at again. */
		if (m->selinux_relabel && !m->image[0] && realpath(m->host_path, real) &&
		    selinux_check_relabel(m->container_path, real, e) < 0)
			return -1;
	}
	return 0;
}

int labels_of_container(struct container *c, struct err *e)
{
	const struct selinux_options *o = &c->config.security.selinux;
	const char *process = c->sandbox->process_label, *file = c->sandbox->mount_label, *level;

	if (!selinux_on())
		return none(o, e);
	if (check_options(o, e) < 0 || check_mounts(c, e) < 0)
		return -1;
	/* The pod may be older than the configuration, and have none. */
	level = split(c->arena, *file ? file : selinux_file()).level;
	if (asked(o) && apply(c->arena, o, level, &process, &file, e) < 0)
		return -1;
	c->process_label = c->config.security.privileged ? privileged(c->arena) : arena_strdup(c->arena, process);
	c->mount_label = arena_strdup(c->arena, file);
	return 0;
}
