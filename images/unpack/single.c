/* single.c - see single.h. The umask is 0. */
#include "images/unpack/single.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/path.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { BLOCK_BYTES = 4096, SPACE_EVERY_BYTES = 8 << 20 };

static int single_fail(const struct single_spec *s, struct err *e, const char *what)
{
	return err_os(e, errno == EFBIG ? ERR_RESOURCE_EXHAUSTED : ERR_INTERNAL, "%s: %s", log_quote(s->name), what);
}

static int single_put(const struct single_spec *s, int fd, struct input *in, struct content *content, struct err *e)
{
	if (s->contents)
		content_add(content, in->total - (in->len - in->pos), in->buf + in->pos, in->len - in->pos);
	while (in->pos < in->len) {
		ssize_t n = write(fd, in->buf + in->pos, in->len - in->pos);

		if (n < 0 && errno != EINTR)
			return single_fail(s, e, "write");
		in->pos += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The directory of the file, which is made with those above it; *base: the file's name in it. */
static int single_dir(const struct single_spec *s, const char **base, struct extracted *out, struct err *e)
{
	char dir[PATH_MAX];
	int fd;

	for (const char *slash = strchr(s->name, '/'); slash; slash = strchr(slash + 1, '/')) {
		memcpy(dir, s->name, (size_t)(slash - s->name));
		dir[slash - s->name] = '\0';
		if (mkdirat(s->root, dir, 0755) < 0)
			return single_fail(s, e, "make its directory");
		out->bytes += BLOCK_BYTES;
		out->inodes++;
	}
	fd = path_open_dir(s->root, s->name, base);
	return fd < 0 ? single_fail(s, e, "open its directory") : fd;
}

static int single_copy(const struct single_spec *s, int fd, struct input *in, struct err *e)
{
	struct content content = { 0 };
	uint64_t checked = 0;
	ssize_t n;

	while ((n = input_more(in, e)) > 0) {
		if (single_put(s, fd, in, &content, e) < 0)
			return -1;
		if (in->total - checked < SPACE_EVERY_BYTES)
			continue;
		checked = in->total;
		if (space_check(&s->min_free, s->root, e) < 0)
			return -1;
	}
	if (n < 0 || input_verify(in, s->digest, e) < 0)
		return -1;
	if (s->contents && contents_note(s->contents, fd, &content, in->total) < 0)
		return single_fail(s, e, "look at");
	return 0;
}

int single_write(const struct single_spec *s, struct input *in, struct extracted *out, struct err *e)
{
	auto_fd int dir = -1, fd = -1;
	const char *base;

	if (!*s->name || !path_is_clean(s->name))
		return err_set(e, ERR_INVALID_ARGUMENT, "%s is no name of a file", log_quote(s->name));
	if (in->spec.size_bytes > s->max_bytes)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "%s has more than %" PRIu64
			       " bytes (images.max_layer_bytes)", log_quote(s->name), s->max_bytes);
	if (space_check(&s->min_free, s->root, e) < 0)
		return -1;
	dir = single_dir(s, &base, out, e);
	if (dir < 0)
		return -1;
	fd = openat(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return single_fail(s, e, "make");
	if (single_copy(s, fd, in, e) < 0)
		return -1;
	out->bytes += (in->total + BLOCK_BYTES - 1) & ~(uint64_t)(BLOCK_BYTES - 1);
	out->inodes++;
	return 0;
}
