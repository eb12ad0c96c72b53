/* mount_host.c - see mount_host.h. */
#include "procs/mount_host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "reactor/own.h"

enum { TRIES = 32 }; /* openat2(2) with RESOLVE_IN_ROOT says EAGAIN when anything is renamed or mounted meanwhile */

struct looked *mount_host_path(struct lookup *l, enum lookup_kind kind, const char *host_path, struct err *e)
{
	struct looked *f;

	if (host_path[0] != '/') {
		err_set(e, ERR_INVALID_ARGUMENT, "host_path \"%s\" is not absolute", host_path);
		return NULL;
	}
	f = lookup_get(l, kind, host_path, e);
	if (!f || !f->error)
		return f;
	errno = f->error;
	err_os(e, ERR_INTERNAL, "host_path %s", host_path);
	return NULL;
}

const char *mount_inside(struct arena *a, const char *dir, const char *sub, struct err *e)
{
	auto_fd int root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	char self[40], path[PATH_MAX];
	auto_fd int fd = -1;
	ssize_t n;

	for (int i = 0; root >= 0 && i < TRIES && fd < 0 && (i == 0 || errno == EAGAIN); i++)
		fd = (int)syscall(SYS_openat2, root, sub[0] ? sub : ".", &how, sizeof(how));
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = fd < 0 ? -1 : readlink(self, path, sizeof(path) - 1);
	if (n < 0) {
		err_os(e, ERR_UNKNOWN, "image volume, image_sub_path \"%s\"", sub);
		e->reason = "ImageVolumeMountFailed";
		return NULL;
	}
	return arena_strndup(a, path, (size_t)n);
}

/* The optional fields stand between the sixth field and " - " (proc_pid_mountinfo(5)). */
void mount_peers_parse(const char *line, struct mount_peers *out)
{
	const char *end = strstr(line, " - ");
	const char *shared = strstr(line, " shared:"), *slave = strstr(line, " master:");

	out->shared = shared && end && shared < end;
	out->slave = slave && end && slave < end;
}

static int by_id(const void *x, const void *y)
{
	const struct mount_entry *a = x, *b = y;

	return (a->id > b->id) - (a->id < b->id);
}

/* A node has thousands of mounts, and a request may ask for as many: the file is read once for all of them. */
int mount_table_read(struct mount_table *out, struct arena *a, struct err *e)
{
	auto_file FILE *f = fopen("/proc/self/mountinfo", "re");
	auto_free char *line = NULL;
	size_t size = 0, room = 0;

	*out = (struct mount_table){ 0 };
	if (!f)
		return err_os(e, ERR_INTERNAL, "/proc/self/mountinfo");
	while (getline(&line, &size, f) > 0) {
		struct mount_entry *more = out->at;

		if (out->n == room) {
			room = room ? 2 * room : 64;
			more = arena_zalloc(a, room * sizeof(*more));
			if (out->n)
				memcpy(more, out->at, out->n * sizeof(*more));
		}
		out->at = more;
		more[out->n].id = strtoull(line, NULL, 10);
		mount_peers_parse(line, &more[out->n++].peers);
	}
	if (out->n)
		qsort(out->at, out->n, sizeof(*out->at), by_id);
	return 0;
}

int mount_peers(const struct mount_table *t, uint64_t mount_id, struct mount_peers *out, struct err *e)
{
	const struct mount_entry wanted = { .id = mount_id };
	const struct mount_entry *found = t->n ? bsearch(&wanted, t->at, t->n, sizeof(*t->at), by_id) : NULL;

	if (!found)
		return err_set(e, ERR_INTERNAL, "mount %llu is not in /proc/self/mountinfo",
			       (unsigned long long)mount_id);
	*out = found->peers;
	return 0;
}

/* The mount may be a copy of a FUSE mount: statx(2) must not ask its server. */
int mount_id_at(const char *path, uint64_t *id, struct err *e)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
		return err_os(e, ERR_INTERNAL, "statx %s", path);
	*id = st.stx_mnt_id;
	return 0;
}
