/* convert_sandbox.c - PodSandboxConfig to struct sandbox_config. */
#include "handlers/convert_in.h"

static int metadata_in(struct sandbox_config *out, const Runtime__V1__PodSandboxMetadata *m, struct err *e)
{
	if (!m)
		return err_set(e, ERR_INVALID_ARGUMENT, "config.metadata is missing");
	if (!*m->name || !*m->uid || !*m->namespace_)
		return err_set(e, ERR_INVALID_ARGUMENT, "config.metadata: name, uid and namespace must be given");
	out->name = m->name;
	out->uid = m->uid;
	out->namespace_ = m->namespace_;
	out->attempt = m->attempt;
	return 0;
}

static int ports_in(struct sandbox_config *out, const Runtime__V1__PodSandboxConfig *in, struct arena *a, struct err *e)
{
	out->ports.n = in->n_port_mappings;
	out->ports.at = arena_zalloc(a, in->n_port_mappings * sizeof(*out->ports.at));
	for (size_t i = 0; i < in->n_port_mappings; i++) {
		const Runtime__V1__PortMapping *p = in->port_mappings[i];

		if (convert_enum(p->protocol, PROTOCOL_SCTP, "port_mappings.protocol", e) < 0)
			return -1;
		if (p->container_port < 0 || p->container_port > 65535 || p->host_port < 0 || p->host_port > 65535)
			return err_set(e, ERR_INVALID_ARGUMENT, "port_mappings: %d:%d is not a pair of ports",
				       p->host_port, p->container_port);
		out->ports.at[i] = (struct port_mapping){ p->protocol, p->container_port, p->host_port, p->host_ip };
	}
	return 0;
}

static int security_in(struct security *out, const Runtime__V1__LinuxSandboxSecurityContext *in, struct arena *a,
		       struct err *e)
{
	if (!in)
		return 0;
	if (convert_enum(in->supplemental_groups_policy, GROUPS_STRICT, "supplemental_groups_policy", e) < 0)
		return -1;
	out->privileged = in->privileged;
	out->readonly_rootfs = in->readonly_rootfs;
	out->run_as_user = convert_opt(in->run_as_user);
	out->run_as_group = convert_opt(in->run_as_group);
	out->supplemental_groups = convert_ints(in->supplemental_groups, in->n_supplemental_groups, a);
	out->groups_policy = in->supplemental_groups_policy;
	if (convert_profile(&out->seccomp, in->seccomp, "seccomp", e) < 0 ||
	    convert_profile(&out->apparmor, in->apparmor, "apparmor", e) < 0)
		return -1;
	out->seccomp_profile_path = in->seccomp_profile_path;
	out->selinux = convert_selinux(in->selinux_options);
	return convert_namespaces(&out->ns, in->namespace_options, a, e);
}

static void dns_in(struct dns_config *out, const Runtime__V1__DNSConfig *in, struct arena *a)
{
	if (!in)
		return;
	out->set = true;
	out->servers = convert_strings(in->servers, in->n_servers, a);
	out->searches = convert_strings(in->searches, in->n_searches, a);
	out->options = convert_strings(in->options, in->n_options, a);
}

int convert_sandbox_config(struct sandbox_config *out, const Runtime__V1__PodSandboxConfig *in, struct arena *a,
			   struct err *e)
{
	fields_zero(sandbox_config_fields, out);
	if (!in)
		return err_set(e, ERR_INVALID_ARGUMENT, "config is missing");
	if (metadata_in(out, in->metadata, e) < 0 || ports_in(out, in, a, e) < 0)
		return -1;
	out->hostname = in->hostname;
	out->log_directory = in->log_directory;
	if (*out->log_directory && *out->log_directory != '/')
		return err_set(e, ERR_INVALID_ARGUMENT, "log_directory: \"%.200s\" is not absolute",
			       out->log_directory);
	out->labels = convert_pairs(in->labels, in->n_labels, a);
	out->annotations = convert_pairs(in->annotations, in->n_annotations, a);
	dns_in(&out->dns, in->dns_config, a);
	if (!in->linux)
		return 0;
	out->cgroup_parent = in->linux->cgroup_parent;
	out->sysctls = convert_pairs(in->linux->sysctls, in->linux->n_sysctls, a);
	if (security_in(&out->security, in->linux->security_context, a, e) < 0 ||
	    convert_resources_in(&out->overhead, in->linux->overhead, a, e) < 0 ||
	    convert_resources_in(&out->resources, in->linux->resources, a, e) < 0)
		return -1;
	return 0;
}
