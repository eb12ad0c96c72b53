/* debug_node.c - see debug_node.h. Runs in a child that has a deadline, so it may block. */
#include "handlers/cli/debug_node.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "handlers/cli/scrub.h"
#include "reactor/arena.h"
#include "reactor/flight.h"
#include "reactor/own.h"
#include "reactor/places.h"
#include "reactor/small_file.h"
#include "reactor/words.h"

enum {
	FILE_MAX = 256 << 10,  /* of a configuration */
	GROUPS_MAX = 8192, GROUP_LEVELS = 12,
	ENTRIES_MAX = 1000000, /* of a directory that is counted */
};

static void node_problem(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
}

/* Copies a file of /proc or /sys whole. `must`: it is a problem when it is not there. */
static void print_file(FILE *out, const char *path, bool must)
{
	auto_file FILE *f = fopen(path, "re");
	char bytes[4096];
	size_t n;

	if (!f) {
		if (must || errno != ENOENT)
			node_problem(path);
		return;
	}
	while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		fwrite(bytes, 1, n, out);
	if (ferror(f))
		node_problem(path);
}

static void print_titled(FILE *out, const char *path, bool must)
{
	if (access(path, F_OK) < 0 && !must)
		return;
	fprintf(out, "== %s\n", path);
	print_file(out, path, must);
	fputc('\n', out);
}

/* ---- control groups ---- */

/* One file of a group, on the line of the group; lines become words. */
static void print_group_file(FILE *out, int dir, const char *name)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[512];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return;
	text[n] = '\0';
	for (char *at = text; *at; at++)
		*at = *at == '\n' || *at == ' ' ? ',' : *at;
	while (n > 0 && text[n - 1] == ',')
		text[--n] = '\0';
	fprintf(out, " %s=%s", name, text);
}

static void print_group_procs(FILE *out, int dir)
{
	auto_fd int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char bytes[4096];
	unsigned lines = 0;
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t i = 0; i < n; i++)
			lines += bytes[i] == '\n';
	fprintf(out, " processes=%u", lines);
}

static void print_group(FILE *out, const char *path)
{
	static const char *const files[] = {
		"cgroup.events", "cgroup.freeze", "freezer.state", "memory.max", "memory.current", "memory.events",
		"memory.swap.max", "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.failcnt",
		"memory.oom_control",
		"cpu.max", "cpu.weight", "cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.stat",
		"cpuset.cpus", "pids.max", "pids.current", "io.max", "hugetlb.2MB.max",
	};
	auto_fd int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (dir < 0)
		return; /* it went meanwhile */
	fputs(path, out);
	print_group_procs(out, dir);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		print_group_file(out, dir, files[i]);
	fputc('\n', out);
}

/* The group and those below it. false: there are more than are printed. */
static bool print_groups(FILE *out, char *path, unsigned *left)
{
	char *const roots[] = { path, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	FTSENT *one;

	while (tree && *left && (one = fts_read(tree))) {
		if (one->fts_info != FTS_D)
			continue;
		if (one->fts_level >= GROUP_LEVELS)
			fts_set(tree, one, FTS_SKIP);
		print_group(out, one->fts_path);
		--*left;
	}
	if (tree)
		fts_close(tree);
	return *left > 0;
}

static bool print_hierarchy(const struct debug_node *node, struct arena *a, FILE *out, const char *at, unsigned *left)
{
	const char *const groups[] = { node->cgroup_root, "/kubepods", "/kubepods.slice", "/system.slice/crisp.service",
				       "/system.slice/kubelet.service" };
	bool whole = true;

	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		char *path = arena_printf(a, "%s%s", at, groups[i]);

		if (access(path, F_OK) == 0)
			whole &= print_groups(out, path, left);
	}
	return whole;
}

int debug_cgroups(void *arg, FILE *out)
{
	const char *top = "/sys/fs/cgroup";
	auto_dir DIR *d = opendir(top);
	struct arena *a = arena_new();
	unsigned left = GROUPS_MAX;
	bool whole;
	struct dirent *one;

	if (!d)
		return node_problem(top), 0;
	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) {
		whole = print_hierarchy(arg, a, out, top, &left);
	} else {
		whole = true;
		while ((one = readdir(d)))
			if (one->d_type == DT_DIR && one->d_name[0] != '.') /* not the links cpu -> cpu,cpuacct */
				whole &= print_hierarchy(arg, a, out, arena_printf(a, "%s/%s", top, one->d_name),
							 &left);
	}
	if (!whole)
		fprintf(stderr, "more than %d groups\n", GROUPS_MAX);
	arena_free(a);
	return 0;
}

/* ---- kernel, mounts, disk ---- */

int debug_mounts(void *arg, FILE *out)
{
	(void)arg;
	print_file(out, "/proc/self/mountinfo", true);
	return 0;
}

int debug_kernel(void *arg, FILE *out)
{
	/* Not /proc/cmdline: what is handed to the first process may be secret. */
	static const char *const files[] = {
		"/proc/version", "/etc/os-release", "/proc/uptime", "/proc/loadavg", "/proc/meminfo",
		"/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io", "/proc/cgroups",
		"/proc/filesystems", "/proc/modules", "/sys/kernel/security/lsm", "/proc/sys/kernel/tainted",
		"/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max", "/proc/sys/kernel/keys/maxkeys",
		"/proc/sys/kernel/pty/max", "/proc/sys/fs/file-nr", "/proc/sys/fs/nr_open", "/proc/sys/fs/mount-max",
		"/proc/sys/fs/inotify/max_user_instances", "/proc/sys/fs/inotify/max_user_watches",
		"/proc/sys/user/max_user_namespaces", "/proc/sys/user/max_net_namespaces",
		"/proc/sys/vm/max_map_count", "/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward",
		"/proc/sys/net/ipv6/conf/all/forwarding", "/proc/sys/net/ipv4/neigh/default/gc_thresh3",
		"/proc/sys/net/netfilter/nf_conntrack_max", "/proc/sys/net/netfilter/nf_conntrack_count",
	};
	struct utsname u;

	(void)arg;
	if (uname(&u) == 0)
		fprintf(out, "%s %s %s %s\n\n", u.sysname, u.release, u.version, u.machine);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		print_titled(out, files[i], false);
	return 0;
}

static void print_space(FILE *out, const char *path)
{
	struct statvfs s;

	if (statvfs(path, &s) < 0)
		return node_problem(path);
	fprintf(out, "%s: %llu of %llu bytes are free, %llu of %llu inodes\n", path,
		(unsigned long long)s.f_bavail * s.f_frsize, (unsigned long long)s.f_blocks * s.f_frsize,
		(unsigned long long)s.f_favail, (unsigned long long)s.f_files);
}

static void print_entries(FILE *out, const char *dir)
{
	auto_dir DIR *d = opendir(dir);
	struct dirent *one;
	unsigned n = 0;

	if (!d)
		return;
	while ((one = readdir(d)) && n < ENTRIES_MAX)
		n += strcmp(one->d_name, ".") != 0 && strcmp(one->d_name, "..") != 0;
	fprintf(out, "%s: %u entries\n", dir, n);
}

/* Each directory in `dir`, by the number of its entries. */
static void print_counts(FILE *out, struct arena *a, const char *dir)
{
	auto_dir DIR *d = opendir(dir);
	struct dirent *one;

	if (!d)
		return node_problem(dir);
	while ((one = readdir(d)))
		if (one->d_type == DT_DIR && one->d_name[0] != '.')
			print_entries(out, arena_printf(a, "%s/%s", dir, one->d_name));
}

int debug_disk(void *arg, FILE *out)
{
	const struct debug_node *node = arg;
	struct arena *a = arena_new();

	print_space(out, "/");
	print_space(out, node->state);
	print_counts(out, a, node->state);
	print_entries(out, node->netns_dir);
	print_space(out, node->root); /* last: it is the likeliest to hang */
	print_counts(out, a, node->root);
	arena_free(a);
	return 0;
}

/* ---- crisp itself ---- */

long debug_lock_pid(const char *path, struct err *e)
{
	size_t len;
	auto_free char *text = small_file_read(path, 64, &len, ERR_INTERNAL, e);
	long pid = text ? strtol(text, NULL, 10) : 0;

	if (text && pid <= 0)
		err_set(e, ERR_INTERNAL, "the lock has no pid");
	return pid > 0 ? pid : 0;
}

static void print_daemon(FILE *out, struct arena *a, const char *lock)
{
	static const char *const files[] = { "status", "wchan", "stack", "limits", "cgroup", "oom_score_adj",
					     "schedstat" };
	struct err e;
	long pid = debug_lock_pid(lock, &e);

	fprintf(out, "== %s: %ld\n", lock, pid);
	if (!pid)
		return (void)fprintf(stderr, "%s\n", e.msg);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		print_titled(out, arena_printf(a, "/proc/%ld/%s", pid, files[i]), true);
	print_entries(out, arena_printf(a, "/proc/%ld/fd", pid));
}

int debug_daemons(void *arg, FILE *out)
{
	static const char *const locks[] = { "front.lock", "anchor.lock", "keeper.lock", "crispd.lock" };
	const struct debug_node *node = arg;
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof(locks) / sizeof(*locks); i++) {
		const char *lock = arena_printf(a, "%s/%s", node->state, locks[i]);

		if (access(lock, F_OK) == 0)
			print_daemon(out, a, lock);
	}
	arena_free(a);
	return 0;
}

static void print_step(void *out, int64_t at_ns, const char *line)
{
	time_t at = (time_t)(at_ns / 1000000000);
	char text[40] = "?";
	struct tm utc;

	if (gmtime_r(&at, &utc))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	fprintf(out, "%s.%03dZ %s\n", text, (int)(at_ns % 1000000000 / 1000000), line);
}

int debug_flight(void *arg, FILE *out)
{
	const struct debug_node *node = arg;
	struct arena *a = arena_new();
	struct err e;
	size_t len;
	auto_free char *bytes = small_file_read(arena_printf(a, "%s/flight", node->state), FLIGHT_BYTES, &len,
						ERR_INTERNAL, &e);

	arena_free(a);
	if (!bytes)
		return fprintf(stderr, "%s\n", e.msg), 0;
	flight_read((const uint8_t *)bytes, len - len % FLIGHT_SLOT, print_step, out);
	return 0;
}

int debug_log(void *arg, FILE *out)
{
	const struct debug_node *node = arg;
	auto_fd int fd = open(node->log, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char bytes[64 << 10];
	struct stat st;
	off_t at = 0;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return node_problem(node->log), 0;
	if (!S_ISREG(st.st_mode))
		return fprintf(stderr, "%s is no file\n", node->log), 0;
	if (st.st_size > DEBUG_LOG_MAX)
		at = st.st_size - DEBUG_LOG_MAX - 1; /* a byte too many: capture_run() drops the line that is cut */
	while (at < st.st_size && (n = pread(fd, bytes, sizeof(bytes), at)) > 0) {
		fwrite(bytes, 1, (size_t)n, out);
		at += n;
	}
	if (n < 0)
		node_problem(node->log);
	return 0;
}

/* ---- configurations ---- */

/* The next line, without its end and the blanks before it; *text moves on. NULL: there is none. */
static char *next_line(char **text)
{
	char *line = strsep(text, "\n");

	return line ? line + strspn(line, " \t\r") : NULL;
}

static char *read_config(const char *path)
{
	size_t len;
	struct err e;
	char *text = small_file_read(path, FILE_MAX, &len, ERR_INTERNAL, &e);

	if (!text)
		fprintf(stderr, "%s\n", e.msg);
	return text;
}

/* Comments are free text: a password that was changed may stand there still. */
static void print_config(FILE *out, const char *path)
{
	auto_free char *text = read_config(path);
	char *rest = text, *line;

	fprintf(out, "== %s\n", path);
	while (text && (line = strsep(&rest, "\n"))) {
		for (char *at = line; *at; at++)
			if (at[0] == '#' && at > line && (at[-1] == ' ' || at[-1] == '\t'))
				*at = '\0';
		if (line[strspn(line, " \t\r")] != '#' && line[strspn(line, " \t\r")])
			fprintf(out, "%s\n", line);
	}
}

/* The directory of further files, config.d beside config.yaml. */
static void print_config_dir(FILE *out, struct arena *a, const char *config)
{
	const char *dir = arena_printf(a, "%.*s.d", (int)strlen(config) - (int)strlen(".yaml"), config);
	auto_dir DIR *d = word_ends_in(config, ".yaml") ? opendir(dir) : NULL;
	struct dirent *one;

	while (d && (one = readdir(d)))
		if (word_ends_in(one->d_name, ".yaml"))
			print_config(out, arena_printf(a, "%s/%s", dir, one->d_name));
}

int debug_config(void *arg, FILE *out)
{
	const struct debug_node *node = arg;
	struct arena *a = arena_new();
	const char *ready = arena_printf(a, "%s/" READY_CONFIG, node->state);

	print_config(out, node->config);
	print_config_dir(out, a, node->config);
	if (access(ready, F_OK) == 0) /* of the crispd that runs: it may be another one */
		print_config(out, ready);
	arena_free(a);
	return 0;
}

/* A hosts.toml may have headers with credentials, in several forms: only lines that begin with a known key are
 * printed. */
static void print_hosts_file(FILE *out, const char *path)
{
	static const char *const known[] = { "server", "capabilities", "ca", "client", "skip_verify", "override_path",
					     "dial_timeout" };
	auto_free char *text = read_config(path);
	char *rest = text, *line;
	bool in_headers = false;

	fprintf(out, "== %s\n", path);
	while (text && (line = next_line(&rest))) {
		size_t n = strcspn(line, " \t=");
		bool table = strncmp(line, "[host", 5) == 0, shown = table;

		in_headers = table ? strstr(line, "header") != NULL : in_headers;
		for (size_t i = 0; !shown && !in_headers && i < sizeof(known) / sizeof(*known); i++)
			shown = n == strlen(known[i]) && strncmp(line, known[i], n) == 0;
		if (shown)
			fprintf(out, "%.*s\n", (int)strcspn(line, "#"), line);
	}
}

int debug_hosts(void *arg, FILE *out)
{
	const struct debug_node *node = arg;
	auto_dir DIR *d = *node->hosts_dir ? opendir(node->hosts_dir) : NULL;
	struct arena *a = arena_new();
	struct dirent *one;

	if (!d && *node->hosts_dir && errno != ENOENT)
		node_problem(node->hosts_dir);
	while (d && (one = readdir(d))) {
		const char *path = arena_printf(a, "%s/%s/hosts.toml", node->hosts_dir, one->d_name);

		if (one->d_name[0] != '.' && access(path, F_OK) == 0)
			print_hosts_file(out, path);
	}
	arena_free(a);
	return 0;
}

static void print_cni_file(FILE *out, const char *path)
{
	auto_free char *text = read_config(path), *clean = NULL;
	auto_json json_t *j = NULL;
	struct err e;

	fprintf(out, "== %s\n", path);
	if (!text)
		return;
	j = json_parse(text, strlen(text), path, &e);
	if (!j)
		return (void)fprintf(stderr, "%s\n", e.msg);
	scrub_json(j);
	clean = own_must(json_dumps(j, JSON_INDENT(1)));
	fprintf(out, "%s\n", clean);
}

int debug_cni(void *arg, FILE *out)
{
	const struct debug_node *node = arg;
	auto_dir DIR *d = *node->cni_dir ? opendir(node->cni_dir) : NULL;
	struct arena *a = arena_new();
	struct dirent *one;

	if (!d && *node->cni_dir)
		node_problem(node->cni_dir);
	while (d && (one = readdir(d))) {
		if (word_ends_in(one->d_name, ".conf") || word_ends_in(one->d_name, ".conflist") ||
		    word_ends_in(one->d_name, ".json"))
			print_cni_file(out, arena_printf(a, "%s/%s", node->cni_dir, one->d_name));
	}
	arena_free(a);
	return 0;
}
