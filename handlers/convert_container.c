/* convert_container.c - ContainerConfig to struct container_config. */
#include <string.h>

#include "handlers/convert_in.h"

static int envs_in(struct container_config *out, const Runtime__V1__ContainerConfig *in, struct arena *a, struct err *e)
{
	out->envs.n = in->n_envs;
	out->envs.at = arena_zalloc(a, in->n_envs * sizeof(*out->envs.at));
	for (size_t i = 0; i < in->n_envs; i++) {
		const ProtobufCBinaryData *v = &in->envs[i]->value;

		if (!*in->envs[i]->key || strchr(in->envs[i]->key, '='))
			return err_set(e, ERR_INVALID_ARGUMENT, "envs[%zu]: \"%.100s\" is not a variable's name", i,
				       in->envs[i]->key);
		if (v->len && memchr(v->data, '\0', v->len))
			return err_set(e, ERR_INVALID_ARGUMENT, "envs[%zu]: the value of %.100s holds a NUL", i,
				       in->envs[i]->key);
		out->envs.at[i] =
			(struct pair){ in->envs[i]->key, arena_strndup(a, v->len ? (char *)v->data : "", v->len) };
	}
	return 0;
}

static int mounts_in(struct container_config *out, const Runtime__V1__ContainerConfig *in, struct arena *a,
		     struct err *e)
{
	out->mounts.n = in->n_mounts;
	out->mounts.at = arena_zalloc(a, in->n_mounts * sizeof(*out->mounts.at));
	for (size_t i = 0; i < in->n_mounts; i++) {
		const Runtime__V1__Mount *m = in->mounts[i];

		if (convert_enum(m->propagation, PROPAGATION_BIDIRECTIONAL, "mounts.propagation", e) < 0)
			return -1;
		out->mounts.at[i] = (struct mount_config){
			.container_path = m->container_path, .host_path = m->host_path,
			.image = m->image ? m->image->image : "", .image_sub_path = m->image_sub_path,
			.readonly = m->readonly, .selinux_relabel = m->selinux_relabel,
			.recursive_read_only = m->recursive_read_only, .propagation = m->propagation,
			.uids = convert_id_mappings(m->uidmappings, m->n_uidmappings, a),
			.gids = convert_id_mappings(m->gidmappings, m->n_gidmappings, a),
			.mount_options = convert_strings(m->mount_options, m->n_mount_options, a),
		};
	}
	return 0;
}

static int security_in(struct security *out, const Runtime__V1__LinuxContainerSecurityContext *in, struct arena *a,
		       struct err *e)
{
	if (!in)
		return 0;
	if (convert_enum(in->supplemental_groups_policy, GROUPS_STRICT, "supplemental_groups_policy", e) < 0)
		return -1;
	out->privileged = in->privileged;
	out->readonly_rootfs = in->readonly_rootfs;
	out->no_new_privs = in->no_new_privs;
	if (in->capabilities) {
		const Runtime__V1__Capability *c = in->capabilities;

		out->add_caps = convert_strings(c->add_capabilities, c->n_add_capabilities, a);
		out->drop_caps = convert_strings(c->drop_capabilities, c->n_drop_capabilities, a);
		out->add_ambient_caps = convert_strings(c->add_ambient_capabilities, c->n_add_ambient_capabilities, a);
	}
	out->run_as_user = convert_opt(in->run_as_user);
	out->run_as_group = convert_opt(in->run_as_group);
	out->run_as_username = in->run_as_username;
	out->supplemental_groups = convert_ints(in->supplemental_groups, in->n_supplemental_groups, a);
	out->groups_policy = in->supplemental_groups_policy;
	out->masked_paths = convert_strings(in->masked_paths, in->n_masked_paths, a);
	out->readonly_paths = convert_strings(in->readonly_paths, in->n_readonly_paths, a);
	if (convert_profile(&out->seccomp, in->seccomp, "seccomp", e) < 0 ||
	    convert_profile(&out->apparmor, in->apparmor, "apparmor", e) < 0)
		return -1;
	out->seccomp_profile_path = in->seccomp_profile_path;
	out->apparmor_profile = in->apparmor_profile;
	out->selinux = convert_selinux(in->selinux_options);
	return convert_namespaces(&out->ns, in->namespace_options, a, e);
}

static void devices_in(struct container_config *out, const Runtime__V1__ContainerConfig *in, struct arena *a)
{
	out->devices.n = in->n_devices;
	out->devices.at = arena_zalloc(a, in->n_devices * sizeof(*out->devices.at));
	for (size_t i = 0; i < in->n_devices; i++)
		out->devices.at[i] = (struct device_config){ in->devices[i]->container_path, in->devices[i]->host_path,
							     in->devices[i]->permissions };
	out->cdi_devices.n = in->n_cdi_devices;
	out->cdi_devices.at = arena_zalloc(a, in->n_cdi_devices * sizeof(*out->cdi_devices.at));
	for (size_t i = 0; i < in->n_cdi_devices; i++)
		out->cdi_devices.at[i] = in->cdi_devices[i]->name;
}

/* The log must be below log_directory, where the kubelet looks for it. */
static int check_log_path(const char *path, struct err *e)
{
	for (const char *at = path; *at; at += strspn(at, "/")) {
		size_t n = strcspn(at, "/");

		if (n == 2 && at[0] == '.' && at[1] == '.')
			return err_set(e, ERR_INVALID_ARGUMENT, "log_path: \"%.200s\" has a .. in it", path);
		at += n;
	}
	return 0;
}

static int identity_in(struct container_config *out, const Runtime__V1__ContainerConfig *in, struct arena *a,
		       struct err *e)
{
	if (!in)
		return err_set(e, ERR_INVALID_ARGUMENT, "config is missing");
	if (!in->metadata || !*in->metadata->name)
		return err_set(e, ERR_INVALID_ARGUMENT, "config.metadata.name is missing");
	if (!in->image || !*in->image->image)
		return err_set(e, ERR_INVALID_ARGUMENT, "config.image is missing");
	out->name = in->metadata->name;
	out->attempt = in->metadata->attempt;
	out->image = in->image->image;
	out->user_specified_image = in->image->user_specified_image;
	out->image_runtime_handler = in->image->runtime_handler;
	out->image_annotations = convert_pairs(in->image->annotations, in->image->n_annotations, a);
	return 0;
}

int convert_container_config(struct container_config *out, const Runtime__V1__ContainerConfig *in, struct arena *a,
			     struct err *e)
{
	fields_zero(container_config_fields, out);
	if (identity_in(out, in, a, e) < 0 || envs_in(out, in, a, e) < 0 || mounts_in(out, in, a, e) < 0)
		return -1;
	devices_in(out, in, a);
	out->command = convert_strings(in->command, in->n_command, a);
	out->args = convert_strings(in->args, in->n_args, a);
	out->working_dir = in->working_dir;
	out->labels = convert_pairs(in->labels, in->n_labels, a);
	out->annotations = convert_pairs(in->annotations, in->n_annotations, a);
	out->log_path = in->log_path;
	if (check_log_path(in->log_path, e) < 0)
		return -1;
	out->stdin_ = in->stdin;
	out->stdin_once = in->stdin_once;
	out->tty = in->tty;
	out->stop_signal = in->stop_signal;
	if (!in->linux)
		return 0;
	if (convert_resources_in(&out->resources, in->linux->resources, a, e) < 0)
		return -1;
	return security_in(&out->security, in->linux->security_context, a, e);
}
