/* fuzz_criu.c - CRIU's log, the names of streams that a checkpoint image has, and long SELinux labels.
 *
 * The first byte selects. From outside comes no line into CRIU's options but those that crisp writes. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/criu.h"
#include "reactor/small_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void clean_up(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/log", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/criu.conf", dir);
	unlink(path);
	rmdir(dir);
}

static void words(struct arena *a, const uint8_t *data, size_t size)
{
	const char *path = arena_printf(a, "%s/log", dir), *said;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
	said = criu_words(path, a);
	must(strlen(said) < 400);
	for (; *said; said++)
		must(*said >= ' ' && *said < 0x7f);
}

static void check_options(struct arena *a, const struct container *c, size_t most)
{
	size_t len, lines = 0;
	struct err e;
	char *text = small_file_read(criu_config_path(c, a), 1 << 20, &len, ERR_INTERNAL, &e);

	must(text && strlen(text) == len);
	for (char *line = text, *end; *line; line = end + 1, lines++) {
		end = strchr(line, '\n');
		must(end && (strncmp(line, "inherit-fd fd[", 14) == 0 || strncmp(line, "lsm-", 4) == 0 ||
			     strncmp(line, "leave-stopped\n", 14) == 0));
	}
	must(lines <= most + 1); /* leave-stopped stands in every file */
	free(text);
}

static void streams(struct arena *a, struct container *c, const char *text)
{
	json_t *list = json_object();
	size_t half = strcspn(text, "\n");
	struct err e;

	json_object_set_new(list, "1", json_stringn(text, half));
	json_object_set_new(list, "2", json_string(text[half] ? text + half + 1 : "file[1:2]"));
	if (criu_write_inherit(c, list, &e) == 0)
		check_options(a, c, 2);
	else
		must(e.code == ERR_INVALID_ARGUMENT);
	json_decref(list);
}

static void labels(struct arena *a, struct container *c, const char *text)
{
	struct err e;

	if (strchr(text, '\n'))
		return; /* the kernel has no label with a newline */
	c->process_label = arena_printf(a, "%s%s%s%s", text, text, text, text);
	c->mount_label = text;
	must(criu_write_inherit(c, NULL, &e) == 0);
	check_options(a, c, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct container c = { .bundle = dir, .process_label = "", .mount_label = "" };
	struct arena *a;

	if (!*dir) {
		strcpy(dir, "/dev/shm/fuzz-criu-XXXXXX");
		must(mkdtemp(dir) != NULL);
		atexit(clean_up);
	}
	if (!size)
		return 0;
	a = arena_new();
	if (data[0] % 3 == 0)
		words(a, data + 1, size - 1);
	else if (data[0] % 3 == 1)
		streams(a, &c, arena_strndup(a, (const char *)data + 1, size - 1));
	else
		labels(a, &c, arena_strndup(a, (const char *)data + 1, size - 1));
	arena_free(a);
	return 0;
}
