/* box.c - config.json of a sandbox that is a container (procs/sandbox_box.h): crisp-pause on a root file system of its
 * own, and what the runtime makes the pod's sandbox of: network namespace, hostname, group. Where the runtime has its
 * own sandbox, the same without a process: for shims that read there what they are started for. */
#include <stdio.h>

#include "procs/cgroup.h"
#include "procs/spec/part.h"

enum { NOBODY = 65535, PAUSE_OOM_SCORE = -998 };

static json_t *box_process(const struct spec_host *host)
{
	int score = !host->lowers_oom_score && PAUSE_OOM_SCORE < host->oom_score_adj ? host->oom_score_adj
										    : PAUSE_OOM_SCORE;

	return own_must(json_pack("{s:b,s:{s:i,s:i},s:[s,s],s:[],s:s,s:{},s:b,s:i}", "terminal", 0, "user", "uid",
				  (int)NOBODY, "gid", (int)NOBODY, "args", "/pause", "wait", "env", "cwd", "/",
				  "capabilities", "noNewPrivileges", 1, "oomScoreAdj", score));
}

/* ns NULL: those of its own kernel, but for the network, which it takes over. */
static json_t *box_namespaces(const struct sandbox *s, const struct spec_namespaces *ns)
{
	const char *const joined[][2] = { { "network", ns ? ns->net : "" }, { "ipc", ns ? ns->ipc : "" },
					  { "uts", ns ? ns->uts : "" } };
	json_t *list = own_must(json_pack("[{s:s},{s:s},{s:s},{s:s}]", "type", "mount", "type", "pid", "type", "ipc",
					  "type", "uts"));

	if (ns) {
		json_array_clear(list);
		spec_add(list, json_pack("{s:s}", "type", "mount"));
		if (s->config.security.ns.pid != NS_NODE)
			spec_add(list, json_pack("{s:s}", "type", "pid"));
		for (size_t i = 0; i < sizeof(joined) / sizeof(*joined); i++)
			if (*joined[i][1])
				spec_add(list, json_pack("{s:s,s:o}", "type", joined[i][0], "path",
							 spec_str(joined[i][1])));
	} else if (*s->netns_path) {
		spec_add(list, json_pack("{s:s,s:o}", "type", "network", "path", spec_str(s->netns_path)));
	}
	return list;
}

/* Without them runc makes no process, and the agent of Kata no container. */
static json_t *box_mounts(void)
{
	return own_must(json_pack("[{s:s,s:s,s:s,s:[s,s,s]},{s:s,s:s,s:s,s:[s,s,s]},{s:s,s:s,s:s,s:[s,s,s,s]}]",
				  "destination", "/proc", "type", "proc", "source", "proc", "options", "nosuid",
				  "noexec", "nodev", "destination", "/dev", "type", "tmpfs", "source", "tmpfs",
				  "options", "nosuid", "mode=755", "size=65536k", "destination", "/sys", "type",
				  "sysfs", "source", "sysfs", "options", "nosuid", "noexec", "nodev", "ro"));
}

static void put_number(json_t *annotations, const char *key, int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)n);
	if (n > 0)
		spec_put(annotations, key, spec_str(text));
}

/* By these a virtual machine gets its size: all limits of the pod, as containerd tells them. */
static void box_annotate_size(json_t *annotations, const struct resources *r)
{
	put_number(annotations, "io.kubernetes.cri.sandbox-cpu-period", r->cpu_period);
	put_number(annotations, "io.kubernetes.cri.sandbox-cpu-quota", r->cpu_quota);
	put_number(annotations, "io.kubernetes.cri.sandbox-cpu-shares", r->cpu_shares);
	put_number(annotations, "io.kubernetes.cri.sandbox-memory", r->memory_limit);
}

/* As in containerd, the box of a privileged pod does not get the pod's label. */
static void box_label(json_t *root, const struct sandbox *s)
{
	if (*s->mount_label)
		spec_put(json_object_get(root, "linux"), "mountLabel", spec_str(s->mount_label));
	if (*s->process_label && !s->config.security.privileged && !sandbox_in_runtime(s))
		spec_put(json_object_get(root, "process"), "selinuxLabel", spec_str(s->process_label));
}

json_t *spec_box(const struct sandbox *s, const struct spec_namespaces *ns, struct arena *a, struct err *e)
{
	const struct runtime_handler *h = runtime_find(s->config.runtime_handler);
	const char *cgroup = cgroup_runtime_path(a, cgroup_pause_path(a, s->cgroup, s->id));
	auto_json json_t *root = own_must(json_object());
	json_t *annotations = own_must(json_object());

	spec_put(root, "ociVersion", spec_str("1.0.2"));
	if (!sandbox_in_runtime(s))
		spec_put(root, "process", box_process(spec_host()));
	spec_put(root, "root", json_pack("{s:s,s:b}", "path", "rootfs", "readonly", 1));
	spec_put(root, "hostname", spec_str(s->config.hostname));
	spec_put(root, "linux", json_pack("{s:o,s:o}", "cgroupsPath", spec_str(cgroup), "namespaces",
					  box_namespaces(s, ns)));
	spec_put(root, "annotations", annotations);
	if (h)
		spec_annotate_allowed(annotations, h, &s->config.annotations, NULL);
	spec_annotate_pod(annotations, s, true);
	if (ns) {
		spec_put(root, "mounts", box_mounts());
		box_annotate_size(annotations, &s->config.resources);
		box_label(root, s);
	}
	return spec_check_text(root, "config.json", e) < 0 ? NULL : take_ptr(&root);
}
