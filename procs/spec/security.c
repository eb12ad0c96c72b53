/* security.c - further limits of a process: no_new_privs, AppArmor, SELinux, masked paths; user namespaces.
 *
 * Specs: CRI v1 LinuxContainerSecurityContext; kernel Documentation/admin-guide/LSM/apparmor.rst. */
#include <string.h>

#include "procs/apparmor.h"
#include "procs/spec/part.h"

/* The message `apparmor` overrides the old string: "", "runtime/default", "unconfined", "localhost/<name>". */
static int apparmor_asked(const struct security *sec, struct profile *p, struct err *e)
{
	const char *old = sec->apparmor_profile;

	*p = sec->apparmor;
	if (p->set || old[0] == '\0')
		return 0;
	*p = (struct profile){ .set = true, .localhost_ref = "" };
	if (strcmp(old, "unconfined") == 0)
		p->type = PROFILE_UNCONFINED;
	else if (strcmp(old, "runtime/default") == 0)
		p->type = PROFILE_RUNTIME_DEFAULT;
	else if (strncmp(old, "localhost/", 10) == 0)
		p->type = PROFILE_LOCALHOST, p->localhost_ref = old;
	else
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "apparmor_profile \"%s\": not runtime/default, unconfined or localhost/NAME", old);
	return 0;
}

static int apparmor(struct spec *s, struct err *e)
{
	const char *name = APPARMOR_DEFAULT;
	struct profile p;

	if (apparmor_asked(s->sec, &p, e) < 0)
		return -1;
	if (s->sec->privileged || (p.set && p.type == PROFILE_UNCONFINED))
		return 0;
	if (!s->host->apparmor)
		return p.set ? err_set(e, ERR_INVALID_ARGUMENT, "apparmor: this machine has no AppArmor") : 0;
	if (p.set && p.type == PROFILE_LOCALHOST)
		name = strncmp(p.localhost_ref, "localhost/", 10) == 0 ? p.localhost_ref + 10 : p.localhost_ref;
	/* A container that names no profile gets the default one, or none on a host without a parser (logged by
	 * apparmor_open()). */
	if (!apparmor_loaded(name))
		return p.set || apparmor_default()
			       ? err_set(e, ERR_INVALID_ARGUMENT, "apparmor: profile \"%s\" is not loaded", name)
			       : 0;
	spec_put(s->process, "apparmorProfile", spec_str(name));
	return 0;
}

static int absolute(const char *field, const struct strings *paths, struct err *e)
{
	for (size_t i = 0; i < paths->n; i++)
		if (paths->at[i][0] != '/')
			return err_set(e, ERR_INVALID_ARGUMENT, "%s: \"%.200s\" is not absolute", field, paths->at[i]);
	return 0;
}

int spec_confine(struct spec *s, struct err *e)
{
	spec_put(s->process, "noNewPrivileges", json_boolean(s->sec->no_new_privs));
	if (apparmor(s, e) < 0)
		return -1;
	/* The runtime labels the process and its own mounts. crisp labels overlays, the pod's files and the stdio.
	 * (ARCHITECTURE P24) */
	if (*s->c->process_label)
		spec_put(s->process, "selinuxLabel", spec_str(s->c->process_label));
	if (*s->c->mount_label)
		spec_put(s->linux_, "mountLabel", spec_str(s->c->mount_label));
	if (absolute("masked_paths", &s->sec->masked_paths, e) < 0 ||
	    absolute("readonly_paths", &s->sec->readonly_paths, e) < 0)
		return -1;
	if (s->sec->privileged)
		return 0;
	spec_put(s->linux_, "maskedPaths", spec_strs(&s->sec->masked_paths));
	spec_put(s->linux_, "readonlyPaths", spec_strs(&s->sec->readonly_paths));
	return 0;
}

/* ---- user namespaces ---- */

static int one_mapping(const char *what, const struct id_mappings *m, struct err *e)
{
	if (m->n != 1)
		return err_set(e, ERR_INVALID_ARGUMENT, "userns_options: %s needs exactly one mapping, not %zu", what,
			       m->n);
	if (m->at[0].length == 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "userns_options: %s has length 0", what);
	if (m->at[0].container_id != 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "userns_options: %s does not map id 0", what);
	return 0;
}

static int userns_asked(const struct ns_options *ns, bool *asked, struct err *e)
{
	*asked = false;
	if (!ns->has_userns)
		return 0;
	if (ns->userns_mode == NS_NODE) {
		if (ns->uids.n || ns->gids.n)
			return err_set(e, ERR_INVALID_ARGUMENT, "userns_options: mode NODE takes no mappings");
		return 0;
	}
	if (ns->userns_mode != NS_POD)
		return err_set(e, ERR_INVALID_ARGUMENT, "userns_options: mode %d is neither POD nor NODE",
			       ns->userns_mode);
	if (one_mapping("uids", &ns->uids, e) < 0 || one_mapping("gids", &ns->gids, e) < 0)
		return -1;
	*asked = true;
	return 0;
}

static bool same_mappings(const struct id_mappings *x, const struct id_mappings *y)
{
	return x->n == y->n && (x->n == 0 || memcmp(x->at, y->at, x->n * sizeof(*x->at)) == 0);
}

int spec_userns(struct spec *s, struct err *e)
{
	const struct ns_options *pod = &s->c->sandbox->config.security.ns, *own = &s->sec->ns;
	bool pod_has;

	if (userns_asked(pod, &pod_has, e) < 0 || userns_asked(own, &s->userns, e) < 0)
		return -1;
	if (pod_has != s->userns)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "userns_options: the sandbox has %s user namespace, the container asks for %s",
			       pod_has ? "a" : "no", s->userns ? "one" : "none");
	if (s->userns && !(same_mappings(&pod->uids, &own->uids) && same_mappings(&pod->gids, &own->gids)))
		return err_set(e, ERR_INVALID_ARGUMENT, "userns_options: mappings differ from the sandbox's");
	return 0;
}

json_t *spec_id_mappings(const struct id_mappings *m)
{
	json_t *a = own_must(json_array());

	for (size_t i = 0; i < m->n; i++)
		spec_add(a, json_pack("{s:I,s:I,s:I}", "containerID", (json_int_t)m->at[i].container_id, "hostID",
				      (json_int_t)m->at[i].host_id, "size", (json_int_t)m->at[i].length));
	return a;
}
