/* cdi.c - the edits of CDI devices in config.json but for mounts: environment, groups, device nodes, hooks.
 *
 * Specs: CDI's SPEC.md, "OCI Edits"; OCI runtime-spec config.md "POSIX-platform Hooks". procs/cdi_parse.c checked
 * the types. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "procs/adjust.h"
#include "procs/cdi.h"
#include "procs/spec/part.h"

static const char *cdi_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

void spec_cdi_look(struct lookup *lookup, const struct container_config *cfg)
{
	struct arena *a = arena_new();
	struct strings names;
	struct err e;

	if (cdi_asked(&cfg->cdi_devices, &cfg->annotations, &names, a, &e) == 0 && names.n)
		cdi_look(lookup);
	arena_free(a);
}

/* Those of the request, then those of plugins. */
static struct strings all_devices(struct spec *s)
{
	const struct strings *asked = &s->c->config.cdi_devices;
	const struct strings *more = s->c->adjustment ? &s->c->adjustment->cdi_devices : &(struct strings){ 0 };
	struct strings all = { arena_zalloc(s->a, (asked->n + more->n + 1) * sizeof(*all.at)), 0 };

	for (size_t i = 0; i < asked->n; i++)
		all.at[all.n++] = asked->at[i];
	for (size_t i = 0; i < more->n; i++)
		all.at[all.n++] = more->at[i];
	return all;
}

int spec_cdi(struct spec *s, struct err *e)
{
	const struct container_config *cfg = &s->c->config;
	struct strings names, devices = all_devices(s);

	if (cdi_asked(&devices, &cfg->annotations, &names, s->a, e) < 0)
		return -1;
	if (names.n == 0)
		return 0;
	s->cdi = cdi_edits(s->c->lookup, &names, e);
	if (!s->cdi)
		return -1;
	if (json_array_size(json_object_get(s->cdi, "netDevices")))
		return err_set(e, ERR_INVALID_ARGUMENT, "CDI device %.200s: net devices are not supported",
			       names.at[0]);
	if (json_object_size(json_object_get(s->cdi, "intelRdt")))
		spec_put(s->linux_, "intelRdt", json_deep_copy(json_object_get(s->cdi, "intelRdt")));
	return 0;
}

void spec_cdi_env(struct spec *s)
{
	size_t i;
	json_t *v;

	json_array_foreach(json_object_get(s->cdi, "env"), i, v)
		spec_set_env(s, json_string_value(v));
}

void spec_cdi_groups(struct spec *s)
{
	json_t *groups = json_object_get(json_object_get(s->process, "user"), "additionalGids"), *v, *old;
	size_t i, k;

	json_array_foreach(json_object_get(s->cdi, "additionalGids"), i, v) {
		bool there = json_integer_value(v) == 0;

		json_array_foreach(groups, k, old)
			there |= json_equal(old, v) == 1;
		if (!there)
			spec_add(groups, json_incref(v));
	}
}

void spec_cdi_hooks(struct spec *s)
{
	json_t *all, *hook, *v;
	size_t i;

	if (!json_array_size(json_object_get(s->cdi, "hooks")))
		return;
	all = own_must(json_object());
	spec_put(s->root, "hooks", all);
	json_array_foreach(json_object_get(s->cdi, "hooks"), i, v) {
		const char *name = cdi_str(v, "hookName");

		if (!json_object_get(all, name))
			spec_put(all, name, json_array());
		hook = own_must(json_copy(v));
		json_object_del(hook, "hookName");
		spec_add(json_object_get(all, name), hook);
	}
}

/* ---- device nodes ---- */

/* A node on another file system than the node's own is refused: its CDI file gives type and numbers instead. */
static int cdi_look_up(struct lookup *lookup, const json_t *node, const char **type, dev_t *dev, struct err *e)
{
	const char *host = *cdi_str(node, "hostPath") ? cdi_str(node, "hostPath") : cdi_str(node, "path");
	json_int_t major = json_integer_value(json_object_get(node, "major"));
	struct looked *f;

	*type = cdi_str(node, "type");
	*dev = makedev((unsigned)major, (unsigned)json_integer_value(json_object_get(node, "minor")));
	if (**type && (major || **type == 'p'))
		return 0;
	f = *host == '/' ? lookup_get(lookup, LOOKUP_NODE, host, e) : NULL;
	if (*host == '/' && !f)
		return err_wrap(e, "CDI device node %.200s", host);
	if (!f || f->error) {
		errno = f ? f->error : ENOENT;
		return err_os(e, ERR_INVALID_ARGUMENT, "CDI device node %.200s", host);
	}
	if (!S_ISCHR(f->mode) && !S_ISBLK(f->mode) && !S_ISFIFO(f->mode))
		return err_set(e, ERR_INVALID_ARGUMENT, "CDI device node %.200s: not a device", host);
	*type = S_ISCHR(f->mode) ? "c" : S_ISBLK(f->mode) ? "b" : "p";
	*dev = f->rdev;
	return 0;
}

static void take_from_devices(struct spec *s, const char *path)
{
	for (size_t i = json_array_size(s->devices); i-- > 0;)
		if (strcmp(cdi_str(json_array_get(s->devices, i), "path"), path) == 0)
			json_array_remove(s->devices, i);
}

/* Without an owner in the CDI file the device belongs to the container's user. */
static void put_owner(json_t *out, const char *key, const json_t *node, int64_t process)
{
	json_t *given = json_object_get(node, key);

	if (given)
		spec_put(out, key, json_incref(given));
	else if (process > 0)
		spec_put(out, key, json_integer(process));
}

static int cdi_add_node(struct spec *s, const json_t *node, struct err *e)
{
	const char *path = spec_clean_path(s->a, cdi_str(node, "path")), *type, *access = cdi_str(node, "permissions");
	dev_t dev;
	json_t *out;

	if (cdi_look_up(s->c->lookup, node, &type, &dev, e) < 0)
		return -1;
	take_from_devices(s, path);
	out = own_must(json_pack("{s:o,s:s}", "path", spec_str(path), "type", type));
	spec_add(s->devices, out);
	if (*type != 'p') {
		spec_put(out, "major", json_integer(major(dev)));
		spec_put(out, "minor", json_integer(minor(dev)));
	}
	if (json_object_get(node, "fileMode"))
		spec_put(out, "fileMode", json_incref(json_object_get(node, "fileMode")));
	put_owner(out, "uid", node, s->c->uid);
	put_owner(out, "gid", node, s->c->gid);
	if (*type != 'p' && strcmp(access, "none") != 0)
		spec_add(s->device_rules, json_pack("{s:b,s:s,s:I,s:I,s:s}", "allow", 1, "type",
						    *type == 'b' ? "b" : "c", "major", (json_int_t)major(dev), "minor",
						    (json_int_t)minor(dev), "access", *access ? access : "rwm"));
	return 0;
}

int spec_cdi_devices(struct spec *s, struct err *e)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(s->cdi, "deviceNodes"), i, v)
		if (cdi_add_node(s, v, e) < 0)
			return -1;
	return 0;
}
