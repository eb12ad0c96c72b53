/* sandbox_files.c - see sandbox_files.h. */
#include "procs/sandbox_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/namespaces.h"
#include "procs/selinux.h"
#include "reactor/buf.h"
#include "reactor/dir.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

/* LARGE: to unlink a file of 20 MiB takes 2 to 6 ms (ARCHITECTURE I2). */
enum { PATH_SIZE = 512, COPY_MAX = 16 << 20, LARGE = 1 << 20, BLOCK = 512 /* of st_blocks */,
       MOUNTS_MAX = 64 };

static const char *const names[] = { "hostname", "hosts", "resolv.conf" };
enum { NAMES = sizeof(names) / sizeof(*names) };
#define PIN_LINK "netns" /* in the sandbox's directory: a link to the pin of its network namespace */

static int (*discard_tree)(const char *path, struct err *e);

void sandbox_files_open(int (*discard)(const char *path, struct err *e))
{
	discard_tree = discard;
}

const char *sandbox_files_dir(const struct sandbox *s)
{
	return *s->files ? s->files : s->dir;
}

static void append_words(struct buf *text, const char *word, const struct strings *values)
{
	for (size_t i = 0; i < values->n; i++) {
		buf_puts(text, i ? " " : word);
		buf_puts(text, values->at[i]);
	}
	if (values->n)
		buf_puts(text, "\n");
}

/* The text of resolv.conf, in the arena; "" for an empty dns_config. */
static const char *sandbox_resolv_conf(const struct dns_config *dns, struct arena *a)
{
	struct buf text = { 0 };
	const char *copy;

	append_words(&text, "search ", &dns->searches);
	for (size_t i = 0; i < dns->servers.n; i++) {
		buf_puts(&text, "nameserver ");
		buf_puts(&text, dns->servers.at[i]);
		buf_puts(&text, "\n");
	}
	append_words(&text, "options ", &dns->options);
	copy = arena_strdup(a, buf_str(&text));
	buf_free(&text);
	return copy;
}

static int sandbox_file_create(const struct sandbox *s, const char *dir, const char *name, struct err *e)
{
	const struct ns_options *ns = &s->config.security.ns;
	char path[PATH_SIZE];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = EFFECT(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
	/* fchmod, because the umask may be stricter: every user of the pod must be able to read the file. */
	if (fd >= 0 && fchmod(fd, 0644) == 0 &&
	    (!ns_has_user(ns) || fchown(fd, ns_root_uid(ns), ns_root_gid(ns)) == 0) &&
	    selinux_label_fd(fd, s->mount_label) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return err_os(e, ERR_INTERNAL, "make %s", path);
}

static int sandbox_file_text(const struct sandbox *s, const char *name, const char *text, struct err *e)
{
	auto_fd int fd = sandbox_file_create(s, sandbox_files_dir(s), name, e);

	if (fd < 0)
		return -1;
	if (EFFECT(write(fd, text, strlen(text))) != (ssize_t)strlen(text))
		return err_os(e, ERR_INTERNAL, "write %s/%s", sandbox_files_dir(s), name);
	return 0;
}

void sandbox_files_look(struct lookup *l, const struct sandbox *s, const char *hosts, const char *resolv_conf)
{
	lookup_add(l, LOOKUP_TEXT, hosts);
	if (!s->config.dns.set)
		lookup_add(l, LOOKUP_TEXT, resolv_conf);
}

/* A file that the node does not have becomes an empty one. */
static int sandbox_file_copy(const struct sandbox *s, const char *name, struct lookup *l, const char *from,
			     struct err *e)
{
	auto_fd int to = sandbox_file_create(s, sandbox_files_dir(s), name, e);
	auto_free char *text = NULL;
	size_t len;

	if (to < 0)
		return -1;
	if (lookup_missing(l, LOOKUP_TEXT, from))
		return 0;
	text = lookup_read(l, from, COPY_MAX, &len, ERR_INTERNAL, e);
	if (!text)
		return -1;
	if (EFFECT(write(to, text, len)) != (ssize_t)len)
		return err_os(e, ERR_INTERNAL, "write %s/%s", sandbox_files_dir(s), name);
	return 0;
}

static int mount_shm(const struct sandbox *s, struct err *e)
{
	const struct ns_options *ns = &s->config.security.ns;
	char path[PATH_SIZE], options[PATH_SIZE];
	int n;

	snprintf(path, sizeof(path), "%s/shm", s->dir);
	n = snprintf(options, sizeof(options), "mode=1777,size=65536k,uid=%u,gid=%u", ns_root_uid(ns),
		     ns_root_gid(ns));
	if (*s->mount_label) /* quoted, because a label contains a comma */
		snprintf(options + n, sizeof(options) - (size_t)n, ",context=\"%s\"", s->mount_label);
	if (EFFECT(mkdir(path, 0711)) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "make %s", path);
	if (EFFECT(mount("shm", path, "tmpfs", MS_NOEXEC | MS_NOSUID | MS_NODEV, options)) < 0)
		return err_os(e, ERR_INTERNAL, "mount a tmpfs at %s", path);
	return 0;
}

/* Files and shm are open to every user of the pod: the directory keeps the node's other users out. */
int sandbox_files_close(const struct sandbox *s, struct err *e)
{
	return ns_close_dir(&s->config.security.ns, s->dir, e);
}

static int make_parent(const char *path, mode_t mode, struct err *e)
{
	char parent[PATH_SIZE];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return 0;
	*slash = '\0';
	return EFFECT(mkdir(parent, mode)) < 0 && errno != EEXIST ? err_os(e, ERR_INTERNAL, "make %s", parent) : 0;
}

/* <state>/sandboxes and <root>/sandbox-files, then the sandbox's own directories. No runtime goes to the files as the
 * root of a user namespace: it opens the sources of mounts before it enters. */
static int sandbox_make_dirs(const struct sandbox *s, struct err *e)
{
	if (make_parent(s->dir, 0711, e) < 0 || sandbox_files_close(s, e) < 0)
		return -1;
	if (!*s->files)
		return 0;
	return make_parent(s->files, 0700, e) < 0 ? -1 : dir_close(s->files, DIR_NO_GROUP, e);
}

/* The link is made before the pin and removed after it, so the pin is found even if the record is lost. */
int sandbox_files_begin(const struct sandbox *s, struct err *e)
{
	char path[PATH_SIZE];

	if (sandbox_make_dirs(s, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/" PIN_LINK, s->dir);
	if (*s->netns_path && EFFECT(symlink(s->netns_path, path)) < 0)
		return err_os(e, ERR_INTERNAL, "make %s", path);
	return 0;
}

const char *sandbox_files_pin(const char *dir, struct arena *a)
{
	char target[PATH_SIZE];
	ssize_t n = readlink(arena_printf(a, "%s/" PIN_LINK, dir), target, sizeof(target));

	return n > 0 && target[0] == '/' && n < (ssize_t)sizeof(target) ? arena_strndup(a, target, (size_t)n) : "";
}

int sandbox_files_make(const struct sandbox *s, const struct sandbox_files *f, struct err *e)
{
	struct arena *a = arena_new();
	int ret;

	ret = sandbox_file_text(s, "hostname", arena_printf(a, "%s\n", f->hostname), e);
	if (ret == 0)
		ret = sandbox_file_copy(s, "hosts", f->lookup, f->hosts, e);
	if (ret == 0)
		ret = s->config.dns.set
			      ? sandbox_file_text(s, "resolv.conf", sandbox_resolv_conf(&s->config.dns, a), e)
			      : sandbox_file_copy(s, "resolv.conf", f->lookup, f->resolv_conf, e);
	if (ret == 0 && s->config.security.ns.ipc != NS_NODE)
		ret = mount_shm(s, e);
	arena_free(a);
	return ret;
}

int sandbox_files_label(const struct sandbox *s, const char *label, struct err *e)
{
	char path[PATH_SIZE];

	for (size_t i = 0; *label && i < NAMES; i++) {
		auto_fd int fd = -1;

		snprintf(path, sizeof(path), "%s/%s", sandbox_files_dir(s), names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 ? errno != ENOENT : selinux_label_fd(fd, label) < 0)
			return err_os(e, ERR_INTERNAL, "label %s", path);
	}
	return 0;
}

const char *sandbox_files_pidfile(const struct sandbox *s, struct arena *a, struct err *e)
{
	auto_fd int fd = sandbox_file_create(s, s->dir, "pause.pid", e);

	return fd < 0 ? NULL : arena_printf(a, "%s/pause.pid", s->dir);
}

static uint64_t sandbox_files_bytes(const struct sandbox *s)
{
	char path[PATH_SIZE];
	uint64_t bytes = 0;
	struct stat st;

	for (size_t i = 0; i < NAMES; i++) {
		snprintf(path, sizeof(path), "%s/%s", sandbox_files_dir(s), names[i]);
		if (lstat(path, &st) == 0)
			bytes += (uint64_t)st.st_blocks * BLOCK;
	}
	return bytes;
}

uint64_t sandbox_files_share(const struct container *container)
{
	if (container->state != CONTAINER_RUNNING)
		return 0;
	/* The list is in the order of the records after a restart. */
	list_each(it, &container->sandbox->containers) {
		const struct container *c = container_of(it, struct container, of_sandbox);

		if (c->state == CONTAINER_RUNNING && c->created_at_ns < container->created_at_ns)
			return 0;
	}
	return sandbox_files_bytes(container->sandbox);
}

static int remove_dir(const char *path, struct err *e)
{
	return EFFECT(rmdir(path)) < 0 && errno != ENOENT ? err_os(e, ERR_INTERNAL, "remove %s", path) : 0;
}

static int remove_file(const char *dir, const char *name, struct err *e)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (EFFECT(unlink(path)) < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_os(e, ERR_INTERNAL, "remove %s", path);
	return 0;
}

static int remove_files(const struct sandbox *s, struct err *e)
{
	if (*s->files && discard_tree && sandbox_files_bytes(s) > LARGE)
		return discard_tree(s->files, e);
	for (size_t i = 0; i < NAMES; i++)
		if (remove_file(sandbox_files_dir(s), names[i], e) < 0)
			return -1;
	return *s->files ? remove_dir(s->files, e) : 0;
}

/* MNT_DETACH: the mount namespace of a dead container may still hold a copy of the mount for a moment. */
static int unmount_shm(const struct sandbox *s, struct err *e)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/shm", s->dir);
	for (int i = 0; i < MOUNTS_MAX && EFFECT(umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW)) == 0; i++)
		continue;
	return remove_dir(path, e);
}

int sandbox_files_remove(const struct sandbox *s, struct err *e)
{
	if (!*s->dir) /* of an earlier boot */
		return remove_files(s, e);
	if (unmount_shm(s, e) < 0 || remove_file(s->dir, "pause.pid", e) < 0 || remove_files(s, e) < 0 ||
	    remove_file(s->dir, PIN_LINK, e) < 0)
		return -1;
	return remove_dir(s->dir, e);
}
