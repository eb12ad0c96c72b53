/* fuzz_checkpoint_dump.c - any bytes as one of the small files of a checkpoint archive; the other files are valid.
 * The first byte selects the file. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers/checkpoint_dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const names[] = { "config.dump", "spec.dump", "deleted.files", "crisp.dump" };
static const char *const right[] = { "{}", "{\"process\":{\"args\":[\"x\"]}}", "[\"/a\"]", "{\"streams\":{}}" };
static char dir[64];

static void put(size_t i, const void *text, size_t n)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, n) != (ssize_t)n)
		abort();
	close(fd);
}

static void clean_up(void)
{
	char path[128];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a;
	struct checkpoint_dump d;
	struct err e;

	if (!*dir) {
		strcpy(dir, "/dev/shm/fuzz-dump-XXXXXX");
		if (!mkdtemp(dir))
			abort();
		atexit(clean_up);
	}
	if (n == 0)
		return 0;
	for (size_t i = 0; i < 4; i++)
		put(i, right[i], strlen(right[i]));
	put(data[0] % 4, data + 1, n - 1);
	a = arena_new();
	if (checkpoint_dump_read(&d, dir, a, &e) < 0 && e.code != ERR_INVALID_ARGUMENT)
		abort();
	checkpoint_dump_free(&d);
	arena_free(a);
	return 0;
}
