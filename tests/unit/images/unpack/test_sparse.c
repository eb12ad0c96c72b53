/* test_sparse.c - sparse files in the four formats of GNU tar, and a tree that it packed, are unpacked unchanged. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reactor/own.h"
#include "tests/fakes/layer.h"
#include "tests/tap.h"

enum { HOLE = 256 << 10, PIECES = 40 };

static char source[256];

static struct buf packed_by(const char *const *argv)
{
	struct buf out = { 0 };
	int ends[2], status;
	pid_t pid;

	if (pipe(ends) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		close(ends[0]);
		close(ends[1]);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(ends[1]);
	while (buf_read(&out, ends[0], 1 << 20) > 0)
		continue;
	close(ends[0]);
	waitpid(pid, &status, 0);
	if (status != 0)
		buf_free(&out);
	return out;
}

/* 40 pieces of 5 bytes between holes: more than a header and one extension block can hold. */
static void make_source(void)
{
	char path[512];
	int fd;

	snprintf(source, sizeof(source), "%s/source", layer_root);
	mkdir(source, 0755);
	snprintf(path, sizeof(path), "%s/islands", source);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	for (int i = 0; i < PIECES; i++)
		if (pwrite(fd, "islet", 5, (off_t)i * HOLE + 3) != 5)
			abort();
	if (ftruncate(fd, (off_t)PIECES * HOLE + 12345) < 0)
		abort();
	close(fd);
	snprintf(path, sizeof(path), "%s/sea", source);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	if (ftruncate(fd, 10 << 20) < 0)
		abort();
	close(fd);
}

static bool same_bytes(const char *name)
{
	int fd = open(layer_path(name, "islands"), O_RDONLY | O_CLOEXEC);
	size_t size = (size_t)PIECES * HOLE + 12345;
	auto_free char *got = own_must(calloc(1, size + 1)), *want = own_must(calloc(1, size + 1));
	bool same;

	for (int i = 0; i < PIECES; i++)
		memcpy(want + (size_t)i * HOLE + 3, "islet", 5);
	same = fd >= 0 && read(fd, got, size + 1) == (ssize_t)size && memcmp(got, want, size) == 0;
	close(fd);
	return same;
}

static void four_formats(void)
{
	static const char *const formats[][2] = {
		{ "--format=gnu", "-b1" },
		{ "--format=pax", "--sparse-version=0.0" },
		{ "--format=pax", "--sparse-version=0.1" },
		{ "--format=pax", "--sparse-version=1.0" },
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		const char *argv[] = { "tar", "-S", formats[i][0], formats[i][1], "-C", source, "-cf", "-", ".", NULL };
		struct buf t = packed_by(argv);
		char name[16];

		if (t.len == 0) {
			printf("# no GNU tar here\n");
			return;
		}
		snprintf(name, sizeof(name), "sparse%zu", i);
		ok(t.len < 1 << 20 && layer_tar(name, &t));
		ok(same_bytes(name));
		ok(layer_stat(name, "islands").st_blocks <= PIECES * 16);
		ok(layer_stat(name, "sea").st_size == 10 << 20 && layer_stat(name, "sea").st_blocks < 16);
		ok((layer_stat(name, "sea").st_mode & 07777) == 0640);
	}
}

int main(void)
{
	if (!layer_open())
		return printf("1..0 # SKIP needs root\n"), 0;
	make_source();
	four_formats();
	layer_close();
	return tap_end();
}
