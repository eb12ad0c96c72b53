/* bundle.c - see bundle.h. */
#include "procs/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "reactor/fault.h"
#include "reactor/own.h"

static int write_whole(const char *path, const char *text, size_t len, struct err *e)
{
	auto_fd int fd = EFFECT(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));

	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "write %s", path);
	while (len > 0) {
		ssize_t n = EFFECT(write(fd, text, len));

		if (n < 0)
			return err_os(e, ERR_INTERNAL, "write %s", path);
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

int bundle_write_config(const char *bundle, const json_t *config, struct err *e)
{
	auto_free char *text = json_dumps(config, JSON_COMPACT);
	struct arena *a;
	const char *path, *tmp;
	int r;

	if (!text)
		return err_set(e, ERR_INVALID_ARGUMENT, "config.json: a string is not UTF-8");
	a = arena_new();
	path = arena_printf(a, "%s/config.json", bundle);
	tmp = arena_printf(a, "%s.tmp", path);
	r = write_whole(tmp, text, strlen(text), e);
	if (r == 0 && EFFECT(rename(tmp, path)) < 0)
		r = err_os(e, ERR_INTERNAL, "write %s", path);
	if (r < 0)
		EFFECT(unlink(tmp));
	arena_free(a);
	return r;
}

char *bundle_config_text(const char *bundle, struct arena *a, size_t *len, struct err *e)
{
	const char *path = arena_printf(a, "%s/config.json", bundle);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_os(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL, "open %s", path);
		return NULL;
	}
	text = arena_zalloc(a, (size_t)st.st_size + 1);
	for (*len = 0; *len < (size_t)st.st_size;) {
		ssize_t n = read(fd, text + *len, (size_t)st.st_size - *len);

		if (n <= 0) {
			err_set(e, ERR_INTERNAL, "read %s: %s", path,
				n < 0 ? strerror(errno) : "the file became shorter");
			return NULL;
		}
		*len += (size_t)n;
	}
	return text;
}

json_t *bundle_read_config(const char *bundle, struct err *e)
{
	struct arena *a = arena_new();
	size_t len;
	const char *text = bundle_config_text(bundle, a, &len, e);
	json_t *config = text ? json_parse_own(text, len, "config.json", e) : NULL;

	arena_free(a);
	return config;
}

json_t *bundle_read_process(const char *bundle, struct err *e)
{
	struct arena *a = arena_new();
	size_t len;
	const char *text = bundle_config_text(bundle, a, &len, e);
	json_t *process = text ? json_parse_early(text, len, "process") : NULL;
	json_t *config = process ? json_pack("{so}", "process", process)
			 : text ? json_parse_own(text, len, "config.json", e) : NULL;

	arena_free(a);
	return config;
}
