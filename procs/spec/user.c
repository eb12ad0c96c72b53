/* user.c - process.user: the user and groups of the container's first process, from CRI and the image's etc/passwd
 * and etc/group.
 *
 *   user:   run_as_username, else run_as_user, else the image's USER; a name needs an entry in passwd, a number does
 *           not; a number is never a name (ARCHITECTURE P60)
 *   group:  run_as_group, else USER's ":group", else the gid of the entry, else 0
 *   groups: the gid, the groups that list the user (policy Merge), supplemental_groups; sorted, each once
 *
 * Specs: CRI v1 LinuxContainerSecurityContext, SupplementalGroupsPolicy; OCI image-spec config.md "User". */
#include "procs/spec/user.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "procs/spec/part.h"

enum {
	FILE_MAX = 1 << 20, /* bytes of etc/passwd or etc/group (ARCHITECTURE P22) */
	GROUPS_MAX = 65536, /* NGROUPS_MAX of the kernel */
	TRIES = 32,	    /* openat2(2) with RESOLVE_IN_ROOT says EAGAIN when anything is renamed meanwhile */
};

static struct span span_of(const char *s)
{
	return (struct span){ s, strlen(s) };
}

/* The rootfs comes from an image: its symbolic links must not lead out, and only a regular file is opened. */
static int open_inside(const char *rootfs, const char *path)
{
	auto_fd int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	auto_fd int fd = -1;
	char self[40];
	struct stat st;

	for (int i = 0; root >= 0 && i < TRIES && fd < 0 && (i == 0 || errno == EAGAIN); i++)
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return open(self, O_RDONLY | O_CLOEXEC);
}

/* A missing file counts as empty. */
static int read_inside(struct spec *s, const char *path, struct span *out, struct err *e)
{
	auto_fd int fd = open_inside(s->in->rootfs, path);
	struct stat st;
	char *text;
	ssize_t n;

	*out = (struct span){ "", 0 };
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0
							   : err_os(e, ERR_INVALID_ARGUMENT, "the image's /%s", path);
	if (fstat(fd, &st) < 0)
		return err_os(e, ERR_INTERNAL, "the image's /%s", path);
	if (st.st_size > FILE_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "the image's /%s: larger than %d bytes", path, FILE_MAX);
	text = arena_zalloc(s->a, (size_t)st.st_size + 1);
	while (out->len < (size_t)st.st_size && (n = read(fd, text + out->len, (size_t)st.st_size - out->len)) != 0) {
		if (n < 0)
			return err_os(e, ERR_INTERNAL, "the image's /%s", path);
		out->len += (size_t)n;
	}
	out->at = text;
	return 0;
}

struct user_wanted {
	struct span user, group; /* name or number; group.len 0: the group of the user's entry */
	const char *field;	 /* the field that names the user */
};

static int user_wanted(struct spec *s, struct user_wanted *w, struct err *e)
{
	const struct security *sec = s->sec;
	bool by_name = sec->run_as_username[0] != '\0';
	const char *colon;

	*w = (struct user_wanted){ .field = "the image's USER", .user = span_of(s->c->image.user) };
	if (by_name && sec->run_as_user.set)
		return err_set(e, ERR_INVALID_ARGUMENT, "run_as_user and run_as_username are both set");
	if (sec->run_as_group.set && !by_name && !sec->run_as_user.set)
		return err_set(e, ERR_INVALID_ARGUMENT, "run_as_group is set without run_as_user or run_as_username");
	if (sec->run_as_group.set)
		w->group = span_of(arena_printf(s->a, "%lld", (long long)sec->run_as_group.value));
	if (by_name) {
		w->field = "run_as_username";
		w->user = span_of(sec->run_as_username);
	} else if (sec->run_as_user.set) {
		w->field = "run_as_user";
		w->user = span_of(arena_printf(s->a, "%lld", (long long)sec->run_as_user.value));
	} else if ((colon = strchr(s->c->image.user, ':')) != NULL) {
		w->user.len = (size_t)(colon - s->c->image.user);
		w->group = span_of(colon + 1);
	}
	if (w->user.len == 0)
		w->user = span_of("0");
	return 0;
}

static int by_numbers(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return (a > b) - (a < b);
}

static int collect_groups(struct spec *s, struct span group_file, struct span name, struct err *e)
{
	const struct ints *more = &s->sec->supplemental_groups;
	bool merge = s->sec->groups_policy == GROUPS_MERGE && name.len > 0;
	size_t listed = merge ? group_memberships(group_file, name, NULL, 0) : 0, n = 1 + listed + more->n, kept = 0;
	int64_t *gids;

	if (n > GROUPS_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "the user is in more than %d groups", GROUPS_MAX);
	gids = arena_zalloc(s->a, n * sizeof(*gids));
	gids[0] = s->c->gid;
	if (merge)
		group_memberships(group_file, name, gids + 1, listed);
	for (size_t i = 0; i < more->n; i++) {
		if (!id_valid(more->at[i]))
			return err_set(e, ERR_INVALID_ARGUMENT, "supplemental_groups: %lld is not a group id",
				       (long long)more->at[i]);
		gids[1 + listed + i] = more->at[i];
	}
	qsort(gids, n, sizeof(*gids), by_numbers);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || gids[i] != gids[i - 1])
			gids[kept++] = gids[i];
	s->c->groups = (struct ints){ arena_memdup(s->c->arena, gids, kept * sizeof(*gids)), kept };
	return 0;
}

static int check_number(const char *field, const char *what, struct span text, struct err *e)
{
	int64_t id;

	return !id_is_number(text) || id_parse(text, &id)
		       ? 0
		       : err_set(e, ERR_INVALID_ARGUMENT, "%s: %.*s is not a %s id", field, (int)text.len, text.at,
				 what);
}

/* Without HOME in config.json each runtime fills it in: runc with "/" for a uid that has no line in passwd, crun 1.8.1
 * not at all. (ARCHITECTURE P61) */
static void user_home(struct spec *s, struct span home)
{
	if (home.len == 0 || home.at[0] != '/' || memchr(home.at, 0, home.len))
		home = span_of("/");
	if (!spec_has_env(s, "HOME"))
		spec_set_env(s, arena_printf(s->a, "HOME=%.*s", (int)home.len, home.at));
}

static int user_resolve(struct spec *s, const struct user_wanted *w, struct span passwd, struct span group,
			struct err *e)
{
	struct passwd_entry entry = { 0 };
	bool known, number;

	if (check_number(w->field, "user", w->user, e) < 0 ||
	    check_number(s->sec->run_as_group.set ? "run_as_group" : w->field, "group", w->group, e) < 0)
		return -1;
	number = id_parse(w->user, &s->c->uid);
	known = number ? passwd_by_uid(passwd, s->c->uid, &entry) : passwd_by_name(passwd, w->user, &entry);
	if (!number && !known)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s \"%.*s\": no such user in the image", w->field,
			       (int)w->user.len, w->user.at);
	if (known)
		s->c->uid = entry.uid;
	s->c->gid = known ? entry.gid : 0;
	if (w->group.len && !id_parse(w->group, &s->c->gid) && !group_by_name(group, w->group, &s->c->gid))
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: no such group \"%.*s\" in the image", w->field,
			       (int)w->group.len, w->group.at);
	user_home(s, known ? entry.home : (struct span){ "", 0 });
	return collect_groups(s, group, known ? entry.name : (struct span){ "", 0 }, e);
}

bool spec_image_uid(const char *user, int64_t *uid)
{
	return id_parse((struct span){ user, strcspn(user, ":") }, uid);
}

int spec_user(struct spec *s, struct err *e)
{
	struct span passwd, group;
	struct user_wanted w;
	json_t *user, *gids;

	if (s->sec->groups_policy != GROUPS_MERGE && s->sec->groups_policy != GROUPS_STRICT)
		return err_set(e, ERR_INVALID_ARGUMENT, "supplemental_groups_policy %d is unknown",
			       s->sec->groups_policy);
	if (user_wanted(s, &w, e) < 0 || read_inside(s, "etc/passwd", &passwd, e) < 0 ||
	    read_inside(s, "etc/group", &group, e) < 0 || user_resolve(s, &w, passwd, group, e) < 0)
		return -1;
	gids = own_must(json_array());
	for (size_t i = 0; i < s->c->groups.n; i++)
		spec_add(gids, json_integer(s->c->groups.at[i]));
	user = json_pack("{s:I,s:I,s:o}", "uid", (json_int_t)s->c->uid, "gid", (json_int_t)s->c->gid, "additionalGids",
			 gids);
	spec_put(s->process, "user", user);
	return 0;
}
