/* runtime_options.c - struct runtime_options of runtime.h as a table: to copy it and to show it. */
#include "procs/runtime.h"

const struct field runtime_options_fields[] = {
	F_STRINGS(struct runtime_options, args), F_STR(struct runtime_options, root),
	F_BOOL(struct runtime_options, sandbox_container), F_BOOL(struct runtime_options, sandbox_api),
	F_I64(struct runtime_options, create_timeout_ms),
	F_STRINGS(struct runtime_options, allowed_annotations), F_PAIRS(struct runtime_options, default_annotations),
	F_STR(struct runtime_options, base_spec), F_STR(struct runtime_options, cni_conf_dir),
	F_BOOL(struct runtime_options, privileged_without_host_devices),
	F_BOOL(struct runtime_options, cgroup_writable), F_STR(struct runtime_options, binary),
	F_STR(struct runtime_options, config_path), F_END,
};
