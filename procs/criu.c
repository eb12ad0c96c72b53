/* criu.c - see criu.h. */
#include "procs/criu.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/bundle.h"
#include "procs/runtime.h"
#include "reactor/buf.h"
#include "reactor/fault.h"
#include "reactor/own.h"

enum { LOG_MAX = 1 << 20, WORDS_MAX = 400, CONFIG_MAX = 1 << 16 };

/* ---- what CRIU says ---- */

static void append_words(char *words, const char *line, size_t n)
{
	size_t used = strlen(words);

	if (used > 0 && used + 2 < WORDS_MAX)
		used += (size_t)snprintf(words + used, WORDS_MAX - used, "; ");
	snprintf(words + used, WORDS_MAX - used, "%.*s", (int)n, line);
}

/* Lines look like "(00.047874) Error (criu/mount.c:815): mnt: …"; the first ones are the cause. */
const char *criu_words(const char *log, struct arena *a)
{
	static const char mark[] = "Error (";
	auto_fd int fd = open(log, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_free char *text = fd < 0 ? NULL : own_must(calloc(1, LOG_MAX + 1));
	ssize_t n = fd < 0 ? 0 : read(fd, text, LOG_MAX);
	char *words = arena_zalloc(a, WORDS_MAX);

	for (char *at = n > 0 ? text : NULL; at && (at = strstr(at, mark)); at += strcspn(at, "\n")) {
		size_t len = strcspn(at, "\n");
		const char *what = memmem(at, len, "): ", 3);

		if (what)
			append_words(words, what + 3, len - (size_t)(what + 3 - at));
	}
	for (char *at = words; *at; at++)
		if (iscntrl((unsigned char)*at) || (unsigned char)*at >= 0x80)
			*at = ' ';
	return words;
}

/* ---- the streams ---- */

/* The id of the mount through which the process has opened the file as that fd; 0: its fd is another file. */
static unsigned long mount_of(pid_t pid, int fd, const struct stat *want)
{
	char path[64], line[128];
	unsigned long id = 0;
	struct stat st;
	auto_file FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	if (stat(path, &st) < 0 || st.st_dev != want->st_dev || st.st_ino != want->st_ino)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "mnt_id: %lu", &id) == 1)
			return id;
	return 0;
}

/* The first process may have replaced its fd 1 or 2, while other processes of the container still have the stream open.
 * Then CRIU's name of the stream has the id of the mount through which this daemon sees the FIFO. */
static void add_stream(const struct container *c, json_t *streams, int fd)
{
	struct arena *a = arena_new();
	const char *path = arena_printf(a, "%s/%s", c->bundle, fd == 1 ? "stdout" : "stderr"),
		   *key = arena_printf(a, "%d", fd);
	struct statx x;
	struct stat st;

	if (stat(path, &st) == 0 && statx(AT_FDCWD, path, 0, STATX_MNT_ID, &x) == 0) {
		unsigned long mount = mount_of(c->pid, fd, &st);

		json_object_set_new(streams, key,
				    json_string(arena_printf(a, "file[%lx:%llx]",
							     mount ? mount : (unsigned long)x.stx_mnt_id,
							     (unsigned long long)st.st_ino)));
	}
	arena_free(a);
}

json_t *criu_streams(const struct container *c)
{
	json_t *streams = own_must(json_object());

	if (c->config.tty)
		return streams;
	add_stream(c, streams, 1);
	add_stream(c, streams, 2);
	return streams;
}

const char *criu_config_path(const struct container *c, struct arena *a)
{
	return arena_printf(a, "%s/criu.conf", c->bundle);
}

static int write_file(const char *path, const void *text, size_t n, struct err *e)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd < 0 || EFFECT(write(fd, text, n)) != (ssize_t)n ? err_os(e, ERR_INTERNAL, "write %s", path) : 0;
}

static int write_config(const struct container *c, const char *text, struct err *e)
{
	struct arena *a = arena_new();
	int r = write_file(criu_config_path(c, a), text, strlen(text), e);

	arena_free(a);
	return r;
}

int criu_write_external(const struct container *c, struct err *e)
{
	auto_json json_t *streams = criu_streams(c);
	char text[256] = "";
	const char *key;
	json_t *v;

	json_object_foreach (streams, key, v)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "external %s\n", json_string_value(v));
	return write_config(c, text, e);
}

/* Told by the file name of the program. */
static bool is_crun(const struct container *c)
{
	const struct runtime_handler *h = container_handler(c);

	return h && strcmp(strrchr(h->path, '/'), "/crun") == 0;
}

static int add_file(struct buf *b, struct lookup *l, const char *path, struct err *e)
{
	size_t len;
	auto_free char *text = lookup_read(l, path, CONFIG_MAX, &len, ERR_INTERNAL, e);

	if (!text)
		return -1;
	buf_append(b, text, len);
	buf_puts(b, "\n");
	return 0;
}

static const char runc_conf[] = "/etc/criu/runc.conf", crun_conf[] = "/etc/criu/crun.conf";

void criu_look(struct lookup *l)
{
	lookup_add(l, LOOKUP_TEXT, runc_conf);
	lookup_add(l, LOOKUP_TEXT, crun_conf);
}

/* With the annotation org.criu.config the runtime no longer reads the user's file. So that file is copied in first; our
 * line comes last, because CRIU takes the last of two that contradict. crun looks for crun.conf before runc.conf. */
static int rpc_config(const struct container *c, struct lookup *l, struct buf *b, struct err *e)
{
	const char *users = is_crun(c) && !lookup_missing(l, LOOKUP_TEXT, crun_conf) ? crun_conf : runc_conf;

	if (!lookup_missing(l, LOOKUP_TEXT, users) && add_file(b, l, users, e) < 0)
		return -1;
	buf_puts(b, "manage-cgroups=ignore\n");
	return 0;
}

static int write_rpc_config(const struct container *c, struct lookup *l, const char *path, struct err *e)
{
	struct buf b = { 0 };
	int r = rpc_config(c, l, &b, e) < 0 ? -1 : write_file(path, b.at, b.len, e);

	buf_free(&b);
	return r;
}

/* CRIU moves restored processes into the cgroup in which they were dumped, on cgroup v2 even when the runtime names
 * another root. The runtime has put CRIU itself into the new container's cgroup, so `manage-cgroups=ignore` leaves the
 * processes there. The runtime sets the opposite by RPC; only the file of this annotation overrides that.
 * (ARCHITECTURE X17) */
int criu_keep_cgroup(const struct container *c, struct lookup *l, struct err *e)
{
	auto_json json_t *config = bundle_read_config(c->bundle, e);
	json_t *notes = json_object_get(config, "annotations");
	struct arena *a = arena_new();
	const char *path = arena_printf(a, "%s/criu-rpc.conf", c->bundle);
	int r = config ? write_rpc_config(c, l, path, e) : -1;

	if (r == 0) {
		json_object_set_new(notes, "org.criu.config", json_string(path));
		r = bundle_write_config(c->bundle, config, e);
	}
	arena_free(a);
	return r;
}

int criu_write_inherit(const struct container *c, const json_t *streams, struct err *e)
{
	struct buf text = { 0 };
	int r;

	for (int fd = 1; fd <= 2; fd++) {
		const json_t *v = json_object_get(streams, fd == 1 ? "1" : "2");
		const char *s = json_string_value(v);
		unsigned long mount;
		unsigned long long inode;
		int end = 0;

		if (!v)
			continue;
		/* Written again from the parsed numbers: text from outside must not become a line of CRIU's options. */
		if (!s || sscanf(s, "file[%lx:%llx]%n", &mount, &inode, &end) != 2 || end == 0 || s[end]) {
			buf_free(&text);
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "the checkpoint's streams are not a list of external files");
		}
		buf_printf(&text, "inherit-fd fd[%d]:file[%lx:%llx]\n", fd, mount, inode);
	}
	/* Until restored.h has looked at them. Not in criu_keep_cgroup()'s file, which a later dump reads too: the dump
	 * would leave them stopped. */
	buf_puts(&text, "leave-stopped\n");
	/* The processes get this container's label, not the label with which they were dumped. */
	if (*c->process_label)
		buf_printf(&text, "lsm-profile selinux:%s\n", c->process_label);
	if (*c->mount_label)
		buf_printf(&text, "lsm-mount-context %s\n", c->mount_label);
	r = write_config(c, buf_str(&text), e);
	buf_free(&text);
	return r;
}
