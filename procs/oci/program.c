/* program.c - the program of each runtime handler: whether it is usable, and what its probe found out.
 *
 *   NONE ---first use---> VERSION ---exit 0---> FEATURES ---any exit---> DONE ---file changed---> NONE
 *    ^                       |
 *    +-------failed----------+  the waiters get the reason, the next use probes again
 *
 * Waits on: the child's end (VERSION, FEATURES). */
#include "procs/oci/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "reactor/arena.h"
#include "reactor/fault.h"
#include "reactor/json.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { PROBE_TIMEOUT_MS = 10000, PROBE_OUTPUT_MAX = 256 * 1024 };

static struct arena *names;				/* the caller's of programs_open() */
static struct link programs = { &programs, &programs }; /* of struct program.link */
static const char *base = "", *log_dir = "";
static void (*on_known)(struct program *p); /* NULL: nobody asks */

struct program *program_of(const struct runtime_handler *h)
{
	return container_of(h, struct program, handler);
}

const char *program_log_dir(void)
{
	return log_dir;
}

static int program_make_dir(const char *path, struct err *e)
{
	if (EFFECT(mkdir(path, 0700)) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "make %s", path);
	return 0;
}

/* Logs that a crash left: the callers of those operations are gone. */
static void empty_log_dir(void)
{
	auto_dir DIR *d = opendir(log_dir);
	struct dirent *f;

	while (d && (f = readdir(d)))
		if (f->d_name[0] != '.')
			EFFECT(unlinkat(dirfd(d), f->d_name, 0));
}

void programs_close(void)
{
	if (!programs.next)
		return;
	list_each (it, &programs)
		lookup_memo_free(take_ptr(&container_of(it, struct program, link)->memo));
	list_init(&programs);
}

int programs_open(struct arena *arena, const char *state, struct err *e)
{
	names = arena;
	base = arena_printf(names, "%s/runtime", state);
	log_dir = arena_printf(names, "%s/.log", base);
	list_init(&programs);
	if (program_make_dir(base, e) < 0 || program_make_dir(log_dir, e) < 0)
		return -1;
	empty_log_dir();
	return 0;
}

const struct runtime_handler *program_new(const struct runtime_handler *h, struct err *e)
{
	struct program *p = arena_zalloc(names, sizeof(*p));

	if (h->path[0] != '/') {
		err_set(e, ERR_INVALID_ARGUMENT, "runtime handler %s: path %s is not absolute", h->name, h->path);
		return NULL;
	}
	p->handler.name = arena_strdup(names, h->name);
	p->handler.type = arena_strdup(names, h->type);
	p->handler.path = arena_strdup(names, h->path);
	p->handler.fallback = "";
	fields_copy(runtime_options_fields, &p->handler.options, &h->options, names);
	p->root = *p->handler.options.root ? p->handler.options.root : arena_printf(names, "%s/%s", base, h->name);
	p->memo = lookup_memo_new(h->path, NULL, NULL);
	list_init(&p->waiting);
	list_append(&programs, &p->link);
	return program_make_dir(p->root, e) < 0 ? NULL : &p->handler;
}

void programs_each(void (*fn)(struct program *p))
{
	list_each (it, &programs)
		fn(container_of(it, struct program, link));
}

void programs_on_known(void (*fn)(struct program *p))
{
	on_known = fn;
}

static void program_tell_known(struct program *p)
{
	if (on_known)
		on_known(p);
}

static bool same_file(const struct looked *a, const struct looked *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size_bytes == b->size_bytes && a->mtime_ns == b->mtime_ns;
}

int program_usable(struct program *p, struct err *e)
{
	const struct looked *now = lookup_memo_get(p->memo, e);

	if (!now)
		return err_wrap(e, "runtime handler %s", p->handler.name);
	errno = now->error || (now->mode & 0111) ? now->error : EACCES;
	if (errno)
		return err_os(e, ERR_FAILED_PRECONDITION, "runtime handler %s: %s", p->handler.name, p->handler.path);
	if (!S_ISREG(now->mode))
		return err_set(e, ERR_FAILED_PRECONDITION, "runtime handler %s: %s is no file", p->handler.name,
			       p->handler.path);
	if (p->probe == PROBE_DONE && !same_file(now, &p->file))
		p->probe = PROBE_NONE;
	if (p->probe == PROBE_NONE)
		p->file = *now;
	return 0;
}

bool program_probed(const struct program *p)
{
	return p->probe == PROBE_DONE;
}

static void on_program_turn(struct timer *t)
{
	struct program *p = container_of(t, struct program, timer);
	struct err e = p->fault;
	struct link ready, *l;

	list_init(&ready);
	while ((l = list_first(&p->waiting))) {
		list_drop(l);
		list_append(&ready, l);
	}
	while ((l = list_first(&ready))) {
		struct program_wait *w = container_of(l, struct program_wait, link);

		list_drop(l);
		w->fn(w, e.code == ERR_OK ? NULL : &e);
	}
}

static void program_probe_over(struct program *p, enum probe to)
{
	p->probe = to;
	timer_set(&p->timer, 0, on_program_turn);
}

static bool program_has_string(const json_t *array, const char *want)
{
	const char *s;
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)array, i, v)
		if ((s = json_string_value(v)) && strcmp(s, want) == 0)
			return true;
	return false;
}

static void read_features(struct program *p, const json_t *j)
{
	const json_t *notes = json_object_get(j, "annotations");
	const json_t *v = json_object_get(notes, "org.opencontainers.runc.checkpoint.enabled");
	const char *checkpoint = json_string_value(v);

	p->features.recursive_read_only = program_has_string(json_object_get(j, "mountOptions"), "rro");
	if (checkpoint)
		p->features.checkpoint = strcmp(checkpoint, "true") == 0;
}

/* Spec: OCI runtime-spec, features.md. The command is optional; a program without it is taken to have only what
 * `--version` told. */
static void on_program_features(void *arg, const struct err *e, struct child_result *r)
{
	struct program *p = arg;
	struct err fault;
	auto_json json_t *j = NULL;

	p->child = NULL;
	if (!e && r->status == 0)
		j = json_parse(r->out, r->out_len, "features", &fault);
	if (j)
		read_features(p, j);
	log_info("runtime_handler name=%s crun=%d recursive_read_only=%d checkpoint=%d", p->handler.name, p->is_crun,
		 p->features.recursive_read_only, p->features.checkpoint);
	program_probe_over(p, PROBE_DONE);
	p->userns_tried = false;
	program_tell_known(p);
}

static void program_spawn_probe(struct program *p, enum probe state, const char *arg, child_done *done)
{
	const char *argv[] = { p->handler.path, arg, NULL };
	struct child_spec spec = {
		.argv = argv, .stdout_max = PROBE_OUTPUT_MAX, .stderr_max = 1024, .timeout_ms = PROBE_TIMEOUT_MS,
		.stage = "runtime_probe",
	};

	p->probe = state;
	p->child = child_start(&spec, done, p);
}

/* The first versions in which a volume at /dev does not unmask files of /proc: 1.2.8, 1.3.3, 1.4.0-rc.3. A text that
 * has no version in it is of a program that nobody knows. */
static bool runc_masks_paths(const char *version)
{
	int major, minor, patch, candidate, n = 0;

	if (sscanf(version, "runc version %d.%d.%d%n", &major, &minor, &patch, &n) != 3)
		return true;
	if (major != 1 || minor > 4)
		return major >= 1;
	if (minor == 4)
		return patch > 0 || sscanf(version + n, "-rc.%d", &candidate) != 1 || candidate >= 3;
	return (minor == 3 && patch >= 3) || (minor == 2 && patch >= 8);
}

/* A distribution may mend an old version, so the program is used all the same. (ARCHITECTURE P70) */
static void program_warn(struct program *p, const char *version)
{
	const char *number = version + strlen("runc version ");

	p->warning[0] = '\0';
	if (runc_masks_paths(version))
		return;
	snprintf(p->warning, sizeof(p->warning),
		 "runtime handler %.64s: runc %.*s lets a pod with a volume at /dev reach masked files of /proc "
		 "(CVE-2025-31133), unless your distribution has mended it: install runc 1.2.8, 1.3.3, 1.4.0 or newer",
		 p->handler.name, (int)strcspn(number, " \n"), number);
	log_warn("runtime_old name=%s warning=%s", p->handler.name, log_quote(p->warning));
}

/* runc, crun, youki and runsc begin with "NAME version"; what begins otherwise has to name the runtime-spec, as Kata's
 * program does. Any program may exit with 0. */
static bool program_is_runtime(const char *text)
{
	size_t name = strcspn(text, " \n");

	return (name && strncmp(text + name, " version ", 9) == 0) || strstr(text, "spec");
}

static void on_program_version(void *arg, const struct err *e, struct child_result *r)
{
	struct program *p = arg;
	int major = 0, minor = 0;

	p->child = NULL;
	p->fault = (struct err){ 0 };
	if (e) {
		p->fault = *e;
		if (e->code != ERR_UNAVAILABLE)
			p->fault.code = ERR_FAILED_PRECONDITION;
		err_wrap(&p->fault, "runtime handler %s: %s --version", p->handler.name, p->handler.path);
		return program_probe_over(p, PROBE_NONE);
	}
	if (r->status != 0) {
		err_set(&p->fault, ERR_FAILED_PRECONDITION, "runtime handler %s: %s --version: %s", p->handler.name,
			p->handler.path, child_status_text(r->status));
		return program_probe_over(p, PROBE_NONE);
	}
	if (!program_is_runtime(r->out)) {
		err_set(&p->fault, ERR_FAILED_PRECONDITION,
			"runtime handler %s: %s is no OCI runtime: its --version says %.60s", p->handler.name,
			p->handler.path, log_quote(r->out));
		return program_probe_over(p, PROBE_NONE);
	}
	/* crun's --version has no JSON form. crun 1.8.1 has no `features` yet, but takes the mount option rro
	 * (tried). */
	p->is_crun = sscanf(r->out, "crun version %d.%d", &major, &minor) == 2;
	p->features = (struct runtime_features){
		.recursive_read_only = p->is_crun && (major > 1 || minor >= 8), .seccomp_bpf = p->is_crun && major >= 1,
		.lifts_quota = !p->is_crun,
		/* crun lists what it was built with; a runc so old that it has no `features` always has checkpoints. */
		.checkpoint = p->is_crun ? strstr(r->out, "+CRIU") != NULL : strncmp(r->out, "runc version", 12) == 0,
	};
	program_warn(p, r->out);
	program_spawn_probe(p, PROBE_FEATURES, "features", on_program_features);
}

void program_probe(struct program *p, struct program_wait *w, void (*fn)(struct program_wait *w, const struct err *e))
{
	w->fn = fn;
	list_append(&p->waiting, &w->link);
	if (p->probe == PROBE_NONE)
		program_spawn_probe(p, PROBE_VERSION, "--version", on_program_version);
	else if (p->probe == PROBE_DONE)
		timer_set(&p->timer, 0, on_program_turn);
}

int program_usable_now(const struct runtime_handler *h, struct err *e)
{
	struct program *p = program_of(h);

	if (program_usable(p, e) < 0)
		return -1;
	if (p->fault.code == ERR_OK)
		return 0;
	*e = p->fault;
	/* Probed again for the next caller; this one gets the fault of the last probe. */
	if (p->probe == PROBE_NONE)
		program_spawn_probe(p, PROBE_VERSION, "--version", on_program_version);
	return -1;
}

const char *program_warning(const struct runtime_handler *h)
{
	return program_of(h)->warning;
}

void program_features(const struct runtime_handler *h, struct runtime_features *out)
{
	struct program *p = program_of(h);
	struct err e;

	*out = (struct runtime_features){ 0 };
	if (program_usable_now(h, &e) < 0)
		return;
	/* Status asks before the first container: the probe starts now, and the next Status has the answer. */
	if (p->probe == PROBE_NONE)
		program_spawn_probe(p, PROBE_VERSION, "--version", on_program_version);
	else if (p->probe == PROBE_DONE)
		program_tell_known(p);
	*out = p->features;
}
