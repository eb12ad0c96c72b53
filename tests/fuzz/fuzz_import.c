/* fuzz_import.c - any bytes as index.json (first byte even) or manifest.json (odd) of an archive that is imported.
 *
 * Beside it are a config, a layer and a link that leads out. What is read has whole names and digests. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/digest.h"
#include "images/import/layout.h"
#include "images/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[64];

static void must(bool holds)
{
	if (!holds)
		abort();
}

static const char *below(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void put(const char *name, const void *p, size_t n)
{
	FILE *f = fopen(below(name), "w");

	must(f && fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

static void clean_up(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", top);
	must(system(command) == 0);
}

static void open_once(void)
{
	static const char config[] = "{\"rootfs\":{\"diff_ids\":[\"sha256:"
				     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"]}}";

	snprintf(top, sizeof(top), "/tmp/fuzz_import.XXXXXX");
	must(mkdtemp(top) != NULL);
	atexit(clean_up);
	must(mkdir(below("fs"), 0700) == 0 && mkdir(below("fs/blobs"), 0700) == 0);
	must(mkdir(below("fs/blobs/sha256"), 0700) == 0 && symlink("/etc/passwd", below("fs/out")) == 0);
	put("fs/c", config, sizeof(config) - 1);
	put("fs/l", "layer", 5);
	put("fs/z", "\x1f\x8b\x08\x00", 4);
}

/* All names below docker/ are removed again. */
static void forget_links(void)
{
	char command[128];

	snprintf(command, sizeof(command), "%s/docker", top);
	if (access(command, F_OK) == 0) {
		snprintf(command, sizeof(command), "rm -rf %s/docker", top);
		must(system(command) == 0);
	}
}

static bool all(int (*step)(struct layout *l, struct arena *a, struct err *e), struct layout *l, struct arena *a)
{
	struct err e;
	int more;

	while ((more = step(l, a, &e)) > 0)
		;
	return more == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct layout l;
	struct err e;
	bool docker = size && data[0] % 2;

	if (!*top)
		open_once();
	unlink(below("fs/index.json"));
	put(docker ? "fs/manifest.json" : "fs/index.json", size ? data + 1 : data, size ? size - 1 : 0);
	if (layout_read(&l, top, size > 1 && data[0] & 2 ? "given.test/a:b" : "", a, &e) == 0 &&
	    all(layout_step, &l, a)) {
		for (size_t i = 0; i < l.nlayers; i++)
			if (!*l.layers[i].digest)
				l.layers[i].digest = "sha256:"
						     "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
		if (all(layout_finish, &l, a)) {
			for (size_t i = 0; i < l.nimages; i++) {
				struct ref ref;

				must(digest_valid(l.images[i].top.digest) && l.images[i].names.n > 0);
				for (size_t k = 0; k < l.images[i].names.n; k++)
					must(ref_parse(&ref, l.images[i].names.at[k], a, &e) == 0);
			}
		}
	}
	layout_close(&l);
	forget_links();
	arena_free(a);
	return 0;
}
