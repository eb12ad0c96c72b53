/* test_audit.c - layers that are broken: found, marked, pulled again. */
#include <time.h>

#include "images/audit.h"
#include "tests/unit/images/pull_story.h"

struct result {
	int calls;
	size_t n, layers, unverified;
	bool mended;
	char text[1024];
};

static void on_pulled(void *arg, const struct err *e, const char *id)
{
	(void)id;
	*(enum err_code *)arg = e ? e->code : ERR_OK;
}

static void pull(const char *ref)
{
	enum err_code code = ERR_INTERNAL;

	pull_start(ref, NULL, on_pulled, &code);
	clock_advance(120 * 1000);
	ok(code == ERR_OK);
}

static void on_audited(void *arg, const struct audit_result *a)
{
	struct result *r = arg;

	r->calls++;
	r->n = a->n;
	r->layers = a->layers;
	r->unverified = a->unverified;
	r->mended = a->n > 0;
	*r->text = '\0';
	for (size_t i = 0; i < a->n; i++) {
		r->mended &= a->findings[i].mended;
		snprintf(r->text + strlen(r->text), sizeof(r->text) - strlen(r->text), "%s\n", a->findings[i].text);
	}
}

static struct result audit(bool repair)
{
	struct result r = { 0 };

	audit_start(repair, on_audited, &r);
	ok(r.calls == 0);
	clock_advance(300 * 1000);
	ok(r.calls == 1);
	return r;
}

static const char *layer_of(const char *ref, size_t nth)
{
	return arena_strdup(arena, store_find(ref)->layers.at[nth]);
}

static void bend(const char *dir)
{
	FILE *f = fopen(arena_printf(arena, "%s/layers/%s/content", root, dir), "a");

	fputs("!", f);
	fclose(f);
}

static const char *content(const char *dir)
{
	char *text = arena_zalloc(arena, 256);
	FILE *f = fopen(arena_printf(arena, "%s/layers/%s/content", root, dir), "r");

	if (f) {
		text[fread(text, 1, 255, f)] = '\0';
		fclose(f);
	}
	return text;
}

static void what_is_whole(void)
{
	struct result r;

	IMAGE("v1", "layer one", "raw two", "layer three");
	fresh_registry();
	pull("r.example/a:v1");
	r = audit(true);
	ok(r.n == 0 && r.layers == 3 && r.unverified == 0 && fake_http_asked() == 5);
}

static void what_is_broken_is_fetched_alone(void)
{
	const char *old = layer_of("r.example/a:v1", 2), *first = layer_of("r.example/a:v1", 0);
	struct result r;

	bend(old);
	r = audit(false);
	ok(r.n == 1 && !r.mended && strstr(r.text, "image r.example/a:v1 has it") && layer_by_dir(old)->broken);
	is_str(layer_of("r.example/a:v1", 2), old);
	fresh_registry();
	r = audit(true);
	ok(r.n == 1 && r.mended && r.layers == 2 && fake_http_count("blobs") == 1);
	is_str(content(layer_of("r.example/a:v1", 2)), "layer three");
	is_str(layer_of("r.example/a:v1", 0), first);
	ok(!layer_by_dir(old) && files_in("layers") == 3 && store_find("r.example/a:v1")->tags.n == 1);
}

/* The unfinished layer that it was made of shares its files. */
static void nothing_that_shares_its_files_is_used(void)
{
	const char *old = layer_of("r.example/a:v1", 1);
	struct result r;

	layer_add(&(struct layer){ .dir = "shares",
			  .diff_id = layer_by_dir(old)->diff_id,
			  .chain_id = "",
			  .unfinished = true,
			  .sum = "",
			  .boot_id = "" },
		  &fault);
	bend(old);
	fresh_registry();
	r = audit(true);
	ok(r.mended && fake_http_count("blobs") == 1 && !layer_by_dir("shares"));
	is_str(content(layer_of("r.example/a:v1", 1)), "merged");
}

static void a_registry_that_says_no(void)
{
	const char *old = layer_of("r.example/a:v1", 0);
	struct result r;

	bend(old);
	fresh_registry();
	trouble = "manifests";
	wrong = (struct fake_answer){ .status = 401 };
	r = audit(true);
	ok(r.n == 2 && !r.mended && strstr(r.text, "was not pulled again: pull r.example/a@sha256:"));
	is_str(layer_of("r.example/a:v1", 0), old);
	ok(store_open(&fault) == 0 && layer_by_dir(old)->broken); /* it is written down */
	fresh_registry();
	ok(audit(true).mended && fake_http_count("blobs") == 1);
}

/* A pull by its tag finds the same digest, and fetches what is broken all the same. */
static void any_pull_mends(void)
{
	const char *old = layer_of("r.example/a:v1", 0);

	bend(old);
	audit(false);
	fresh_registry();
	pull("r.example/a:v1");
	ok(strcmp(layer_of("r.example/a:v1", 0), old) != 0 && !layer_by_dir(old));
	ok(audit(false).n == 0);
}

static void layers_without_a_sum(void)
{
	struct layer *l = layer_by_dir(layer_of("r.example/a:v1", 0));
	struct result r;

	l->sum = "";
	bend(l->dir);
	r = audit(true);
	ok(r.n == 0 && r.layers == 2 && r.unverified == 1);
}

static void cancelled(void)
{
	const char *old = layer_of("r.example/a:v1", 2);
	struct result r = { 0 };
	struct audit *a;

	bend(old);
	audit_cancel(audit_start(true, on_audited, &r));
	clock_advance(1000);
	ok(!layer_by_dir(old)->broken);
	fresh_registry();
	trouble = "manifests";
	wrong = (struct fake_answer){ .status = 503 }; /* it is asked again after a pause */
	a = audit_start(true, on_audited, &r);
	clock_run();
	ok(layer_by_dir(old)->broken && pull_busy());
	audit_cancel(a);
	clock_advance(120 * 1000);
	ok(r.calls == 0 && !pull_busy() && layer_by_dir(old)->holds == 0);
	fresh_registry();
	ok(audit(true).mended);
	is_str(content(layer_of("r.example/a:v1", 2)), "layer three");
}

enum { MANY = 2500, OF_ONE = 20 };

static void add_many(void)
{
	const char **dirs = arena_zalloc(arena, MANY * sizeof(*dirs));
	char id[DIGEST_SIZE];

	for (size_t i = 0; i < MANY; i++) {
		dirs[i] = arena_printf(arena, "many-%zu", i);
		mkdir(arena_printf(arena, "%s/layers/%s", root, dirs[i]), 0755);
		layer_break(layer_add(&(struct layer){ .dir = dirs[i], .diff_id = dirs[i], .chain_id = "", .sum = "",
						       .boot_id = "" }, &fault), &fault);
	}
	for (size_t i = 0; i < MANY; i++) {
		const char *blob[] = { id };
		struct image img = { .id = id, .layers = { dirs + (i < MANY - OF_ONE ? i : MANY - OF_ONE), OF_ONE },
				     .blobs = { blob, 1 } };

		digest_of(dirs[i], strlen(dirs[i]), id);
		if (store_add(&img, &fault) < 0)
			abort();
	}
}

/* The time is that of the processor. Each layer once asked all images: 250 million comparisons. */
static void many_layers_at_many_images(void)
{
	clock_t begin;
	struct result r;

	add_many();
	begin = clock();
	r = audit(false);
	ok(r.n == MANY && !r.mended);
	ok(clock() - begin < CLOCKS_PER_SEC / 2);
	ok(strstr(r.text, " was broken already; image sha256:") != NULL);
}

int main(void)
{
	cfg.root = mkdtemp(root);
	arena = arena_new();
	opened();
	what_is_whole();
	what_is_broken_is_fetched_alone();
	nothing_that_shares_its_files_is_used();
	a_registry_that_says_no();
	any_pull_mends();
	layers_without_a_sum();
	cancelled();
	many_layers_at_many_images();
	ok(system(arena_printf(arena, "rm -rf %s", root)) == 0);
	arena_free(arena);
	return tap_end();
}
