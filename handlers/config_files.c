/* config_files.c - see config_files.h. */
#include "handlers/config_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/own.h"
#include "reactor/small_file.h"
#include "reactor/words.h"

enum { ENTRIES_MAX = 1024 }; /* of the directory, whatever they are */

/* What another user may write is not this node's configuration. */
static int check_owner(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_os(e, ERR_INVALID_ARGUMENT, "stat %s", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: it belongs to user %u, and not to root", path, st.st_uid);
	if (st.st_mode & S_IWOTH)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: every user may write to it", path);
	return 0;
}

static int add_file(struct config_files *out, int fd, const char *path, size_t *bytes, struct arena *arena,
		    struct err *e)
{
	struct config_file *f = &out->at[out->n];
	size_t most = CONFIG_BYTES_MAX - *bytes;
	auto_free char *text = small_file_read_fd(fd, path, most, &f->len, ERR_INVALID_ARGUMENT, e);

	if (!text)
		return -1;
	f->path = arena_strdup(arena, path);
	f->text = memcpy(arena_zalloc(arena, f->len + 1), text, f->len);
	*bytes += f->len;
	out->n++;
	return 0;
}

/* A link is followed: whoever made it may write to the directory. O_NONBLOCK: a FIFO must not hold the daemon. */
static int add_part(struct config_files *out, int dir, const char *dir_path, const char *name, size_t *bytes,
		    struct arena *arena, struct err *e)
{
	const char *path = arena_printf(arena, "%s/%s", dir_path, name);
	auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_os(e, ERR_INVALID_ARGUMENT, "open %s", path);
	return check_owner(fd, path, e) < 0 ? -1 : add_file(out, fd, path, bytes, arena, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names that end in .yaml and do not begin with a dot. */
static int list_parts(DIR *dir, const char *path, const char **names, size_t *n, struct arena *arena, struct err *e)
{
	struct dirent *entry;
	size_t seen = 0;

	errno = 0;
	for (*n = 0; (entry = readdir(dir));) {
		if (++seen > ENTRIES_MAX)
			return err_set(e, ERR_INVALID_ARGUMENT, "%s: more than %d entries", path, ENTRIES_MAX);
		if (entry->d_name[0] == '.' || !word_ends_in(entry->d_name, CONFIG_SUFFIX))
			continue;
		if (*n == CONFIG_PARTS_MAX)
			return err_set(e, ERR_INVALID_ARGUMENT, "%s: more than %d files *" CONFIG_SUFFIX, path,
				       CONFIG_PARTS_MAX);
		names[(*n)++] = arena_strdup(arena, entry->d_name);
	}
	if (errno)
		return err_os(e, ERR_INVALID_ARGUMENT, "read %s", path);
	qsort(names, *n, sizeof(*names), by_name);
	return 0;
}

static int add_parts(struct config_files *out, const char *path, size_t *bytes, struct arena *arena, struct err *e)
{
	const char *names[CONFIG_PARTS_MAX];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), failed = 0;
	DIR *dir;
	size_t n = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_os(e, ERR_INVALID_ARGUMENT, "open %s", path);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_os(e, ERR_INVALID_ARGUMENT, "open %s", path);
	}
	failed = check_owner(fd, path, e) < 0 || list_parts(dir, path, names, &n, arena, e) < 0;
	for (size_t i = 0; !failed && i < n; i++)
		failed = add_part(out, fd, path, names[i], bytes, arena, e) < 0;
	closedir(dir);
	return failed ? -1 : 0;
}

int config_files_read(struct config_files *out, const char *path, struct arena *arena, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t bytes = 0;
	int stem;

	out->n = 0;
	if (fd < 0)
		return err_os(e, ERR_INVALID_ARGUMENT, "open %s", path);
	if (add_file(out, fd, path, &bytes, arena, e) < 0)
		return -1;
	if (!word_ends_in(path, CONFIG_SUFFIX))
		return 0;
	stem = (int)(strlen(path) - strlen(CONFIG_SUFFIX));
	return add_parts(out, arena_printf(arena, "%.*s.d", stem, path), &bytes, arena, e);
}
