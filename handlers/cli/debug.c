/* debug.c - the command debug: `crisp debug bundle` writes what a report of a fault needs into one archive.
 *
 * First what the daemon says (debug_rpc.h), then what the node says (debug_node.h, and programs of the node), each part
 * with a deadline of its own: a daemon, a file system or a program that hangs costs its part only. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "handlers/cli/bundle.h"
#include "handlers/cli/capture.h"
#include "handlers/cli/command.h"
#include "handlers/cli/debug_node.h"
#include "handlers/cli/debug_rpc.h"
#include "handlers/cli/program.h"
#include "handlers/cli/ready_config.h"
#include "reactor/own.h"
#include "reactor/places.h"

enum {
	PART_MAX = 2 << 20,
	FILES_MS = 5000, PROGRAM_MS = 5000, LOG_MS = 20000,
	PROGRAMS_MAX = 16, VERSION_MAX = 4096,
	HOST_MAX = 32,
};

/* ---- where things are ---- */

/* Takes the reference to `config`, which may be NULL, and returns one, or NULL. */
static json_t *node_find(struct debug_node *n, struct cli *c, struct bundle *b, json_t *config)
{
	const char *beside = cli_state_dir(c->address, c->arena), *file;
	struct arena *a = c->arena;
	json_t *ready;
	struct err e;

	n->state = cli_config_word(a, config, NULL, "state", beside ? beside : DEFAULT_STATE);
	ready = cli_ready_config(n->state, &file, a, &e);
	if (!config && !ready)
		bundle_problem(b, "config", arena_printf(a, "%s; the default directories are assumed", e.msg));
	if (!config)
		config = ready;
	else
		json_decref(ready);
	n->config = file ? file : DEFAULT_CONFIG;
	n->root = cli_config_word(a, config, NULL, "root", DEFAULT_ROOT);
	n->netns_dir = cli_config_word(a, config, NULL, "netns_dir", "/run/netns");
	n->cgroup_root = cli_config_word(a, config, "cgroup", "root", "/crisp");
	n->hosts_dir = cli_config_word(a, config, "registry", "config_path", "/etc/crisp/certs.d");
	n->cni_dir = cli_config_word(a, config, "cni", "conf_dir", "/etc/cni/net.d");
	return config;
}

/* The keeper's stderr, when it is a file, is the log of both daemons. */
static const char *node_log(struct cli *c, const struct debug_node *n)
{
	char target[4096];
	struct err e;
	long pid = debug_lock_pid(arena_printf(c->arena, "%s/keeper.lock", n->state), &e);
	const char *path = arena_printf(c->arena, "/proc/%ld/fd/2", pid);
	ssize_t n_target = readlink(path, target, sizeof(target));

	return n_target > 0 && target[0] == '/' && strncmp(target, "/dev/", 5) != 0 ? path : NULL;
}

/* ---- parts ---- */

static void put_part(struct bundle *b, const char *file, const struct capture *capture)
{
	struct buf out = { 0 }, problems = { 0 };

	capture_run(capture, &out, &problems);
	if (!out.len && !problems.len)
		buf_puts(&problems, "there is nothing\n");
	bundle_text(b, file, (const char *)out.at, out.len);
	bundle_problem(b, file, buf_str(&problems));
	buf_free(&out);
	buf_free(&problems);
}

static void put_node(struct bundle *b, struct debug_node *n)
{
	static const struct {
		const char *file;
		capture_fn *fn;
	} parts[] = {
		{ "daemons.txt", debug_daemons }, { "kernel.txt", debug_kernel }, { "mounts.txt", debug_mounts },
		{ "cgroups.txt", debug_cgroups }, { "disk.txt", debug_disk }, { "config.txt", debug_config },
		{ "registries.txt", debug_hosts }, { "cni.txt", debug_cni },
		{ "flight.txt", debug_flight },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		put_part(b, parts[i].file,
			 &(struct capture){ parts[i].fn, n, PART_MAX, .timeout_ms = FILES_MS });
}

static void put_program(struct bundle *b, struct arena *a, const char *file, const char *const *argv)
{
	const char **args;
	size_t n = 0;

	while (argv[n])
		n++;
	args = arena_memdup(a, argv, (n + 1) * sizeof(*argv));
	args[0] = cli_program(a, argv[0]);
	if (!args[0])
		return bundle_problem(b, file, arena_printf(a, "%s is not here", argv[0]));
	put_part(b, file, &(struct capture){ capture_program, args, PART_MAX, .timeout_ms = PROGRAM_MS });
}

static void add_program(const char **paths, size_t *n, const char *path)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp(paths[i], path) == 0)
			return;
	if (path[0] == '/' && *n < PROGRAMS_MAX)
		paths[(*n)++] = path;
}

/* `PATH --version` of what crisp executes. */
static void put_versions(struct bundle *b, struct arena *a, const json_t *config)
{
	static const char *const others[] = { "criu", "nft", "iptables", "systemctl" };
	const char *paths[PROGRAMS_MAX], *name;
	struct buf out = { 0 }, problems = { 0 };
	json_t *one;
	size_t n = 0;

	json_object_foreach(json_object_get(config, "runtimes"), name, one) {
		add_program(paths, &n, json_get_str(a, one, "path"));
		add_program(paths, &n, json_get_str(a, one, "binary"));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if ((name = cli_program(a, others[i])))
			add_program(paths, &n, name);
	for (size_t i = 0; i < n; i++) {
		const char *argv[] = { paths[i], "--version", NULL };

		buf_printf(&out, "== %s --version\n", paths[i]);
		capture_run(&(struct capture){ capture_program, argv, VERSION_MAX, .timeout_ms = PROGRAM_MS }, &out,
			    &problems);
	}
	bundle_text(b, "programs.txt", (const char *)out.at, out.len);
	bundle_problem(b, "programs.txt", buf_str(&problems));
	buf_free(&out);
	buf_free(&problems);
}

static void put_log(struct bundle *b, struct arena *a, struct debug_node *n)
{
	const char *argv[] = { cli_program(a, "journalctl"), "-u", "crisp", "-n", "50000", "--no-pager", "-o",
			       "short-iso-precise", "-q", NULL };
	struct capture of_file = { debug_log, n, DEBUG_LOG_MAX, true, LOG_MS },
		       of_journal = { capture_program, argv, DEBUG_LOG_MAX, true, LOG_MS };

	if (!n->log && !argv[0])
		return bundle_problem(b, "log.txt", "the log is no file, and there is no journalctl");
	put_part(b, "log.txt", n->log ? &of_file : &of_journal);
}

static void put_all(struct cli *c, struct bundle *b)
{
	static const char *const unit[] = { "systemctl", "show", "crisp",
					    "--property=LoadState,ActiveState,SubState,Result,NRestarts,MainPID,"
					    "ExecMainStartTimestamp,ExecMainStatus,TasksCurrent,MemoryCurrent,"
					    "LimitNOFILE,FragmentPath,DropInPaths", NULL };
	static const char *const rules[] = { "nft", "list", "table", "inet", "crisp", NULL };
	struct debug_node node = { 0 };
	auto_json json_t *config = debug_rpc(c, b);

	config = node_find(&node, c, b, config);
	node.log = node_log(c, &node);
	put_node(b, &node);
	put_versions(b, c->arena, config);
	put_program(b, c->arena, "unit.txt", unit);
	if (strcmp(cli_config_word(c->arena, config, NULL, "network", "auto"), "cni") != 0)
		put_program(b, c->arena, "nftables.txt", rules);
	put_log(b, c->arena, &node);
}

/* ---- the command ---- */

/* "crisp-HOST-20261130T120000Z". */
static const char *bundle_name(struct arena *a)
{
	char host[HOST_MAX + 1] = "", when[32];
	time_t now = time(NULL);
	struct tm tm;

	gethostname(host, HOST_MAX);
	for (char *at = host; *at; at++)
		*at = isalnum((unsigned char)*at) || *at == '.' ? *at : '-';
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	return arena_printf(a, "crisp-%s-%s", host, when);
}

static int debug_bundle(struct cli *c, const char *path)
{
	const char *name = bundle_name(c->arena);
	struct bundle *b;
	size_t problems;
	struct err e;

	path = path ? path : arena_printf(c->arena, "%s.tar.gz", name);
	b = bundle_open(path, name, &e);
	if (!b)
		return cli_fail(c, &e, "debug bundle");
	put_all(c, b);
	if (bundle_close(b, &problems, &e) < 0)
		return cli_fail(c, &e, "debug bundle");
	puts(path);
	fprintf(stderr, "crisp: %zu problems, in problems.txt of the archive; read it before you give it away\n",
		problems);
	return 0;
}

static int debug(struct cli *c, const struct cli_args *args)
{
	if (strcmp(args->operands.at[0], "bundle") != 0)
		return cli_misuse("debug", "expected: `bundle`");
	return debug_bundle(c, cli_args_value(args, "output"));
}

static const struct cli_option debug_options[] = {
	{ "output", 'o', "FILE", "the archive; crisp-HOST-TIME.tar.gz in this directory if it is not given" },
	{ 0 },
};

const struct cli_command cli_debug = {
	.name = "debug",
	.operands = "bundle",
	.summary = "write one archive for a report: state, logs, limits; without secrets",
	.options = debug_options,
	.least = 1,
	.most = 1,
	.run = debug,
	.more = "bundle asks the daemon for its versions, conditions, configuration, operations, metrics, pods,\n"
		"containers and images, and the node for cgroups, mounts, kernel, disk, the versions of runtimes,\n"
		"the steps that `crisp why` tells, of all pods, and the end of the log: its file, or the journal. It\n"
		"needs root. A part that cannot be got, for example from a daemon that hangs, is a line of\n"
		"problems.txt in the archive; each part has a limit of time and size.\n\n"
		"Not taken: environments, arguments, labels and annotations of containers, files with credentials,\n"
		"headers for registries, comments. Passwords in URLs and values of names such as password, token or\n"
		"auth become [removed]. Messages of the log can have what nobody can know to be secret.\n\n"
		"Example:\n"
		"  crisp debug bundle -o /tmp/crisp.tar.gz\n",
};
