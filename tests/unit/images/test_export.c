/* test_export.c - exports beside each other. */
#include "images/archive.h"
#include "images/export.h"
#include "tests/unit/images/pull_story.h"

/* Takes the place of images/archive.c, which is not reached: the children of the layers never end. */
struct archive *archive_pack(const char *dir, const char *location, const char *log, archive_done *done, void *arg)
{
	(void)dir, (void)location, (void)log, (void)done, (void)arg;
	abort();
}

void archive_cancel(struct archive *a)
{
	(void)a;
	abort();
}

struct result {
	int calls;
	struct err e;
};

static void on_pulled(void *arg, const struct err *e, const char *id)
{
	(void)id;
	*(bool *)arg = !e;
}

static void on_exported(void *arg, const struct err *e, const struct strings *ids)
{
	struct result *r = arg;

	(void)ids;
	r->calls++;
	r->e = e ? *e : (struct err){ 0 };
}

/* Each export is a child that reads and writes a whole image: clients must not start thousands. */
static void one_at_a_time(void)
{
	static const char *const names[] = { "r.example/a:v1" };
	const struct strings refs = { (const char **)names, 1 };
	struct result a = { 0 }, b = { 0 }, c = { 0 };
	struct export *first;

	first = export_start(&refs, "/a.tar", on_exported, &a);
	clock_run();
	ok(a.calls == 0); /* a child is at work */
	export_start(&refs, "/b.tar", on_exported, &b);
	ok(b.calls == 0);
	clock_run();
	ok(b.calls == 1 && b.e.code == ERR_UNAVAILABLE && strstr(b.e.msg, "another export is under way"));
	export_cancel(first);
	first = export_start(&refs, "/c.tar", on_exported, &c);
	clock_run();
	ok(a.calls == 0 && c.calls == 0);
	export_cancel(first);
}

static void what_is_broken_is_not_exported(void)
{
	static const char *const names[] = { "r.example/a:v1" };
	const struct strings refs = { (const char **)names, 1 };
	struct layer *l = layer_by_dir(store_find(names[0])->layers.at[0]);
	struct result r = { 0 };
	struct err e;

	ok(layer_break(l, &e) == 0);
	export_start(&refs, "/a.tar", on_exported, &r);
	clock_run();
	ok(r.calls == 1 && r.e.code == ERR_FAILED_PRECONDITION && strstr(r.e.msg, "is broken: pull the image again"));
	ok(l->holds == 0);
}

int main(void)
{
	bool pulled = false;

	arena = arena_new();
	cfg.root = mkdtemp(root);
	opened();
	IMAGE("v1", "layer");
	fresh_registry();
	pull_start("r.example/a:v1", NULL, on_pulled, &pulled);
	clock_advance(120 * 1000);
	ok(pulled);
	one_at_a_time();
	what_is_broken_is_not_exported();
	ok(system(arena_printf(arena, "rm -rf %s", root)) == 0);
	arena_free(arena);
	return tap_end();
}
