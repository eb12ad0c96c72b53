/* wipe.c - the command wipe: removes what crisp has on a node where it does not run and has no pods.
 *
 * Only entries that crisp itself makes are removed, by their names, in directories that have the mark of crisp: a lock,
 * which wipe holds meanwhile, so that no crisp starts. rm(1) walks through the trees: it follows no link and enters no
 * other file system. (ARCHITECTURE R118) */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/cli/capture.h"
#include "handlers/cli/command.h"
#include "handlers/cli/ready_config.h"
#include "handlers/cli/wipe_force.h"
#include "reactor/own.h"
#include "reactor/places.h"

/* At its start crispd tries overlayfs, and runtimes in a user namespace. A crispd that is killed then leaves mounts. */
#define PROBE "overlay-probe" /* mnt */
#define TRIALS "userns-trial" /* NAME/rootfs */

enum { RM_MS = 3600 * 1000, RM_WORDS = 4096, LOCKS_MAX = 8, LOCK_TURN_MS = 50, LOCK_PATIENCE_MS = 30 * 1000 };

/* Of `root`: what belongs to pods and to work under way; and images. The mark is last. */
static const char *const root_leftovers[] = { "containers", "sandboxes", "snapshots", "sandbox-files", "checkpoints",
					      "gone", "ingest", "partial", PROBE, READY_CONFIG,
					      READY_CONFIG ".tmp", NULL };
static const char *const root_images[] = { "images", "layers", "layer-records", "blobs", "shifted", "empty", "boot",
					   "boot.tmp", "lock", NULL };
static const char *const state_entries[] = { "containers", "sandboxes", "runtime", "console", TRIALS,
					     "crisp.sock", "http.sock", "stream.sock", "keeper.sock", "anchor.sock",
					     "nri.sock", READY_CONFIG, READY_CONFIG ".tmp", "keeper.underway", "flight",
					     "net.lock", "front.lock", "anchor.lock", "crispd.lock", "keeper.lock",
					     NULL };
static const char *const state_locks[] = { "front.lock", "anchor.lock", "keeper.lock", "crispd.lock", NULL };

struct wipe {
	struct arena *arena;
	const char *root, *state; /* real paths; state NULL: there is none */
	bool images, dry_run;
	bool ended;               /* --force has ended a crisp: its last processes are waited for */
	int locks[LOCKS_MAX];     /* held until the program ends */
	size_t nlocks;
};

/* ---- what must hold before anything is removed ---- */

/* The real path of a directory that belongs to root alone. *there false: there is none. */
static const char *wipe_dir(struct wipe *w, const char *path, bool *there, struct err *e)
{
	char real[PATH_MAX];
	struct stat st;

	*there = true;
	if (path[0] != '/')
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: an absolute path is expected", path), NULL;
	if (!realpath(path, real)) {
		*there = errno != ENOENT;
		return err_os(e, ERR_FAILED_PRECONDITION, "%s", path), NULL;
	}
	if (stat(real, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022))
		return err_set(e, ERR_FAILED_PRECONDITION, "%s is no directory that only root can change", real), NULL;
	if (strcmp(real, "/") == 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "/ is no directory of crisp"), NULL;
	return arena_strdup(w->arena, real);
}

/* `needed`: the lock is the mark of crisp. */
static int wipe_lock(struct wipe *w, const char *dir, const char *name, bool needed, struct err *e)
{
	const char *path = arena_printf(w->arena, "%s/%s", dir, name);
	auto_fd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT && !needed)
		return 0;
	if (fd < 0)
		return err_os(e, ERR_FAILED_PRECONDITION, "%s, which each crisp makes", path);
	for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited_ms += LOCK_TURN_MS) {
		if (!w->ended || waited_ms >= LOCK_PATIENCE_MS)
			return err_set(e, ERR_FAILED_PRECONDITION,
				       "%s is held: stop crisp first, and remove its pods before (or --force)", path);
		poll(NULL, 0, LOCK_TURN_MS); /* nothing tells when another process gives a lock back */
	}
	w->locks[w->nlocks++] = take_fd(&fd);
	return 0;
}

static int wipe_lock_all(struct wipe *w, struct err *e)
{
	if (wipe_lock(w, w->root, "lock", true, e) < 0)
		return -1;
	for (size_t i = 0; w->state && state_locks[i]; i++)
		if (wipe_lock(w, w->state, state_locks[i], strcmp(state_locks[i], "keeper.lock") == 0, e) < 0)
			return -1;
	return 0;
}

/* A pod's record, also a damaged one, or its directory: its network and its processes are not given back yet. */
static int wipe_needs_empty(struct wipe *w, const char *dir, const char *name, struct err *e)
{
	const char *path = arena_printf(w->arena, "%s/%s", dir, name);
	auto_dir DIR *d = opendir(path);
	const struct dirent *one;

	if (!d)
		return errno == ENOENT ? 0 : err_os(e, ERR_FAILED_PRECONDITION, "%s", path);
	while ((one = readdir(d)))
		if (one->d_name[0] != '.')
			return err_set(e, ERR_FAILED_PRECONDITION,
				       "%s/%s is of a pod: start crisp, then `crisp rm -f` or --force", path,
				       one->d_name);
	return 0;
}

/* The entry of `dir` that the path is or is in. */
static bool is_in_entry(const char *path, const char *dir, const char *const *names)
{
	const char *entry = path + strlen(dir) + 1;
	size_t len = strcspn(entry, "/");

	for (; names && *names; names++)
		if (strlen(*names) == len && strncmp(*names, entry, len) == 0)
			return true;
	return false;
}

/* mountinfo writes a space as \040, so a path that has one is refused. but: entries in which a mount is allowed, or
 * NULL. */
static int wipe_needs_no_mount(const char *dir, const char *const *but, struct err *e)
{
	auto_file FILE *f = fopen("/proc/self/mountinfo", "re");
	auto_free char *line = NULL;
	size_t size = 0, len = strlen(dir);

	if (dir[strcspn(dir, " \t\n\\")])
		return err_set(e, ERR_FAILED_PRECONDITION, "%s: a path with blanks is not wiped", dir);
	if (!f)
		return err_os(e, ERR_INTERNAL, "/proc/self/mountinfo");
	while (getline(&line, &size, f) > 0) {
		char at[PATH_MAX];

		if (sscanf(line, "%*s %*s %*s %*s %4095s", at) != 1)
			return err_set(e, ERR_INTERNAL, "/proc/self/mountinfo: a line without a mount point");
		if (strncmp(at, dir, len) == 0 && at[len] == '/' && !is_in_entry(at, dir, but))
			return err_set(e, ERR_FAILED_PRECONDITION, "%s is a mount: unmount it first", at);
	}
	return ferror(f) ? err_os(e, ERR_INTERNAL, "/proc/self/mountinfo") : 0;
}

static void wipe_unmount(struct wipe *w, const char *dir, const char *name, const char *below)
{
	umount2(arena_printf(w->arena, "%s/%s/%s", dir, name, below), MNT_DETACH | UMOUNT_NOFOLLOW);
}

static void wipe_unmount_own(struct wipe *w)
{
	const char *trials = w->state ? arena_printf(w->arena, "%s/" TRIALS, w->state) : NULL;
	auto_dir DIR *d = trials ? opendir(trials) : NULL;
	const struct dirent *one;

	wipe_unmount(w, w->root, PROBE, "mnt");
	while (d && (one = readdir(d)))
		if (one->d_name[0] != '.')
			wipe_unmount(w, trials, one->d_name, "rootfs");
}

static int wipe_check(struct wipe *w, struct err *e)
{
	const char *const dirs[] = { w->root, w->state };

	for (size_t i = 0; i < 2; i++) {
		if (!dirs[i])
			continue;
		if (wipe_needs_empty(w, dirs[i], "sandboxes", e) < 0 ||
		    wipe_needs_empty(w, dirs[i], "containers", e) < 0 || wipe_needs_no_mount(dirs[i], NULL, e) < 0)
			return -1;
	}
	return 0;
}

/* Before --force removes a pod: what would be refused after that. crisp has mounts of its own in these entries. */
static int wipe_check_first(const struct wipe *w, struct err *e)
{
	static const char *const of_root[] = { PROBE, NULL },
				 *const of_state[] = { "containers", "sandboxes", "runtime", TRIALS, NULL };

	return wipe_needs_no_mount(w->root, of_root, e) < 0 || wipe_needs_no_mount(w->state, of_state, e) < 0 ? -1 : 0;
}

/* ---- removal ---- */

static int wipe_entry(struct wipe *w, const char *path, struct err *e)
{
	const char *argv[] = { access("/usr/bin/rm", X_OK) == 0 ? "/usr/bin/rm" : "/bin/rm", "-rf",
			       "--one-file-system", "--", path, NULL };
	struct buf out = { 0 }, problems = { 0 };
	struct stat st;
	int rc = 0;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_os(e, ERR_INTERNAL, "%s", path);
	if (!w->dry_run)
		capture_run(&(struct capture){ capture_program, argv, RM_WORDS, .timeout_ms = RM_MS }, &out, &problems);
	if (problems.len)
		rc = err_set(e, ERR_INTERNAL, "remove %s: %.*s", path, (int)strcspn(buf_str(&problems), "\n"),
			     buf_str(&problems));
	else
		printf("%s\n", path);
	buf_free(&out);
	buf_free(&problems);
	return rc;
}

static int wipe_entries(struct wipe *w, const char *dir, const char *const *names, struct err *e)
{
	for (; *names; names++)
		if (wipe_entry(w, arena_printf(w->arena, "%s/%s", dir, *names), e) < 0)
			return -1;
	return 0;
}

/* What others have put there stays, and so does the directory then. */
static int wipe_rmdir(struct wipe *w, const char *dir, struct err *e)
{
	if (w->dry_run || rmdir(dir) == 0)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST || errno == EBUSY) {
		fprintf(stderr, "crisp: wipe: %s stays: it has entries that are not crisp's, or is a mount\n", dir);
		return 0;
	}
	return err_os(e, ERR_INTERNAL, "remove %s", dir);
}

static int wipe_remove(struct wipe *w, struct err *e)
{
	if (wipe_entries(w, w->root, root_leftovers, e) < 0)
		return -1;
	if (w->images && (wipe_entries(w, w->root, root_images, e) < 0 || wipe_rmdir(w, w->root, e) < 0))
		return -1;
	if (w->state && (wipe_entries(w, w->state, state_entries, e) < 0 || wipe_rmdir(w, w->state, e) < 0))
		return -1;
	return 0;
}

/* ---- the command ---- */

/* Guesses nothing: the directories are those of the copy that the last crispd left, or those that the user names. */
static int wipe_find(struct wipe *w, struct cli *c, const char *root, const char *state, struct err *e)
{
	auto_json json_t *config = NULL;
	const char *file;
	bool there;

	state = state ? state : cli_state_dir(c->address, c->arena);
	if (!state)
		return err_set(e, ERR_INVALID_ARGUMENT, "the address is no unix socket: name --state and --root");
	w->state = wipe_dir(w, state, &there, e);
	if (!w->state && there)
		return -1;
	if (!root) {
		config = w->state ? cli_ready_config(w->state, &file, c->arena, e) : NULL;
		if (!config)
			return err_set(e, ERR_FAILED_PRECONDITION,
				       "no crisp has left its configuration in %s: name --root", state);
		root = cli_config_word(c->arena, config, NULL, "root", DEFAULT_ROOT);
	}
	w->root = wipe_dir(w, root, &there, e);
	return w->root ? 0 : -1;
}

static int wipe(struct cli *c, const struct cli_args *args)
{
	struct wipe w = { .arena = c->arena, .images = cli_args_flag(args, "images"),
			  .dry_run = cli_args_flag(args, "dry-run") };
	bool runs = false;
	struct err e;

	if (wipe_find(&w, c, cli_args_value(args, "root"), cli_args_value(args, "state"), &e) < 0)
		return cli_fail(c, &e, "wipe");
	if (w.state && cli_args_flag(args, "force") &&
	    (wipe_check_first(&w, &e) < 0 || cli_wipe_force(c, w.root, w.state, w.dry_run, &runs, &e) < 0))
		return cli_fail(c, &e, "wipe");
	w.ended = runs && !w.dry_run;
	if (!(runs && w.dry_run) && wipe_lock_all(&w, &e) < 0)
		return cli_fail(c, &e, "wipe");
	if (!w.dry_run)
		wipe_unmount_own(&w);
	if (!(runs && w.dry_run) && wipe_check(&w, &e) < 0)
		return cli_fail(c, &e, "wipe");
	return wipe_remove(&w, &e) < 0 ? cli_fail(c, &e, "wipe") : 0;
}

static const struct cli_option wipe_options[] = {
	{ "force", 'f', NULL, "while crisp runs: remove all pods and stop it first" },
	{ "images", 0, NULL, "remove the images too" },
	{ "dry-run", 0, NULL, "print what would be removed" },
	{ "root", 0, "DIR", "crisp's root directory; else as in the configuration that crisp ran with last" },
	{ "state", 0, "DIR", "crisp's state directory; else that of the address" },
	{ 0 },
};

const struct cli_command cli_wipe = {
	.name = "wipe",
	.operands = "",
	.summary = "remove crisp's directories, when it is stopped and has no pods, or with --force",
	.options = wipe_options,
	.run = wipe,
	.more = "Refuses while a crisp runs or a pod is left: remove the pods first (`crisp rm -f`), since only a\n"
		"running crisp gives back their networks, then stop the service. Removes the state directory and what\n"
		"is left of pulls, with --images all of the root directory; what is not crisp's in them stays. Prints\n"
		"what was removed.\n"
		"With --force a crisp that runs is asked to stop and remove all pods, then it is stopped. Stop the\n"
		"kubelet before, since it would make them again.\n\n"
		"Examples:\n"
		"  crisp wipe --force --images\n"
		"  systemctl stop crisp && crisp wipe --images\n",
};
