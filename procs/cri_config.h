/* cri_config.h - the configs of sandboxes and containers in CRI requests as plain structs, with their JSON tables.
 *
 * handlers/convert.c fills them from protobuf; records on disk are made of them (fields.h). Strings are never NULL.
 * Enum members carry CRI v1's numbers. Field meanings: CRI v1 api.proto, messages of the same names. */
#ifndef PROCS_CRI_CONFIG_H
#define PROCS_CRI_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/fields.h"

enum ns_mode { NS_POD = 0, NS_CONTAINER = 1, NS_NODE = 2, NS_TARGET = 3 };
enum propagation { PROPAGATION_PRIVATE = 0, PROPAGATION_HOST_TO_CONTAINER = 1, PROPAGATION_BIDIRECTIONAL = 2 };
enum groups_policy { GROUPS_MERGE = 0, GROUPS_STRICT = 1 };
enum profile_type { PROFILE_RUNTIME_DEFAULT = 0, PROFILE_UNCONFINED = 1, PROFILE_LOCALHOST = 2 };
enum protocol { PROTOCOL_TCP = 0, PROTOCOL_UDP = 1, PROTOCOL_SCTP = 2 };

struct id_mapping {
	uint32_t host_id, container_id, length;
};

struct id_mappings {
	struct id_mapping *at;
	size_t n;
};

struct ns_options {
	int32_t network, pid, ipc; /* enum ns_mode */
	const char *target_id;
	bool has_userns;
	int32_t userns_mode;
	struct id_mappings uids, gids;
};

/* A number that can be a uid or gid: (uid_t)-1 means "leave as it is" to the kernel. (ARCHITECTURE P60) */
static inline bool id_valid(int64_t id) { return id >= 0 && id < UINT32_MAX; }

/* The pod has a user namespace of its own. Once checked, uids and gids have one mapping each, from container id 0
 * on. */
static inline bool ns_has_user(const struct ns_options *ns)
{
	return ns->has_userns && ns->userns_mode == NS_POD;
}

/* The node's ids of the pod's root. */
static inline uint32_t ns_root_uid(const struct ns_options *ns)
{
	return ns_has_user(ns) ? ns->uids.at[0].host_id : 0;
}

static inline uint32_t ns_root_gid(const struct ns_options *ns)
{
	return ns_has_user(ns) ? ns->gids.at[0].host_id : 0;
}

struct profile {
	bool set; /* false: the message is absent, which is not RuntimeDefault */
	int32_t type; /* enum profile_type */
	const char *localhost_ref;
};

struct opt_i64 {
	bool set;
	int64_t value;
};

struct hugepage_limit {
	const char *page_size;
	uint64_t limit;
};

struct resources {
	bool set; /* the message was present */
	/* 0: unset; bytes, microseconds */
	int64_t cpu_period, cpu_quota, cpu_shares, memory_limit, oom_score_adj, memory_swap_limit;
	const char *cpuset_cpus, *cpuset_mems;
	struct { struct hugepage_limit *at; size_t n; } hugepages;
	struct pairs unified;
};

struct selinux_options {
	const char *user, *role, *type, *level;
};

/* Linux security context of a sandbox (caps and paths unused there) and of a container. */
struct security {
	struct ns_options ns;
	bool privileged, readonly_rootfs, no_new_privs;
	struct strings add_caps, drop_caps, add_ambient_caps;
	struct opt_i64 run_as_user, run_as_group;
	const char *run_as_username;
	struct ints supplemental_groups;
	int32_t groups_policy; /* enum groups_policy */
	struct strings masked_paths, readonly_paths;
	struct profile seccomp, apparmor;
	const char *seccomp_profile_path, *apparmor_profile; /* the deprecated strings */
	struct selinux_options selinux;
};

struct dns_config {
	bool set;
	struct strings servers, searches, options;
};

struct port_mapping {
	int32_t protocol, container_port, host_port; /* host_port 0: none */
	const char *host_ip;
};

struct sandbox_config {
	const char *name, *uid, *namespace_;
	uint32_t attempt;
	const char *hostname, *log_directory, *cgroup_parent, *runtime_handler;
	struct dns_config dns;
	struct { struct port_mapping *at; size_t n; } ports;
	struct pairs labels, annotations, sysctls;
	struct security security;
	struct resources overhead, resources;
};

struct mount_config {
	const char *container_path, *host_path, *image, *image_sub_path;
	bool readonly, selinux_relabel, recursive_read_only;
	int32_t propagation; /* enum propagation */
	struct id_mappings uids, gids;
	struct strings mount_options;
};

struct device_config {
	const char *container_path, *host_path, *permissions;
};

struct container_config {
	const char *name;
	uint32_t attempt;
	const char *image, *user_specified_image, *image_runtime_handler; /* as asked */
	struct pairs image_annotations;
	struct strings command, args;
	const char *working_dir, *log_path;
	struct pairs envs;
	struct { struct mount_config *at; size_t n; } mounts;
	struct { struct device_config *at; size_t n; } devices;
	struct strings cdi_devices;
	struct pairs labels, annotations;
	bool stdin_, stdin_once, tty;
	struct resources resources;
	struct security security;
	int32_t stop_signal; /* CRI's Signal number, 0: none */
};

extern const struct field resources_fields[];
extern const struct field security_fields[];
extern const struct field sandbox_config_fields[];
extern const struct field container_config_fields[];

#endif
