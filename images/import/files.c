/* files.c - see files.h. */
#include "images/import/files.h"

#include <fcntl.h>
#include <string.h>

#include "images/document.h"
#include "images/manifest.h"
#include "images/ref.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/small_file.h"

json_t *layout_json(const char *dir, const char *file, struct err *e)
{
	struct arena *a = arena_new();
	const char *path = arena_printf(a, "%s/fs/%s", dir, file);
	auto_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_free char *text = NULL;
	json_t *j = NULL;
	size_t len;

	if (fd < 0)
		err_os(e, ERR_INVALID_ARGUMENT, "open %s", file);
	else
		text = small_file_read_fd(fd, file, MANIFEST_MAX_BYTES, &len, ERR_INVALID_ARGUMENT, e);
	if (text)
		j = document_parse(text, len, file, e);
	arena_free(a);
	return j;
}

bool layout_has(const char *dir, const char *file, mode_t type)
{
	struct arena *a = arena_new();
	struct stat st;
	bool is = lstat(arena_printf(a, "%s/fs/%s", dir, file), &st) == 0 && (st.st_mode & S_IFMT) == type;

	arena_free(a);
	return is;
}

/* A whole name, or with `base` a tag for it: "docker.io/library/busybox:1.36", "1.36". */
const char *layout_name(const char *said, const char *base, struct arena *a, struct err *e)
{
	bool tag_only = *said && !strpbrk(said, "/:@");
	struct ref ref;

	if (tag_only && !*base) {
		err_set(e, ERR_INVALID_ARGUMENT, "the image has the tag %.128s and no name: give one by --name",
			log_quote(said));
		return NULL;
	}
	if (ref_parse(&ref, tag_only || !*said ? base : said, a, e) < 0)
		return NULL;
	if (tag_only) {
		said = arena_printf(a, "%s/%s:%s", ref.domain, ref.repository, said);
		if (ref_parse(&ref, said, a, e) < 0)
			return NULL;
	}
	return *ref.digest ? ref_digested(&ref, ref.digest, a) : ref_tagged(&ref, a);
}
