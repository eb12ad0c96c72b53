/* cri_config.c - see cri_config.h: one table per struct, members in the order of the struct. */
#include "procs/cri_config.h"

static const struct field id_mapping_fields[] = {
	F_U32(struct id_mapping, host_id), F_U32(struct id_mapping, container_id), F_U32(struct id_mapping, length),
	F_END,
};

static const struct field ns_options_fields[] = {
	F_I32(struct ns_options, network), F_I32(struct ns_options, pid), F_I32(struct ns_options, ipc),
	F_STR(struct ns_options, target_id), F_BOOL(struct ns_options, has_userns),
	F_I32(struct ns_options, userns_mode), F_ARRAY(struct ns_options, uids, id_mapping_fields),
	F_ARRAY(struct ns_options, gids, id_mapping_fields), F_END,
};

static const struct field profile_fields[] = {
	F_BOOL(struct profile, set), F_I32(struct profile, type), F_STR(struct profile, localhost_ref), F_END,
};

static const struct field opt_i64_fields[] = {
	F_BOOL(struct opt_i64, set), F_I64(struct opt_i64, value), F_END,
};

static const struct field hugepage_limit_fields[] = {
	F_STR(struct hugepage_limit, page_size), F_U64(struct hugepage_limit, limit), F_END,
};

const struct field resources_fields[] = {
	F_BOOL(struct resources, set), F_I64(struct resources, cpu_period), F_I64(struct resources, cpu_quota),
	F_I64(struct resources, cpu_shares), F_I64(struct resources, memory_limit),
	F_I64(struct resources, oom_score_adj), F_I64(struct resources, memory_swap_limit),
	F_STR(struct resources, cpuset_cpus), F_STR(struct resources, cpuset_mems),
	F_ARRAY(struct resources, hugepages, hugepage_limit_fields), F_PAIRS(struct resources, unified), F_END,
};

static const struct field selinux_options_fields[] = {
	F_STR(struct selinux_options, user), F_STR(struct selinux_options, role),
	F_STR(struct selinux_options, type), F_STR(struct selinux_options, level), F_END,
};

const struct field security_fields[] = {
	F_STRUCT(struct security, ns, ns_options_fields), F_BOOL(struct security, privileged),
	F_BOOL(struct security, readonly_rootfs), F_BOOL(struct security, no_new_privs),
	F_STRINGS(struct security, add_caps), F_STRINGS(struct security, drop_caps),
	F_STRINGS(struct security, add_ambient_caps), F_STRUCT(struct security, run_as_user, opt_i64_fields),
	F_STRUCT(struct security, run_as_group, opt_i64_fields), F_STR(struct security, run_as_username),
	F_INTS(struct security, supplemental_groups), F_I32(struct security, groups_policy),
	F_STRINGS(struct security, masked_paths), F_STRINGS(struct security, readonly_paths),
	F_STRUCT(struct security, seccomp, profile_fields), F_STRUCT(struct security, apparmor, profile_fields),
	F_STR(struct security, seccomp_profile_path), F_STR(struct security, apparmor_profile),
	F_STRUCT(struct security, selinux, selinux_options_fields), F_END,
};

static const struct field dns_config_fields[] = {
	F_BOOL(struct dns_config, set), F_STRINGS(struct dns_config, servers),
	F_STRINGS(struct dns_config, searches), F_STRINGS(struct dns_config, options), F_END,
};

static const struct field port_mapping_fields[] = {
	F_I32(struct port_mapping, protocol), F_I32(struct port_mapping, container_port),
	F_I32(struct port_mapping, host_port), F_STR(struct port_mapping, host_ip), F_END,
};

const struct field sandbox_config_fields[] = {
	F_STR(struct sandbox_config, name), F_STR(struct sandbox_config, uid),
	F_STR(struct sandbox_config, namespace_), F_U32(struct sandbox_config, attempt),
	F_STR(struct sandbox_config, hostname), F_STR(struct sandbox_config, log_directory),
	F_STR(struct sandbox_config, cgroup_parent), F_STR(struct sandbox_config, runtime_handler),
	F_STRUCT(struct sandbox_config, dns, dns_config_fields),
	F_ARRAY(struct sandbox_config, ports, port_mapping_fields), F_PAIRS(struct sandbox_config, labels),
	F_PAIRS(struct sandbox_config, annotations), F_PAIRS(struct sandbox_config, sysctls),
	F_STRUCT(struct sandbox_config, security, security_fields),
	F_STRUCT(struct sandbox_config, overhead, resources_fields),
	F_STRUCT(struct sandbox_config, resources, resources_fields), F_END,
};

static const struct field mount_config_fields[] = {
	F_STR(struct mount_config, container_path), F_STR(struct mount_config, host_path),
	F_STR(struct mount_config, image), F_STR(struct mount_config, image_sub_path),
	F_BOOL(struct mount_config, readonly), F_BOOL(struct mount_config, selinux_relabel),
	F_BOOL(struct mount_config, recursive_read_only), F_I32(struct mount_config, propagation),
	F_ARRAY(struct mount_config, uids, id_mapping_fields),
	F_ARRAY(struct mount_config, gids, id_mapping_fields), F_STRINGS(struct mount_config, mount_options), F_END,
};

static const struct field device_config_fields[] = {
	F_STR(struct device_config, container_path), F_STR(struct device_config, host_path),
	F_STR(struct device_config, permissions), F_END,
};

const struct field container_config_fields[] = {
	F_STR(struct container_config, name), F_U32(struct container_config, attempt),
	F_STR(struct container_config, image), F_STR(struct container_config, user_specified_image),
	F_STR(struct container_config, image_runtime_handler), F_PAIRS(struct container_config, image_annotations),
	F_STRINGS(struct container_config, command), F_STRINGS(struct container_config, args),
	F_STR(struct container_config, working_dir), F_STR(struct container_config, log_path),
	F_PAIRS(struct container_config, envs), F_ARRAY(struct container_config, mounts, mount_config_fields),
	F_ARRAY(struct container_config, devices, device_config_fields),
	F_STRINGS(struct container_config, cdi_devices), F_PAIRS(struct container_config, labels),
	F_PAIRS(struct container_config, annotations), F_BOOL(struct container_config, stdin_),
	F_BOOL(struct container_config, stdin_once), F_BOOL(struct container_config, tty),
	F_STRUCT(struct container_config, resources, resources_fields),
	F_STRUCT(struct container_config, security, security_fields), F_I32(struct container_config, stop_signal),
	F_END,
};
