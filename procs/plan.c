/* plan.c - see plan.h. */
#include "procs/plan.h"

struct checked {
	const struct plan *p;
	const char *wrong; /* NULL: nothing so far */
};

static void wrong(struct checked *c, const char *what)
{
	if (!c->wrong)
		c->wrong = what;
}

static void check_text(struct checked *c, uint32_t at)
{
	if (at && (at < sizeof(struct plan) || at >= c->p->size))
		wrong(c, "a text is outside of the plan");
}

static void check_needed(struct checked *c, uint32_t at)
{
	check_text(c, at);
	if (!at)
		wrong(c, "a text is missing");
}

/* The records; NULL when the list is not inside of the plan, or empty. */
static const void *check_list(struct checked *c, struct plan_list list, size_t record, size_t max)
{
	if (list.n == 0)
		return NULL;
	if (list.n > max || list.at % 8 || list.at < sizeof(struct plan) || list.at > c->p->size ||
	    list.n > (c->p->size - list.at) / record) {
		wrong(c, "a list is outside of the plan");
		return NULL;
	}
	return (const char *)c->p + list.at;
}

/* With the 0 behind its end. */
static void check_words(struct checked *c, struct plan_list list)
{
	struct plan_list whole = { list.at, list.n + 1 };
	const union plan_word *w = check_list(c, whole, sizeof(*w), PLAN_LIST_MAX);

	for (uint32_t i = 0; w && i < list.n; i++)
		if (w[i].at > UINT32_MAX)
			wrong(c, "a text is outside of the plan");
		else
			check_needed(c, (uint32_t)w[i].at);
	if (!w || w[list.n].at)
		wrong(c, "a list of words has no end");
}

static void check_texts(struct checked *c, struct plan_list list)
{
	const uint32_t *t = check_list(c, list, sizeof(*t), PLAN_LIST_MAX);

	for (uint32_t i = 0; t && i < list.n; i++)
		check_needed(c, t[i]);
}

static void check_mounts(struct checked *c)
{
	const struct plan_mount *m = check_list(c, c->p->mounts, sizeof(*m), PLAN_LIST_MAX);

	for (uint32_t i = 0; m && i < c->p->mounts.n; i++) {
		const struct plan_option *o = check_list(c, m[i].options, sizeof(*o), PLAN_LIST_MAX);

		check_needed(c, m[i].target);
		if (m[i].kind == PLAN_MOUNT_NEW)
			check_needed(c, m[i].type);
		else if (m[i].kind == PLAN_MOUNT_BIND)
			check_needed(c, m[i].source);
		else
			wrong(c, "a mount is of no kind");
		if (m[i].fd != -1 || m[i].is_file)
			wrong(c, "a mount is open already");
		for (uint32_t k = 0; o && k < m[i].options.n; k++) {
			check_needed(c, o[k].key);
			check_text(c, o[k].value);
		}
	}
}

static void check_pairs(struct checked *c)
{
	const struct plan_write *w = check_list(c, c->p->writes, sizeof(*w), PLAN_LIST_MAX);
	const struct plan_namespace *n = check_list(c, c->p->namespaces, sizeof(*n), 16);
	const struct plan_link *l = check_list(c, c->p->links, sizeof(*l), PLAN_LIST_MAX);
	const struct plan_device *d = check_list(c, c->p->devices, sizeof(*d), PLAN_LIST_MAX);

	for (uint32_t i = 0; w && i < c->p->writes.n; i++) {
		check_needed(c, w[i].path);
		check_needed(c, w[i].text);
	}
	for (uint32_t i = 0; n && i < c->p->namespaces.n; i++)
		check_needed(c, n[i].path);
	for (uint32_t i = 0; l && i < c->p->links.n; i++) {
		check_needed(c, l[i].target);
		check_needed(c, l[i].path);
	}
	for (uint32_t i = 0; d && i < c->p->devices.n; i++)
		check_needed(c, d[i].path);
}

static void check_process(struct checked *c)
{
	const struct plan *p = c->p;

	if (p->kind == PLAN_WRITE)
		return;
	check_words(c, p->args);
	if (!p->args.n)
		wrong(c, "there is no program");
	if (p->kind == PLAN_WORDS)
		return;
	check_words(c, p->env);
	if (p->env_terminal.n)
		check_words(c, p->env_terminal);
	check_needed(c, p->cwd);
	if (p->kind == PLAN_RUN)
		check_needed(c, p->rootfs);
}

const char *plan_check(const void *at, size_t size)
{
	struct checked c = { at, NULL };
	const struct plan *p = at;

	if (size < sizeof(*p) + 1 || size > PLAN_MAX || p->magic != PLAN_MAGIC || p->size != size)
		return "it is no plan";
	if (p->version != PLAN_VERSION)
		return "it is of another version";
	if (((const char *)at)[size - 1])
		return "its last text has no end";
	if (p->kind < PLAN_RUN || p->kind > PLAN_WORDS)
		return "it is of no kind";
	check_process(&c);
	check_text(&c, p->apparmor);
	check_text(&c, p->keyring);
	check_text(&c, p->selinux);
	check_text(&c, p->file_label);
	check_text(&c, p->device_group);
	check_list(&c, p->groups, sizeof(uint32_t), PLAN_LIST_MAX);
	check_list(&c, p->limits, sizeof(struct plan_limit), 64);
	check_list(&c, p->filter, sizeof(struct plan_code), PLAN_FILTER_MAX);
	check_list(&c, p->device_program, sizeof(struct plan_code), PLAN_FILTER_MAX);
	check_texts(&c, p->joins);
	check_texts(&c, p->masked);
	check_texts(&c, p->readonly);
	check_pairs(&c);
	check_mounts(&c);
	return c.wrong;
}
