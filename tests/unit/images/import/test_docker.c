/* test_docker.c - manifest.json of an archive with much in it: it is read and linked in steps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/digest.h"
#include "images/import/layout.h"
#include "reactor/buf.h"
#include "tests/tap.h"

enum { IMAGES = 3, LAYERS = 100, STEP_MAX = 33 /* files that one step may make */ };

static char dir[] = "/tmp/test_docker.XXXXXX";
static struct arena *arena;
static struct err fault;

static void put(const char *name, const char *text)
{
	FILE *f = fopen(arena_printf(arena, "%s/fs/%s", dir, name), "w");

	ok(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static int files(const char *pattern)
{
	FILE *f = popen(arena_printf(arena, "ls %s/docker | grep -c '%s'", dir, pattern), "r");
	int n = -1;

	if (fscanf(f, "%d", &n) != 1)
		n = -1;
	pclose(f);
	return n;
}

static void fresh(void)
{
	ok(system(arena_printf(arena, "rm -rf %s/fs %s/docker; mkdir %s/fs", dir, dir, dir)) == 0);
}

static const char *diff_id(int i)
{
	return arena_printf(arena, "sha256:%064d", i + 1);
}

/* A config of n layers, from diff_id(from) on. */
static void put_config(const char *name, int from, int n)
{
	struct buf text = { 0 };

	buf_printf(&text, "{\"rootfs\":{\"diff_ids\":[");
	for (int i = 0; i < n; i++)
		buf_printf(&text, "%s\"%s\"", i ? "," : "", diff_id(from + i));
	buf_printf(&text, "]}}");
	put(name, buf_str(&text));
	buf_free(&text);
}

static void many_layers_in_steps(void)
{
	struct layout l;
	struct buf text = { 0 };
	int steps = 0, more, had = 0;
	bool small = true;

	fresh();
	buf_printf(&text, "[");
	for (int i = 0; i < IMAGES; i++) {
		put_config(arena_printf(arena, "c%d", i), i * LAYERS, LAYERS);
		buf_printf(&text, "%s{\"Config\":\"c%d\",\"RepoTags\":[\"a.test/i%d:1\"],\"Layers\":[", i ? "," : "", i,
			   i);
		for (int k = 0; k < LAYERS; k++) {
			put(arena_printf(arena, "l%d", i * LAYERS + k), "layer");
			buf_printf(&text, "%s\"l%d\"", k ? "," : "", i * LAYERS + k);
		}
		buf_printf(&text, "]}");
	}
	buf_printf(&text, "]");
	put("manifest.json", buf_str(&text));
	buf_free(&text);
	ok(layout_read(&l, dir, "", arena, &fault) == 0 && files(".") == 0);
	while ((more = layout_step(&l, arena, &fault)) > 0) {
		small = small && files(".") - had <= STEP_MAX;
		had = files(".");
		steps++;
	}
	ok(more == 0 && small && steps >= IMAGES * LAYERS / STEP_MAX && l.nlayers == IMAGES * LAYERS);
	had = files("^layer-");
	while ((more = layout_finish(&l, arena, &fault)) > 0) {
		small = small && had - files("^layer-") <= STEP_MAX;
		had = files("^layer-");
	}
	ok(more == 0 && small && files("^layer-") == 0 && files(".") == IMAGES * (LAYERS + 2) && l.nimages == IMAGES);
	is_str(l.images[2].names.at[0], "a.test/i2:1");
	layout_close(&l);
}

static void the_same_layer_in_two_images(void)
{
	struct layout l;

	fresh();
	put_config("c", 0, 2);
	put("x", "x");
	put("y", "y");
	put("manifest.json", "[{\"Config\":\"c\",\"RepoTags\":[\"a.test/a:1\"],\"Layers\":[\"x\",\"y\"]},"
		"{\"Config\":\"c\",\"RepoTags\":[\"a.test/b:1\"],\"Layers\":[\"x\",\"y\"]}]");
	ok(layout_read(&l, dir, "", arena, &fault) == 0);
	while (layout_step(&l, arena, &fault) > 0)
		;
	ok(l.nlayers == 2 && l.nimages == 2);
	while (layout_finish(&l, arena, &fault) > 0)
		;
	is_str(l.images[0].top.digest, l.images[1].top.digest);
	layout_close(&l);
}

/* manifest.json with one image that has one member n times. */
static bool refused(const char *member, const char *value, int n, const char *why)
{
	struct buf text = { 0 };
	struct layout l;
	int rc;

	fresh();
	put_config("c", 0, 0);
	buf_printf(&text, "[{\"Config\":\"c\",\"%s\":[", member);
	for (int i = 0; i < n; i++)
		buf_printf(&text, "%s\"%s%d\"", i ? "," : "", value, i);
	buf_printf(&text, "]}]");
	put("manifest.json", buf_str(&text));
	buf_free(&text);
	rc = layout_read(&l, dir, "a.test/a", arena, &fault);
	while (rc == 0 && (rc = layout_step(&l, arena, &fault)) > 0)
		rc = 0;
	layout_close(&l);
	return rc < 0 && fault.code == ERR_INVALID_ARGUMENT && strstr(fault.msg, why);
}

static void too_much(void)
{
	ok(refused("RepoTags", "a.test/a:", 65, "the image has 65 names"));
	ok(refused("Layers", "l", 501, "an image of 501 layers"));
	ok(refused("Layers", "l", 1, "1 layers, the image config has 0"));
}

int main(void)
{
	arena = arena_new();
	ok(mkdtemp(dir) != NULL);
	many_layers_in_steps();
	the_same_layer_in_two_images();
	too_much();
	ok(system(arena_printf(arena, "rm -rf %s", dir)) == 0);
	arena_free(arena);
	return tap_end();
}
