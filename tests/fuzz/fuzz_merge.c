/* fuzz_merge.c - files that an image's author chooses, in two layers and a third one that is finished above them.
 *
 * Input: steps of { what and in which layer, path, text of a link }, each text ends with a NUL. After each look-up the
 * path that was found is canonical and is found again; after the merge no file stands beside the three layers. */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/unpack/merge.h"
#include "images/path.h"
#include "images/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { LAYERS = 3, STEPS_MAX = 64, TEXT_MAX = 256 };

static char top[64];
static int top_fd = -1, layers[LAYERS]; /* the last one is finished */

struct input {
	const uint8_t *at;
	size_t left;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void clean_up(void)
{
	rmdir(top);
}

static void open_layers(void)
{
	if (top_fd < 0) {
		strcpy(top, "/dev/shm/fuzz-merge-XXXXXX");
		umask(0);
		must(mkdtemp(top) && (top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
		atexit(clean_up);
	}
	for (int i = 0; i < LAYERS; i++) {
		char name[2] = { (char)('0' + i), '\0' };

		must(mkdirat(top_fd, name, 0755) == 0);
		layers[i] = openat(top_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		must(layers[i] >= 0);
	}
}

static void close_layers(void)
{
	struct stat st;
	struct err e;

	for (int i = 0; i < LAYERS; i++) {
		char name[2] = { (char)('0' + i), '\0' };

		close(layers[i]);
		must(tree_remove(top_fd, name, &e) == 0);
	}
	must(fstat(top_fd, &st) == 0 && st.st_nlink == 2);
	must(rmdir(top) == 0 && mkdir(top, 0700) == 0); /* it was empty */
	close(top_fd);
	must((top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
}

static int byte_of(struct input *in)
{
	if (!in->left)
		return -1;
	in->left--;
	return *in->at++;
}

static const char *text_of(struct input *in, char out[TEXT_MAX])
{
	size_t n = 0;
	int c;

	while ((c = byte_of(in)) > 0 && n < TEXT_MAX - 1)
		out[n++] = (char)c;
	out[n] = '\0';
	return out;
}

/* Makes one file; what the kernel refuses is left out. */
static void make(int layer, int what, const char *path, const char *text)
{
	const char *base;
	int dir = path_open_dir(layer, path, &base), fd;

	if (dir < 0 || !*path) {
		if (dir >= 0)
			close(dir);
		return;
	}
	switch (what) {
	case 0: mkdirat(dir, base, 0755); break;
	case 1:
		fd = openat(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 04644);
		if (fd >= 0) {
			must(write(fd, text, strlen(text)) >= 0);
			close(fd);
		}
		break;
	case 2: symlinkat(text, dir, base); break;
	case 3: mknodat(dir, base, S_IFCHR, makedev(0, 0)); break;
	case 4: mknodat(dir, base, S_IFIFO | 0644, 0); break;
	default:
		fd = openat(dir, base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0) {
			fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0);
			close(fd);
		}
	}
	close(dir);
}

static void look(const char *text)
{
	struct view view = { layers, LAYERS };
	struct view_hit hit, again;

	if (view_find(&view, text, &hit) != 1)
		return;
	must(hit.layer < LAYERS && path_is_clean(hit.path));
	must(view_look(&view, hit.path, &again) == 1 && again.layer == hit.layer && again.st.st_ino == hit.st.st_ino);
}

static void step(struct input *in, struct report *r)
{
	char raw[TEXT_MAX], text[TEXT_MAX], path[PATH_MAX], target[PATH_MAX];
	int what = byte_of(in);
	struct err e;

	if (path_clean(text_of(in, raw), path, &e) < 0)
		return;
	text_of(in, text);
	switch (what >> 2) {
	case 6: look(text); break;
	case 7:
		if (*path && path_clean(text, target, &e) == 0 && *target)
			report_link(r, path, target);
		break;
	case 8:
		if (*path)
			report_invented(r, path);
		break;
	case 9: report_opaque(r, path); break;
	default: make(layers[(what & 3) % LAYERS], (what >> 2) % 6, path, text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct space all = { 0, 0 };
	struct view parents = { layers, LAYERS - 1 };
	struct input in = { data, n };
	struct report r;
	struct err e;

	open_layers();
	report_open(&r);
	for (int i = 0; i < STEPS_MAX && in.left; i++)
		step(&in, &r);
	if (merge_mark_opaque(layers[LAYERS - 1], &r, &e) == 0)
		merge_finish(layers[LAYERS - 1], &parents, &r, &all, &e);
	report_close(&r);
	close_layers();
	return 0;
}
