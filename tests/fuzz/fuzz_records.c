/* fuzz_records.c - any bytes as one record at start-up: a torn disk, an older version, a hand that edited it.
 *
 * The first byte selects the kind. The other records are valid. A record that cannot be used is set aside. A sandbox or
 * container that was read can be saved, found and freed. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/config.h"
#include "images/layer.h"
#include "images/store.h"
#include "images/unpack.h"
#include "procs/container.h"
#include "procs/sandbox.h"
#include "reactor/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum { KINDS = 4 };
static const char *const dirs[KINDS] = { "layer-records", "images", "sandboxes", "containers" };
static const char *const names[KINDS] = { "a", HEX, HEX, HEX };
static const char *const valid[KINDS] = {
	"{\"dir\":\"a\",\"diff_id\":\"sha256:" HEX "\",\"bytes\":1,\"version\":1}",
	"{\"id\":\"sha256:" HEX "\",\"layers\":[\"a\"],\"version\":1}",
	"{\"boot_id\":\"x\",\"version\":1}",
	"{\"sandbox\":\"" HEX "\",\"state\":1,\"pid\":1,\"version\":1}",
};
static char top[64];

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Instead of images/removal.o: no keeper is here to make a child. */
void unpack_remove_tree(const char *path)
{
	rmdir(path);
}

static const char *path_of(const char *dir, const char *name, const char *end)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s%s%s%s", top, dir, *name ? "/" : "", name, end);
	return path;
}

static void clean_up(void)
{
	static const char *const made[] = { "layers/a", "layers", "gone", "blobs", "partial", "ingest", "shifted" };

	for (int i = 0; i < KINDS; i++) {
		unlink(path_of(dirs[i], names[i], ".json"));
		unlink(path_of(dirs[i], names[i], ".json.corrupt"));
		rmdir(path_of(dirs[i], "", ""));
	}
	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
		rmdir(path_of(made[i], "", ""));
	rmdir(top);
}

static void open_once(void)
{
	static struct images_config images;
	static struct sandboxes_config sandboxes;

	if (*top)
		return;
	strcpy(top, "/dev/shm/fuzz-records-XXXXXX");
	must(mkdtemp(top) != NULL);
	atexit(clean_up);
	log_open("fuzz", LOG_LEVEL_ERROR + 1);
	images = (struct images_config){ .root = top, .unpack_path = "/bin/false", .registry_config_path = "" };
	images_configure(&images);
	sandboxes = (struct sandboxes_config){ top, top, top };
	sandboxes_open(&sandboxes);
	containers_open(top, top);
	for (int i = 0; i < KINDS; i++)
		must(mkdir(path_of(dirs[i], "", ""), 0700) == 0);
	must(mkdir(path_of("layers", "", ""), 0700) == 0);
}

static void put(int kind, const void *text, size_t n)
{
	int fd = open(path_of(dirs[kind], names[kind], ".json"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	close(fd);
}

static void free_containers(struct sandbox *s)
{
	struct err e;

	while (!list_empty(&s->containers)) {
		struct container *c = container_of(list_first(&s->containers), struct container, of_sandbox);

		must(c->sandbox == s && (!c->listed || container_find(c->id) == c));
		must(container_save(c, &e) == 0);
		container_free(c);
	}
}

static void on_sandbox(void *arg, struct sandbox *s)
{
	struct err e;

	must(sandbox_by_id(s->id) == s && sandbox_save(s, &e) == 0);
	free_containers(s);
	sandbox_free(s);
	(*(int *)arg)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int read = 0;
	struct err e;

	open_once();
	if (!size)
		return 0;
	mkdir(path_of("layers", "a", ""), 0700);
	for (int i = 0; i < KINDS; i++)
		put(i, valid[i], strlen(valid[i]));
	put(data[0] % KINDS, data + 1, size - 1);
	must(store_open(&e) == 0);
	must(sandboxes_load(&e) == 0 && containers_load(&e) == 0);
	sandbox_each(on_sandbox, &read);
	sandbox_each_hidden(on_sandbox, &read);
	must(read <= 1 && (data[0] % KINDS == 2 || read == 1));
	return 0;
}
