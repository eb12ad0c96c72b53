/* main.c - crispd: reads the configuration, opens every room in order, recovers, serves.
 *
 *   crispd --config FILE    started by crisp-keeper, which passes crispd's end of their channel as fd $CRISP_KEEPER_FD
 *
 * Order: keeper (it hands over all fds that it holds) -> images -> procs -> sockets -> recovery -> READY. The sockets
 * are open before recovery, but only Version and Status are served until it has ended. SIGTERM drains the CRI
 * connections and ends crispd; the containers and the keeper run on. SIGHUP does the same when the configuration file
 * passes `crispd --check`; the keeper then starts the next crispd, which reads it. Exit codes: 0; 1 a failure at
 * start; 64 usage; 78 configuration. (ARCHITECTURE K12, R75) */
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

#include "handlers/about.h"
#include "handlers/checkpoint_flow.h"
#include "handlers/config.h"
#include "handlers/config_rpc.h"
#include "handlers/config_try.h"
#include "handlers/create_flow.h"
#include "handlers/image_volumes.h"
#include "handlers/late_listen.h"
#include "handlers/nri.h"
#include "handlers/pages.h"
#include "handlers/record_keep.h"
#include "handlers/ready_config.h"
#include "handlers/recover.h"
#include "handlers/reload.h"
#include "handlers/services.h"
#include "handlers/stream.h"
#include "handlers/why.h"
#include "images/config.h"
#include "images/discard.h"
#include "images/gc.h"
#include "images/pull.h"
#include "images/snapshot.h"
#include "images/store.h"
#include "images/unpack.h"
#include "procs/apparmor.h"
#include "procs/cdi.h"
#include "procs/hooks.h"
#include "procs/cgroup.h"
#include "procs/container.h"
#include "procs/keeper.h"
#include "procs/limits.h"
#include "procs/log_pump.h"
#include "reactor/lookup.h"
#include "procs/runtime.h"
#include "procs/sandbox_files.h"
#include "procs/sandbox_sysctl.h"
#include "procs/sandbox_task.h"
#include "procs/sandbox_up.h"
#include "procs/seccomp_bpf.h"
#include "procs/selinux.h"
#include "procs/start.h"
#include "reactor/boot.h"
#include "reactor/log_repeat.h"
#include "reactor/dir.h"
#include "reactor/fault.h"
#include "reactor/http_client.h"
#include "reactor/listen.h"
#include "reactor/loop.h"
#include "reactor/no_core.h"
#include "reactor/own.h"
#include "reactor/pid_lock.h"
#include "reactor/tls_server.h"
#include "reactor/trim.h"

enum { DRAIN_MS = 2000, SETTLE_MS = 1000 };

static struct config config;
static struct grpc_server *grpc;
static struct http_server *http;
static struct tls_server *http_tls; /* NULL: plain http */
static struct signal_watch on_term, on_int, on_hup;
static struct options {
	const char *file;     /* NULL: defaults alone */
	const char *fallback; /* read in its place; NULL: the file is */
	const char *refused;  /* why */
	const char *running;  /* --check: the configuration of the crispd that serves; NULL: none does */
	const char *print;
	bool check;
} options;
static bool served; /* READY was told */
static struct timer drain_timer, settle_timer;
static char node_name[256];
static int exit_code;

static void die(const struct err *e)
{
	log_error("start_failed error=%s", log_quote(e->msg));
	ready_config_why_not(e->msg);
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

		if (EFFECT(mkdir(path, 0711)) < 0 && errno != EEXIST)
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
	if (pid_lock_write(fd, getpid()) < 0)
		return err_os(e, ERR_INTERNAL, "write %s", path);
	return 0;
}

static int open_images(struct err *e)
{
	static struct images_config images;

	images = (struct images_config){
		.root = config.root,
		.unpack_path = program("crisp-unpack"),
		.tree_path = program("crisp-tree"),
		.registry_config_path = config.registry_config_path,
		.max_layer_bytes = config.images_max_layer_bytes,
		.min_free = config.images_min_free,
		.parallel_downloads = config.images_parallel_downloads,
		.unpackers = config.images_unpackers,
		.progress_timeout_s = config.images_progress_timeout_s,
		.split_bytes = config.images_split_bytes,
		.allow = config.registry_allow,
		.deny = config.registry_deny,
		.auth_files = config.registry_auth_files,
		.signature_policy = config.images_signature_policy,
		.pinned = config.images_pinned,
	};
	images_configure(&images);
	unpack_open();
	record_keep_open();
	if (boot_open(config.root, e) < 0)
		return -1;
	gc_open();
	/* store_open() opens discard.h, which snapshot_open() may need. */
	return store_open(e) < 0 || snapshot_open(config.root, e) < 0 || pull_open(e) < 0 ? -1 : 0;
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

		if (EFFECT(mkdir(path, 0700)) < 0 && errno != EEXIST) /* ingest: images/ has made the others */
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
	up = (struct sandbox_up_config){ program("crisp-pause"), node_name, "/etc/hosts", "/etc/resolv.conf" };
	config.runtimes.zygote = program("crisp-zygote");
	if (cgroup_open(&config.cgroup, e) < 0 || runtimes_open(&config.runtimes, e) < 0 ||
	    selinux_open(&selinux, e) < 0 || label_root(e) < 0)
		return -1;
	lookup_open(program("crisp-lookup"), (const char *const[]){ config.root, config.state, "/var/log/pods",
		"/var/lib/kubelet", NULL });
	sandboxes_open(&sandboxes);
	containers_open(config.root, config.state);
	sandbox_files_open(discard);
	sandbox_up_open(&up);
	start_open(label_trees, create_flow_mount);
	sandbox_task_watch();
	seccomp_bpf_open(program("crisp-seccomp"));
	create_flow_open(node_name);
	image_volumes_open(config.images_volumes);
	checkpoint_flow_open(config.checkpoint_enabled, config.checkpoint_restore_from_image);
	cdi_open(&config.cdi_spec_dirs);
	hooks_open(&config.hooks_dirs);
	config.cni.choice = (enum network_choice)network_choice(config.network);
	config.cni.helper = program("crisp-net");
	config.cni.owner = config.root;
	config.cni.lock = arena_printf(config.arena, "%s/net.lock", config.state);
	network_open(&config.cni, on_network_changed, NULL);
	keeper_netns_pool(config.netns_pool, sandbox_sysctl_defaults);
	keeper_watchdog(config.watchdog_s);
	return log_pumps_open(e);
}

static int http_listen(struct err *e)
{
	struct err failure;

	if (http_tls)
		return tls_server_ready(http_tls, e) < 0 ? -1 : http_server_listen_anywhere(http, config.http, e);
	if (http_server_listen(http, config.http, e) < 0)
		return -1;
	if (listen_give_group(config.http, (gid_t)config.socket_gid, &failure) < 0)
		log_error("http error=%s", log_quote(failure.msg));
	return 0;
}

/* What /debug has is for those who may see each pod: beyond this machine only clients that are known by their
 * certificates. (ARCHITECTURE R151) */
static void http_open(void)
{
	struct err ignored;
	bool known = *config.http_tls_client_ca || listen_check(config.http, false, &ignored) == 0;

	http = http_server_new();
	if (*config.http_tls_cert) {
		http_tls = tls_server_new(&(struct tls_files){ config.http_tls_cert, config.http_tls_key,
							       config.http_tls_client_ca });
		http_server_tls(http, http_tls);
	}
	pages_add(http, grpc, known);
}

static int listen_all(struct err *e)
{
	static struct late_listen late_stream = { .what = "stream", .listen = stream_listen };
	static struct late_listen late_http = { .what = "http", .listen = http_listen };
	struct stream_config stream = { config.stream_address, config.stream_port, config.stream_tls_cert,
					config.stream_tls_key,
					arena_printf(config.arena, "unix://%s/stream.sock", config.state),
					(gid_t)config.socket_gid };

	stream_open(&stream);
	if (late_listen_open(&late_stream, e) < 0)
		return -1;
	http_client_warm();
	grpc = grpc_server_new(services_open(), NULL);
	for (size_t i = 0; i < config.listen.n; i++) {
		if (grpc_server_listen(grpc, config.listen.at[i], e) < 0 ||
		    listen_give_group(config.listen.at[i], (gid_t)config.socket_gid, e) < 0)
			return err_wrap(e, "listen");
		log_info("listening address=%s", config.listen.at[i]);
	}
	http_open();
	return late_listen_open(&late_http, e);
}

/* Start-up touches pages of some thirty libraries that an idle daemon does not need again. */
static void on_settled(struct timer *t)
{
	(void)t;
	trim_memory();
}

static void on_nri(void *arg)
{
	(void)arg;
	config_rpc_not_ready("");
	rpc_serve();
	if (options.file && !options.fallback)
		ready_config_keep(&config, options.file);
	keeper_ready();
	served = true;
	timer_set(&settle_timer, SETTLE_MS, on_settled);
	runtime_trials_open(
		&(struct runtime_trials_config){ config.state, program("crisp-pause"), snapshot_probe_userns });
	log_info("ready version=%s", CRISP_VERSION);
}

/* Before a container can be made: plugins that are pre-installed are to see all of them. */
static void on_apparmor(void *arg)
{
	(void)arg;
	nri_open(&config.nri, on_nri, NULL);
}

static void on_limit(void *arg, const char *name, uint64_t value, unsigned pods, const char *text)
{
	(void)arg;
	(void)text;
	log_info("node_limit name=%s value=%llu good_for_pods=%u", name, (unsigned long long)value, pods);
}

static void on_recovered(void *arg)
{
	static const struct apparmor_config as_the_kernel_has_it;

	(void)arg;
	network_recovered();
	limits_each(on_limit, NULL);
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
	if (make_directories(&e) < 0 || lock_root(&e) < 0)
		return die(&e);
	why_open(arena_printf(config.arena, "%s/flight", config.state));
	if (open_images(&e) < 0 || open_procs(&e) < 0 ||
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

/* What a runtime has in its state belongs to the trial, so it is waited for as clients are. */
static void on_drained(void *arg)
{
	(void)arg;
	runtime_trials_end(loop_stop);
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

/* Nothing serves yet, so nothing can be lost: the keeper looks whether the next crispd gets READY. */
static void on_reload(struct signal_watch *w)
{
	(void)w;
	if (served)
		reload_start();
	else
		on_signal(NULL);
}

static void reload_go(void)
{
	on_signal(NULL);
}

static int usage(void)
{
	fputs("usage: crispd [--config FILE] [--print state | --check [--running COPY] | --version]\n"
	      "crispd is started by crisp-keeper(8); see crisp-config(5) for the file.\n", stderr);
	return EX_USAGE;
}

static int parse_arguments(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
			options.file = argv[++i];
		else if (strcmp(argv[i], "--fallback") == 0 && i + 1 < argc)
			options.fallback = argv[++i];
		else if (strcmp(argv[i], "--refused") == 0 && i + 1 < argc)
			options.refused = argv[++i];
		else if (strcmp(argv[i], "--running") == 0 && i + 1 < argc)
			options.running = argv[++i];
		else if (strcmp(argv[i], "--check") == 0)
			options.check = true;
		else if (strcmp(argv[i], "--print") == 0 && i + 1 < argc && strcmp(argv[i + 1], "state") == 0)
			options.print = argv[++i];
		else if (strcmp(argv[i], "--version") == 0)
			options.print = "version";
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

/* For a person, or for the crispd that serves: what is wrong is one line of stderr. */
static int check(void)
{
	struct config running;
	struct err e;

	if (options.running && config_load(&running, options.running, &e) < 0) {
		fprintf(stderr, "the configuration in use: %s\n", e.msg);
		return 1;
	}
	if (config_load(&config, options.file, &e) == 0 &&
	    config_try(&config, options.running ? &running : NULL, &e) == 0)
		return 0;
	fprintf(stderr, "%s\n", e.msg);
	return EX_CONFIG;
}

static int load(void)
{
	static char text[1024];
	struct err e;

	if (config_load(&config, options.fallback ? options.fallback : options.file, &e) < 0) {
		log_error("config_failed error=%s", log_quote(e.msg));
		ready_config_why_not(e.msg);
		return EX_CONFIG;
	}
	if (options.fallback && options.file) {
		snprintf(text, sizeof(text), "%s could not be used, the last configuration that was ready is: %s",
			 options.file, options.refused ? options.refused : "");
		log_error("configuration_fallback file=%s refused=%s", log_quote(options.file),
			  log_quote(options.refused ? options.refused : ""));
		config_rpc_other(text);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct keeper_events events = { on_keeper_ready, on_keeper_gone, on_keeper_back, NULL };
	static struct reload_config reload;
	const char *channel = getenv("CRISP_KEEPER_FD");
	struct err e;

	no_core(NULL); /* before credentials are read */
	if (parse_arguments(argc, argv) < 0)
		return usage();
	if (options.print && strcmp(options.print, "version") == 0)
		return puts("crispd " CRISP_VERSION) < 0;
	log_open("crispd", LOG_LEVEL_INFO);
	log_format_inherit();
	if (options.check)
		return check();
	if (load() != 0)
		return EX_CONFIG;
	if (options.print)
		return printf("%s\n%sroot: %s\n", config.state, config.log_format == LOG_JSON ? "log: json\n" : "",
			      config.root) < 0;
	if (!channel)
		return usage();
	log_open("crispd", config.log_level);
	log_set_format(config.log_format);
	about_open();
	log_repeat_open();
	if (fault_open("crispd", &e) < 0) {
		log_error("start_failed error=%s", log_quote(e.msg));
		return EX_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	pin_malloc();
	raise_file_limit();
	gethostname(node_name, sizeof(node_name) - 1);
	signal_watch_set(&on_term, SIGTERM, on_signal);
	signal_watch_set(&on_int, SIGINT, on_signal);
	reload = (struct reload_config){ argv[0], options.file, ready_config_path(&config, config.arena),
					 reload_go };
	reload_open(&reload);
	signal_watch_set(&on_hup, SIGHUP, on_reload);
	config_rpc_open(&config);
	keeper_open((int)strtol(channel, NULL, 10), &events);
	loop_run();
	log_pumps_end();
	runtime_trials_close();
	apparmor_close();
	nri_close();
	late_listen_close();
	stream_close();
	if (http)
		http_server_free(http);
	tls_server_free(http_tls);
	if (grpc)
		grpc_server_free(grpc);
	http_client_close();
	cgroup_close();
	units_close();
	why_close();
	return exit_code;
}
