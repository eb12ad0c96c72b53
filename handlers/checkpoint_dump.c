/* checkpoint_dump.c - see checkpoint_dump.h. */
#include "handlers/checkpoint_dump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "procs/bundle.h"
#include "procs/criu.h"
#include "reactor/fault.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { DUMP_MAX = JSON_BYTES_MAX, DELETED_MAX = JSON_BYTES_MAX };

/* ---- writing ---- */

static int dump_write_text(const char *dir, const char *name, const char *text, size_t n, struct err *e)
{
	struct arena *a = arena_new();
	const char *path = arena_printf(a, "%s/%s", dir, name);
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r = fd < 0 || EFFECT(write(fd, text, n)) != (ssize_t)n ? err_os(e, ERR_INTERNAL, "write %s", path) : 0;

	arena_free(a);
	return r;
}

static int dump_write_json(const char *dir, const char *name, json_t *j, struct err *e)
{
	auto_free char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
	int r = text ? dump_write_text(dir, name, text, strlen(text), e)
		     : err_set(e, ERR_INTERNAL, "%s: a text in it is not UTF-8", name);

	json_decref(j);
	return r;
}

/* RFC 3339, as Go reads times. 0 is Go's zero time, in the year 1. */
static const char *time_text(struct arena *a, int64_t ns)
{
	time_t s = (time_t)(ns / 1000000000);
	char text[32] = "0001-01-01T00:00:00";
	struct tm tm;

	if (ns > 0 && gmtime_r(&s, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	return ns > 0 ? arena_printf(a, "%s.%09dZ", text, (int)(ns % 1000000000)) : arena_printf(a, "%sZ", text);
}

static const char *asked_image(const struct container *c)
{
	return *c->config.user_specified_image ? c->config.user_specified_image
	       : *c->restore                   ? c->image.name
					       : c->config.image;
}

static json_t *config_dump(const struct container *c, struct arena *a)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "id", c->id, "name", c->config.name,
			 "rootfsImage", asked_image(c), "rootfsImageRef", c->image.ref, "rootfsImageName",
			 c->image.name, "runtime", c->runtime, "createdTime", time_text(a, c->created_at_ns),
			 "checkpointedTime", time_text(a, loop_real_ns()), "restoredTime",
			 time_text(a, *c->restore ? c->started_at_ns : 0), "restored", *c->restore != '\0');
}

static json_t *object_of(const struct pairs *p)
{
	json_t *o = own_must(json_object());

	for (size_t i = 0; i < p->n; i++)
		json_object_set_new(o, p->at[i].key, json_string(p->at[i].value));
	return o;
}

/* The names are the field names of CRI's JSON, the numbers the values of CRI's enums. */
static json_t *status_dump(const struct container *c)
{
	return json_pack("{s:s, s:{s:s, s:I}, s:i, s:I, s:I, s:{s:s, s:s}, s:s, s:s, s:s, s:o, s:o}", "id", c->id,
			 "metadata", "name", c->config.name, "attempt", (json_int_t)c->config.attempt, "state",
			 (int)c->state, "created_at", (json_int_t)c->created_at_ns, "started_at",
			 (json_int_t)c->started_at_ns, "image", "image", c->image.name, "user_specified_image",
			 asked_image(c), "image_ref", c->image.ref, "image_id", c->image.id, "log_path", c->log_path,
			 "labels", object_of(&c->config.labels), "annotations", object_of(&c->config.annotations));
}

static json_t *containerd_status(const struct container *c)
{
	return json_pack("{s:s, s:i, s:I, s:I, s:i, s:i, s:s, s:s}", "Version", "v1", "Pid", (int)c->pid, "CreatedAt",
			 (json_int_t)c->created_at_ns, "StartedAt", (json_int_t)c->started_at_ns, "FinishedAt", 0,
			 "ExitCode", 0, "Reason", "", "Message", "");
}

static int dump_write_spec(const struct container *c, const char *dir, struct arena *a, struct err *e)
{
	size_t n;
	const char *text = bundle_config_text(c->bundle, a, &n, e);

	return text ? dump_write_text(dir, "spec.dump", text, n, e) : -1;
}

int checkpoint_dump_write(const struct container *c, const char *dir, struct err *e)
{
	struct arena *a = arena_new();
	int r = dump_write_spec(c, dir, a, e) < 0 || dump_write_json(dir, "config.dump", config_dump(c, a), e) < 0 ||
				dump_write_json(dir, "status.dump", status_dump(c), e) < 0 ||
				dump_write_json(dir, "status", containerd_status(c), e) < 0 ||
				dump_write_json(dir, "crisp.dump",
					   json_pack("{s:i, s:o}", "version", 1, "streams", criu_streams(c)), e) < 0
			? -1
			: 0;

	arena_free(a);
	return r;
}

/* ---- reading ---- */

/* NULL with e->code OK: the file does not exist. */
static json_t *dump_read_json(const char *dir, const char *name, size_t max, struct arena *a, struct err *e)
{
	auto_fd int fd = open(arena_printf(a, "%s/%s", dir, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char *text;

	e->code = ERR_OK;
	if (fd < 0 && errno == ENOENT)
		return NULL;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (size_t)st.st_size > max) {
		err_set(e, ERR_INVALID_ARGUMENT, "%s: not a regular file of at most %zu bytes", name, max);
		return NULL;
	}
	text = arena_zalloc(a, (size_t)st.st_size + 1);
	if (read(fd, text, (size_t)st.st_size) != st.st_size) {
		err_os(e, ERR_INTERNAL, "read %s", name);
		return NULL;
	}
	return json_parse(text, (size_t)st.st_size, name, e);
}

static json_t *dump_read_object(const char *dir, const char *name, struct arena *a, struct err *e)
{
	json_t *j = dump_read_json(dir, name, DUMP_MAX, a, e);

	if (j && json_is_object(j))
		return j;
	if (j || e->code == ERR_OK)
		err_set(e, ERR_INVALID_ARGUMENT,
			j ? "%s is not an object" : "%s is missing: not the checkpoint of a container", name);
	if (e->code != ERR_INVALID_ARGUMENT) /* broken JSON: the archive comes from the client */
		e->code = ERR_INVALID_ARGUMENT;
	json_decref(j);
	return NULL;
}

static int dump_strings(const json_t *array, struct strings *out, const char *what, struct arena *a, struct err *e)
{
	size_t i;
	json_t *v;

	if (!array)
		return 0;
	if (!json_is_array(array))
		return err_set(e, ERR_INVALID_ARGUMENT, "%s is not an array", what);
	out->at = arena_zalloc(a, (json_array_size(array) + 1) * sizeof(*out->at));
	json_array_foreach ((json_t *)array, i, v) {
		if (!json_is_string(v) || json_string_length(v) == 0)
			return err_set(e, ERR_INVALID_ARGUMENT, "%s: an element is not a string, or is empty", what);
		out->at[out->n++] = arena_strdup(a, json_string_value(v));
	}
	return 0;
}

static int dump_read_config(struct checkpoint_dump *d, const char *dir, struct arena *a, struct err *e)
{
	auto_json json_t *j = dump_read_object(dir, "config.dump", a, e);

	if (!j)
		return -1;
	d->image = json_get_str(a, j, "rootfsImage");
	d->image_ref = json_get_str(a, j, "rootfsImageRef");
	d->image_name = json_get_str(a, j, "rootfsImageName");
	return 0;
}

static int dump_read_spec(struct checkpoint_dump *d, const char *dir, struct arena *a, struct err *e)
{
	const json_t *process;

	d->spec = dump_read_object(dir, "spec.dump", a, e);
	if (!d->spec)
		return -1;
	process = json_object_get(d->spec, "process");
	d->terminal = json_is_true(json_object_get(process, "terminal"));
	return dump_strings(json_object_get(process, "args"), &d->args, "spec.dump: process.args", a, e);
}

static int dump_read_deleted(struct checkpoint_dump *d, const char *dir, struct arena *a, struct err *e)
{
	auto_json json_t *j = dump_read_json(dir, "deleted.files", DELETED_MAX, a, e);

	if (!j && e->code != ERR_OK)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s", arena_strdup(a, e->msg));
	/* Go writes null for an empty list. */
	return json_is_null(j) ? 0 : dump_strings(j, &d->deleted, "deleted.files", a, e);
}

static int dump_read_streams(struct checkpoint_dump *d, const char *dir, struct arena *a, struct err *e)
{
	auto_json json_t *j = dump_read_json(dir, "crisp.dump", DUMP_MAX, a, e);

	if (!j && e->code != ERR_OK)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s", arena_strdup(a, e->msg));
	d->streams = json_incref(json_object_get(j, "streams"));
	return 0;
}

int checkpoint_dump_read(struct checkpoint_dump *d, const char *dir, struct arena *a, struct err *e)
{
	*d = (struct checkpoint_dump){ .image = "", .image_ref = "", .image_name = "" };
	return dump_read_config(d, dir, a, e) < 0 || dump_read_spec(d, dir, a, e) < 0 ||
			       dump_read_deleted(d, dir, a, e) < 0 ||
			       dump_read_streams(d, dir, a, e) < 0
		       ? -1
		       : 0;
}

void checkpoint_dump_free(struct checkpoint_dump *d)
{
	json_decref(d->spec);
	json_decref(d->streams);
	d->spec = d->streams = NULL;
}
