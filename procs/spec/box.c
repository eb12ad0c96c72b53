/* box.c - config.json of a sandbox that is a container (procs/sandbox_box.h): crisp-pause on a root file system of its
 * own, and what the runtime makes the pod's sandbox of: network namespace, hostname, group. */
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

static json_t *box_namespaces(const struct sandbox *s)
{
	json_t *list = own_must(json_pack("[{s:s},{s:s},{s:s},{s:s}]", "type", "mount", "type", "pid", "type", "ipc",
					  "type", "uts"));

	if (*s->netns_path)
		spec_add(list, json_pack("{s:s,s:o}", "type", "network", "path", spec_str(s->netns_path)));
	return list;
}

json_t *spec_box(const struct sandbox *s, struct arena *a, struct err *e)
{
	const struct runtime_handler *h = runtime_find(s->config.runtime_handler);
	const char *cgroup = cgroup_runtime_path(a, cgroup_pause_path(a, s->cgroup, s->id));
	auto_json json_t *root = own_must(json_object());
	json_t *annotations = own_must(json_object());

	spec_put(root, "ociVersion", spec_str("1.0.2"));
	spec_put(root, "process", box_process(spec_host()));
	spec_put(root, "root", json_pack("{s:s,s:b}", "path", "rootfs", "readonly", 1));
	spec_put(root, "hostname", spec_str(s->config.hostname));
	spec_put(root, "linux", json_pack("{s:o,s:o}", "cgroupsPath", spec_str(cgroup), "namespaces",
					  box_namespaces(s)));
	spec_put(root, "annotations", annotations);
	if (h)
		spec_annotate_allowed(annotations, h, &s->config.annotations, NULL);
	spec_annotate_pod(annotations, s, true);
	return spec_check_text(root, "config.json", e) < 0 ? NULL : take_ptr(&root);
}
