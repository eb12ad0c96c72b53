/* run_config.c - see run_config.h. The container is confined as by the kubelet, and has the default seccomp profile. */
#include "handlers/cli/run_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "handlers/cli/run_options.h"
#include "reactor/own.h"

#define RUN_NAMESPACE "default"
#define NEW(a, type, init) ({ type *new_ = arena_zalloc(a, sizeof(*new_)); init(new_); new_; })

const struct cli_option cli_run_options[] = {
	{ "name", 'n', "NAME", "name of the pod and the container; default: made from the image's name" },
	{ "interactive", 'i', NULL, "the container gets stdin" },
	{ "tty", 't', NULL, "the container gets a terminal; with -i the keys go to it" },
	{ "detach", 'd', NULL, "print the container's id when it runs, and leave it" },
	{ "publish", 'p', "PORT:PORT", "a port of the node for one of the pod: [IP:]PORT:PORT[/udp]; may be repeated" },
	{ "volume", 'v', "PATH:PATH[:ro]", "a file or directory of the node in the container; may be repeated" },
	{ "env", 'e', "KEY[=VALUE]", "an environment variable; without =VALUE: the value of crisp; may be repeated" },
	{ "runtime", 'r', "HANDLER", "the runtime handler of crisp-config(5)" },
	{ "host-network", 0, NULL, "use the node's network, no network namespace of its own" },
	{ "pull", 0, "WHEN", "always, missing (the default) or never" },
	{ "no-pull", 0, NULL, "the same as --pull never" },
	{ "creds", 0, "USER:PASSWORD", "credentials for the registry" },
	{ "log-dir", 0, "DIRECTORY", "write the log there and keep it; default: one in $TMPDIR, removed at the end" },
	{ "rm", 0, NULL, "remove pod and container at the end (the default)" },
	{ "keep", 0, NULL, "leave pod, container and log behind" },
	{ "verbose", 0, NULL, "print to stderr how long each stage took" },
	{ 0 },
};

/* "registry.example:5000/team/app:1.2@sha256:..." -> "app-1f3a9c" */
static const char *make_name(const char *image, struct arena *a)
{
	const char *slash = strrchr(image, '/'), *base = slash ? slash + 1 : image;
	char *name = arena_strndup(a, base, strcspn(base, ":@"));
	unsigned char salt[3];

	if (getrandom(salt, sizeof(salt), 0) != sizeof(salt))
		abort();
	for (char *c = name; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *c))
			*c = '-';
	return arena_printf(a, "%.40s-%02x%02x%02x", *name ? name : "run", salt[0], salt[1], salt[2]);
}

static int read_pull(struct cli_run_config *out, const struct cli_args *args, struct err *e)
{
	static const char *const words[] = { "missing", "always", "never" };
	const char *word = cli_args_value(args, "pull");

	if (cli_args_flag(args, "no-pull"))
		out->pull = CLI_PULL_NEVER;
	if (!word)
		return 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(word, words[i]) != 0)
			continue;
		if (cli_args_flag(args, "no-pull") && i != CLI_PULL_NEVER)
			return err_set(e, ERR_INVALID_ARGUMENT, "--no-pull and --pull %s contradict each other", word);
		out->pull = (enum cli_run_pull)i;
		return 0;
	}
	return err_set(e, ERR_INVALID_ARGUMENT, "--pull %s: always, missing or never is expected", word);
}

static int read_env(struct cli_run_config *out, const struct cli_args *args, struct arena *a, struct err *e)
{
	struct strings given = cli_args_values(args, "env", a);

	out->env.at = arena_zalloc(a, (given.n + 1) * sizeof(*out->env.at));
	for (size_t i = 0; i < given.n; i++) {
		const char *ours = strchr(given.at[i], '=') ? NULL : getenv(given.at[i]);

		if (!given.at[i][0] || given.at[i][0] == '=')
			return err_set(e, ERR_INVALID_ARGUMENT, "--env %s: KEY=VALUE is expected", given.at[i]);
		if (strchr(given.at[i], '='))
			out->env.at[out->env.n++] = given.at[i];
		else if (ours)
			out->env.at[out->env.n++] = arena_printf(a, "%s=%s", given.at[i], ours);
	}
	return 0;
}

/* A directory that crisp makes has mode 0700 (mkdtemp): other users must not read the container's output. */
static int make_log_dir(struct cli_run_config *out, const struct cli_args *args, struct arena *a, struct err *e)
{
	const char *given = cli_args_value(args, "log-dir"), *tmp = getenv("TMPDIR");
	auto_free char *whole = NULL;
	char *path;

	if (given) {
		if (mkdir(given, 0750) < 0 && errno != EEXIST)
			return err_os(e, ERR_INTERNAL, "make %s", given);
		whole = realpath(given, NULL);
		if (!whole)
			return err_os(e, ERR_INTERNAL, "%s", given);
		out->log_dir = arena_strdup(a, whole);
		return 0;
	}
	path = arena_printf(a, "%s/crisp-run.XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");
	if (!mkdtemp(path))
		return err_os(e, ERR_INTERNAL, "make %s", path);
	out->log_dir = path;
	out->log_dir_ours = true;
	return 0;
}

static int read_ports(struct cli_run_config *out, const struct cli_args *args, struct arena *a, struct err *e)
{
	struct strings given = cli_args_values(args, "publish", a);

	out->ports.at = arena_zalloc(a, (given.n + 1) * sizeof(*out->ports.at));
	for (; out->ports.n < given.n; out->ports.n++) {
		out->ports.at[out->ports.n] = cli_run_port(given.at[out->ports.n], a, e);
		if (!out->ports.at[out->ports.n])
			return -1;
	}
	return 0;
}

static int read_volumes(struct cli_run_config *out, const struct cli_args *args, struct arena *a, struct err *e)
{
	struct strings given = cli_args_values(args, "volume", a);

	out->volumes.at = arena_zalloc(a, (given.n + 1) * sizeof(*out->volumes.at));
	for (; out->volumes.n < given.n; out->volumes.n++) {
		out->volumes.at[out->volumes.n] = cli_run_volume(given.at[out->volumes.n], a, e);
		if (!out->volumes.at[out->volumes.n])
			return -1;
	}
	return 0;
}

int cli_run_config_read(struct cli_run_config *out, const struct cli_args *args, struct arena *a, struct err *e)
{
	const char *name = cli_args_value(args, "name"), *runtime = cli_args_value(args, "runtime");

	*out = (struct cli_run_config){
		.image = args->operands.at[0],
		.creds = cli_args_value(args, "creds"),
		.name = name ? name : make_name(args->operands.at[0], a),
		.runtime = runtime ? runtime : "",
		.host_network = cli_args_flag(args, "host-network"),
		.verbose = cli_args_flag(args, "verbose"),
		.keep = cli_args_flag(args, "keep") || cli_args_flag(args, "detach"),
		.detach = cli_args_flag(args, "detach"),
		.input = cli_args_flag(args, "interactive"),
		.tty = cli_args_flag(args, "tty"),
		.command = { args->operands.at + 1, args->operands.n - 1 },
	};
	if (!out->name[0] || strchr(out->name, '/'))
		return err_set(e, ERR_INVALID_ARGUMENT, "--name %s: not a name", out->name);
	if (out->keep && cli_args_flag(args, "rm"))
		return err_set(e, ERR_INVALID_ARGUMENT, "--rm and --%s contradict each other",
			       out->detach ? "detach" : "keep");
	if (out->host_network && cli_args_value(args, "publish"))
		return err_set(e, ERR_INVALID_ARGUMENT, "--host-network has no ports to publish");
	if (read_pull(out, args, e) < 0 || read_env(out, args, a, e) < 0 ||
	    read_ports(out, args, a, e) < 0 || read_volumes(out, args, a, e) < 0)
		return -1;
	return make_log_dir(out, args, a, e);
}

void cli_run_config_free(const struct cli_run_config *cfg)
{
	auto_dir DIR *dir = cfg->log_dir_ours ? opendir(cfg->log_dir) : NULL;
	struct dirent *d;

	if (!dir)
		return;
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.')
			unlinkat(dirfd(dir), d->d_name, 0);
	rmdir(cfg->log_dir);
}

/* ---- parts of the two configs ---- */

/* The uid makes a retry of the same RunPodSandbox join the first. With --log-dir the uid is the name: a second run with
 * the same --name gets an error instead of a second pod. */
static const char *pod_uid(const struct cli_run_config *cfg, struct arena *a)
{
	const char *unique = strrchr(cfg->log_dir, '/') + 1;

	return cfg->log_dir_ours ? arena_printf(a, "%s-%s", cfg->name, unique) : cfg->name;
}

static Runtime__V1__NamespaceOption *namespaces(const struct cli_run_config *cfg, struct arena *a)
{
	Runtime__V1__NamespaceOption *ns = NEW(a, Runtime__V1__NamespaceOption, runtime__v1__namespace_option__init);

	ns->pid = RUNTIME__V1__NAMESPACE_MODE__CONTAINER;
	if (cfg->host_network)
		ns->network = RUNTIME__V1__NAMESPACE_MODE__NODE;
	return ns;
}

static Runtime__V1__SecurityProfile *default_profile(struct arena *a)
{
	return NEW(a, Runtime__V1__SecurityProfile, runtime__v1__security_profile__init); /* RuntimeDefault is 0 */
}

/* ---- labels ---- */

/* The names by which crictl, cAdvisor and others know a pod and its container. Spec: kubelet's package types,
 * labels.go. The last is a container's only. */
static const char *const label_names[] = { "io.kubernetes.pod.name", "io.kubernetes.pod.namespace",
					   "io.kubernetes.pod.uid", "io.kubernetes.container.name" };

enum { LABELS = sizeof(label_names) / sizeof(*label_names) };

static const char *label_value(const struct cli_run_config *cfg, size_t i, struct arena *a)
{
	return i == 1 ? RUN_NAMESPACE : i == 2 ? pod_uid(cfg, a) : cfg->name;
}

static void label_pod(Runtime__V1__PodSandboxConfig *pod, const struct cli_run_config *cfg, struct arena *a)
{
	pod->labels = arena_zalloc(a, LABELS * sizeof(*pod->labels));
	for (size_t i = 0; i < LABELS - 1; i++) {
		Runtime__V1__PodSandboxConfig__LabelsEntry *l = arena_zalloc(a, sizeof(*l));

		runtime__v1__pod_sandbox_config__labels_entry__init(l);
		l->key = (char *)label_names[i];
		l->value = (char *)label_value(cfg, i, a);
		pod->labels[pod->n_labels++] = l;
	}
}

static void label_container(Runtime__V1__ContainerConfig *c, const struct cli_run_config *cfg, struct arena *a)
{
	c->labels = arena_zalloc(a, LABELS * sizeof(*c->labels));
	for (size_t i = 0; i < LABELS; i++) {
		Runtime__V1__ContainerConfig__LabelsEntry *l = arena_zalloc(a, sizeof(*l));

		runtime__v1__container_config__labels_entry__init(l);
		l->key = (char *)label_names[i];
		l->value = (char *)label_value(cfg, i, a);
		c->labels[c->n_labels++] = l;
	}
}

/* ---- the configs ---- */

Runtime__V1__PodSandboxConfig *cli_run_config_pod(const struct cli_run_config *cfg, struct arena *a)
{
	Runtime__V1__PodSandboxConfig *pod =
		NEW(a, Runtime__V1__PodSandboxConfig, runtime__v1__pod_sandbox_config__init);

	pod->metadata = NEW(a, Runtime__V1__PodSandboxMetadata, runtime__v1__pod_sandbox_metadata__init);
	pod->metadata->name = (char *)cfg->name;
	pod->metadata->namespace_ = (char *)RUN_NAMESPACE;
	pod->metadata->uid = (char *)pod_uid(cfg, a);
	pod->port_mappings = cfg->ports.at;
	pod->n_port_mappings = cfg->ports.n;
	label_pod(pod, cfg, a);
	pod->hostname = cfg->host_network ? (char *)"" : arena_strndup(a, cfg->name, 63);
	pod->log_directory = (char *)cfg->log_dir;
	pod->linux = NEW(a, Runtime__V1__LinuxPodSandboxConfig, runtime__v1__linux_pod_sandbox_config__init);
	pod->linux->security_context =
		NEW(a, Runtime__V1__LinuxSandboxSecurityContext, runtime__v1__linux_sandbox_security_context__init);
	pod->linux->security_context->namespace_options = namespaces(cfg, a);
	pod->linux->security_context->seccomp = default_profile(a);
	return pod;
}

static Runtime__V1__KeyValue **env_list(const struct strings *env, struct arena *a)
{
	Runtime__V1__KeyValue **list = arena_zalloc(a, (env->n + 1) * sizeof(*list));

	for (size_t i = 0; i < env->n; i++) {
		const char *value = strchr(env->at[i], '=');

		list[i] = NEW(a, Runtime__V1__KeyValue, runtime__v1__key_value__init);
		list[i]->key = arena_strndup(a, env->at[i], (size_t)(value - env->at[i]));
		list[i]->value = (ProtobufCBinaryData){ strlen(value + 1), (uint8_t *)value + 1 };
	}
	return list;
}

static Runtime__V1__LinuxContainerConfig *confinement(const struct cli_run_config *cfg, struct arena *a)
{
	/* kubernetes, pkg/securitycontext: the masked and read-only paths of procMount: Default. */
	static const char *const masked[] = {
		"/proc/asound",
		"/proc/acpi",
		"/proc/kcore",
		"/proc/keys",
		"/proc/latency_stats",
		"/proc/timer_list",
		"/proc/timer_stats",
		"/proc/sched_debug",
		"/proc/scsi",
		"/sys/firmware",
		"/sys/devices/virtual/powercap",
	};
	static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
						"/proc/sysrq-trigger" };
	Runtime__V1__LinuxContainerConfig *linux =
		NEW(a, Runtime__V1__LinuxContainerConfig, runtime__v1__linux_container_config__init);
	Runtime__V1__LinuxContainerSecurityContext *s =
		NEW(a, Runtime__V1__LinuxContainerSecurityContext, runtime__v1__linux_container_security_context__init);

	s->namespace_options = namespaces(cfg, a);
	s->seccomp = default_profile(a);
	s->masked_paths = (char **)masked;
	s->n_masked_paths = sizeof(masked) / sizeof(*masked);
	s->readonly_paths = (char **)readonly;
	s->n_readonly_paths = sizeof(readonly) / sizeof(*readonly);
	linux->security_context = s;
	return linux;
}

Runtime__V1__ContainerConfig *cli_run_config_container(const struct cli_run_config *cfg, const char *image_ref,
						       struct arena *a)
{
	Runtime__V1__ContainerConfig *c = NEW(a, Runtime__V1__ContainerConfig, runtime__v1__container_config__init);

	c->metadata = NEW(a, Runtime__V1__ContainerMetadata, runtime__v1__container_metadata__init);
	c->metadata->name = (char *)cfg->name;
	c->image = NEW(a, Runtime__V1__ImageSpec, runtime__v1__image_spec__init);
	c->image->image = (char *)image_ref;
	c->image->user_specified_image = (char *)cfg->image;
	c->n_args = cfg->command.n;
	c->args = (char **)cfg->command.at;
	c->n_envs = cfg->env.n;
	c->envs = env_list(&cfg->env, a);
	c->log_path = arena_printf(a, "%s.log", cfg->name);
	c->linux = confinement(cfg, a);
	c->stdin = cfg->input;
	c->stdin_once = cfg->input && !cfg->detach;
	c->tty = cfg->tty;
	c->mounts = cfg->volumes.at;
	c->n_mounts = cfg->volumes.n;
	label_container(c, cfg, a);
	return c;
}
