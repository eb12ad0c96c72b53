/* main.c - crispd: reads the configuration, opens every room in order, recovers, serves.
 *
 *   crispd --config FILE    started by crisp-keeper, which passes crispd's end of their channel as fd $CRISP_KEEPER_FD
 *
 * Order: keeper (it hands over all fds that it holds) -> images -> procs -> sockets -> recovery -> READY. The sockets
 * are open before recovery, but only Version and Status are served until it has ended. SIGTERM drains the CRI
 * connections and ends crispd; the containers and the keeper run on. SIGHUP does the same when the configuration file
 * has no error; the keeper then starts the next crispd, which reads it. Exit codes: 0; 1 a failure at start; 64 usage;
 * 78 configuration. (ARCHITECTURE K12) */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "handlers/checkpoint_flow.h"
#include "handlers/config.h"
#include "handlers/config_rpc.h"
#include "handlers/create_flow.h"
#include "handlers/pages.h"
#include "handlers/recover.h"
#include "handlers/services.h"
#include "handlers/stream.h"
#include "images/config.h"
#include "images/discard.h"
#include "images/gc.h"
#include "images/pull.h"
#include "images/snapshot.h"
#include "images/store.h"
#include "images/unpack.h"
#include "procs/apparmor.h"
#include "procs/cdi.h"
#include "procs/cgroup.h"
#include "procs/container.h"
#include "procs/keeper.h"
#include "procs/log_pump.h"
#include "procs/lookup.h"
#include "procs/runtime.h"
#include "procs/sandbox_files.h"
#include "procs/sandbox_task.h"
#include "procs/sandbox_up.h"
#include "procs/seccomp_bpf.h"
#include "procs/selinux.h"
#include "procs/start.h"
#include "reactor/dir.h"
#include "reactor/http_client.h"
#include "reactor/loop.h"
#include "reactor/no_core.h"
#include "reactor/own.h"
#include "reactor/trim.h"

enum { DRAIN_MS = 2000, SETTLE_MS = 1000 };

static struct config config;
static struct grpc_server *grpc;
static struct http_server *http;
static struct signal_watch on_term, on_int, on_hup;
static const char *config_file; /* NULL: defaults alone */
static struct timer drain_timer, settle_timer;
static char node_name[256];
static int exit_code;

static void die(const struct err *e)
{
	log_error("start_failed error=%s", log_quote(e->msg));
	exit_code = e->code == ERR_INVALID_ARGUMENT ? EX_CONFIG : 1;
	loop_stop();
}

/* The other programs are in the directory of this one: the build and `make install` put them there. */
static const char *program(const char *name)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	path[n < 0 ? 0 : n] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	return arena_printf(config.arena, "%s/%s", path, name);
}

static int make_directories(struct err *e)
{
	static const char *const below_state[] = { "", "/containers", "/sandboxes" };

	/* 0711: the root of a pod's user namespace passes through to its own directories. */
	for (size_t i = 0; i < sizeof(below_state) / sizeof(*below_state); i++) {
		const char *path = arena_printf(config.arena, "%s%s", config.state, below_state[i]);

		if (mkdir(path, 0711) < 0 && errno != EEXIST)
			return err_os(e, ERR_INTERNAL, "make %s", path);
	}
	if (dir_close(arena_printf(config.arena, "%s/runtime", config.state), DIR_NO_GROUP, e) < 0)
		return -1;
	return dir_close(config.root, DIR_NO_GROUP, e);
}

/* Two crispds over one root would overwrite each other's records. The fd is never closed: the lock lasts as long as the
 * process. */
static int lock_root(struct err *e)
{
	const char *path = arena_printf(config.arena, "%s/lock", config.root);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char pid[16] = "";

	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

		pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
		close(fd);
		return err_set(e, ERR_UNAVAILABLE, "root %s belongs to the crispd with pid %s", config.root, pid);
	}
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", getpid()) < 0)
		return err_os(e, ERR_INTERNAL, "write %s", path);
	return 0;
}

static int open_images(struct err *e)
{
	static struct images_config images;

	images = (struct images_config){
		.root = config.root,
		.unpack_path = program("crisp-unpack"),
		.registry_config_path = config.registry_config_path,
		.max_layer_bytes = config.images_max_layer_bytes,
		.min_free = config.images_min_free,
		.pinned = config.images_pinned,
	};
	images_configure(&images);
	unpack_open();
	gc_open();
	return snapshot_open(config.root, e) < 0 || store_open(e) < 0 || pull_open(e) < 0 ? -1 : 0;
}

static void on_network_changed(void *arg)
{
	const char *why = "";

	(void)arg;
	if (network_ready(&why))
		log_info("network_ready%s%s", *why ? " but=" : "", *why ? log_quote(why) : "");
	else
		log_warn("network_not_ready why=%s", log_quote(why));
}

static void label_trees(const char *label, const char *const *paths, start_labelled *done, void *arg)
{
	unpack_label(label, paths, done, arg);
}

/* Files that are made in these directories inherit their SELinux type. An overlay mount has a context of its own, but
 * for a program that is mapped from it the kernel also checks the file in the layer or in the upper directory (6.1).
 * (ARCHITECTURE I11) */
static int label_root(struct err *e)
{
	static const char *const names[] = { "layers", "ingest", "snapshots" };

	for (size_t i = 0; selinux_on() && i < sizeof(names) / sizeof(*names); i++) {
		const char *path = arena_printf(config.arena, "%s/%s", config.root, names[i]);
		auto_fd int fd = -1;

		if (mkdir(path, 0700) < 0 && errno != EEXIST) /* ingest: images/ has made the others */
			return err_os(e, ERR_INTERNAL, "make %s", path);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || selinux_label_fd(fd, selinux_image()) < 0)
			return err_os(e, ERR_INTERNAL, "label %s", path);
	}
	return 0;
}

static int open_procs(struct err *e)
{
	struct selinux_config selinux = { .wanted = config.selinux };
	static struct sandboxes_config sandboxes;
	static struct sandbox_up_config up;

	sandboxes = (struct sandboxes_config){ config.root, config.state, config.netns_dir };
	up = (struct sandbox_up_config){ program("crisp-pause"), node_name, "/etc/resolv.conf" };
	if (cgroup_open(&config.cgroup, e) < 0 || runtimes_open(&config.runtimes, e) < 0 ||
	    selinux_open(&selinux, e) < 0 || label_root(e) < 0)
		return -1;
	lookup_open(program("crisp-lookup"), (const char *const[]){ config.root, config.state, NULL });
	sandboxes_open(&sandboxes);
	containers_open(config.root, config.state);
	sandbox_files_open(discard);
	sandbox_up_open(&up);
	start_open(label_trees);
	sandbox_task_watch();
	seccomp_bpf_open(program("crisp-seccomp"));
	create_flow_open(node_name);
	checkpoint_flow_open(config.checkpoint_enabled, config.checkpoint_restore_from_image);
	cdi_open(&config.cdi_spec_dirs);
	network_open(&config.cni, on_network_changed, NULL);
	return log_pumps_open(e);
}

static int listen_all(struct err *e)
{
	struct stream_config stream = { config.stream_address, config.stream_port, config.stream_tls_cert,
					config.stream_tls_key };

	if (stream_open(&stream, e) < 0)
		return -1;
	http_client_warm();
	grpc = grpc_server_new(services_open(), NULL);
	for (size_t i = 0; i < config.listen.n; i++) {
		if (grpc_server_listen(grpc, config.listen.at[i], e) < 0)
			return err_wrap(e, "listen");
		log_info("listening address=%s", config.listen.at[i]);
	}
	http = http_server_new();
	pages_add(http, grpc);
	return http_server_listen(http, config.http, e) < 0 ? err_wrap(e, "http") : 0;
}

/* Start-up touches pages of some thirty libraries that an idle daemon does not need again. */
static void on_settled(struct timer *t)
{
	(void)t;
	trim_memory();
}

static void on_apparmor(void *arg)
{
	(void)arg;
	config_rpc_not_ready("");
	rpc_serve();
	keeper_ready();
	timer_set(&settle_timer, SETTLE_MS, on_settled);
	runtime_trials_open(
		&(struct runtime_trials_config){ config.state, program("crisp-pause"), snapshot_probe_userns });
	log_info("ready version=%s", CRISP_VERSION);
}

static void on_recovered(void *arg)
{
	static const struct apparmor_config as_the_kernel_has_it;

	(void)arg;
	apparmor_open(&as_the_kernel_has_it, on_apparmor, NULL); /* before a container can ask for the profile */
}

static int recover(struct err *e)
{
	return recover_start(config.state, on_recovered, NULL, e);
}

static void on_units(void *arg, const struct err *failure)
{
	struct err e;

	(void)arg;
	if (failure)
		return die(failure);
	if (recover(&e) < 0)
		die(&e);
}

static void on_keeper_ready(void *arg, const struct err *failure)
{
	static const struct units_config the_system_bus;
	struct err e;

	(void)arg;
	if (failure)
		return die(failure);
	if (make_directories(&e) < 0 || lock_root(&e) < 0 || open_images(&e) < 0 || open_procs(&e) < 0 ||
	    listen_all(&e) < 0)
		return die(&e);
	if ((cgroup_systemd() ? units_open(&the_system_bus, on_units, NULL, &e) : recover(&e)) < 0)
		die(&e);
}

static void on_keeper_gone(void *arg)
{
	(void)arg;
	log_error("keeper_gone effect=\"running containers are served, new processes are not\"");
}

static void on_keeper_back(void *arg)
{
	(void)arg;
	log_info("keeper_back");
}

static void on_drained(void *arg)
{
	(void)arg;
	loop_stop();
}

static void on_drain_timeout(struct timer *t)
{
	(void)t;
	loop_stop();
}

static void on_signal(struct signal_watch *w)
{
	(void)w;
	log_info("terminating");
	if (!grpc || timer_is_set(&drain_timer))
		return loop_stop();
	timer_set(&drain_timer, DRAIN_MS, on_drain_timeout);
	events_rpc_close();
	grpc_server_drain(grpc, on_drained, NULL);
}

/* A new configuration needs a new crispd; containers do not notice the change. A file with an error changes nothing. */
static void on_reload(struct signal_watch *w)
{
	struct config next;
	struct err e;

	if (config_load(&next, config_file, &e) < 0)
		log_error("reload_refused error=%s", log_quote(e.msg));
	else if (strcmp(next.state, config.state) != 0 || strcmp(next.root, config.root) != 0)
		log_error("reload_refused error=\"root and state hold all records and sockets: stop crisp-keeper to "
			  "change them\"");
	else
		on_signal(w);
	config_free(&next);
}

static int usage(void)
{
	fputs("usage: crispd [--config FILE] [--print state | --version]\n"
	      "crispd is started by crisp-keeper(8); see crisp-config(5) for the file.\n", stderr);
	return EX_USAGE;
}

static int parse_arguments(int argc, char **argv, const char **file, const char **print)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
			*file = argv[++i];
		else if (strcmp(argv[i], "--print") == 0 && i + 1 < argc && strcmp(argv[i + 1], "state") == 0)
			*print = argv[++i];
		else if (strcmp(argv[i], "--version") == 0)
			*print = "version";
		else
			return -1;
	}
	return 0;
}

/* RLIMIT_NOFILE is raised for crispd only: children are made by the keeper and have the keeper's limit. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* At the first big message glibc raises both thresholds, and then it never returns such memory to the kernel: 19 MiB
 * stayed resident, with the thresholds pinned 2 MiB. (ARCHITECTURE R10) */
static void pin_malloc(void)
{
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	mallopt(M_TRIM_THRESHOLD, 128 << 10);
}

int main(int argc, char **argv)
{
	static const struct keeper_events events = { on_keeper_ready, on_keeper_gone, on_keeper_back, NULL };
	const char *file = NULL, *print = NULL, *channel = getenv("CRISP_KEEPER_FD");
	struct err e;

	no_core(NULL); /* before credentials are read */
	if (parse_arguments(argc, argv, &file, &print) < 0)
		return usage();
	if (print && strcmp(print, "version") == 0)
		return puts("crispd " CRISP_VERSION) < 0;
	log_open("crispd", LOG_LEVEL_INFO);
	if (config_load(&config, file, &e) < 0) {
		log_error("config_failed error=%s", log_quote(e.msg));
		return EX_CONFIG;
	}
	if (print)
		return puts(config.state) < 0;
	if (!channel)
		return usage();
	log_open("crispd", config.log_level);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	pin_malloc();
	raise_file_limit();
	gethostname(node_name, sizeof(node_name) - 1);
	signal_watch_set(&on_term, SIGTERM, on_signal);
	signal_watch_set(&on_int, SIGINT, on_signal);
	config_file = file;
	signal_watch_set(&on_hup, SIGHUP, on_reload);
	config_rpc_open(&config);
	keeper_open((int)strtol(channel, NULL, 10), &events);
	loop_run();
	runtime_trials_close();
	apparmor_close();
	stream_close();
	if (http)
		http_server_free(http);
	if (grpc)
		grpc_server_free(grpc);
	http_client_close();
	cgroup_close();
	units_close();
	return exit_code;
}
