/* seccomp_bpf.c - see seccomp_bpf.h.
 *
 *   MAKING ---exit 0---> READY        MAKING ---another exit---> NONE        MAKING ---no keeper, hangs---> forgotten
 *
 * Waits on: the child. At most KNOWN_MAX profiles are kept; the least recently used one is dropped. */
#include "procs/seccomp_bpf.h"

#include <string.h>

#include "reactor/child.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/own.h"

/* The kernel takes 4096 instructions of 8 bytes (BPF_MAXINSNS), in base64. */
enum { KNOWN_MAX = 16, OUTPUT_MAX = 48 * 1024, TIMEOUT_MS = 30000 };

struct filter {
	struct link link;    /* in `known`, the most recently used one last */
	char *profile;	     /* its text, keys sorted */
	char *base64;	     /* READY */
	struct child *child; /* MAKING */
	struct link waiters; /* of struct seccomp_wait.link; MAKING */
	char *words;	     /* NONE: what crisp-seccomp said */
};

static const char *program = "";
static struct link known = { &known, &known }; /* of struct filter.link */

void seccomp_bpf_open(const char *path)
{
	program = path;
}

static void filter_free(struct filter *f)
{
	list_drop(&f->link);
	if (f->child)
		child_cancel(f->child);
	free(f->profile);
	free(f->base64);
	free(f->words);
	free(f);
}

/* A waiter may ask for the profile again, so the list is emptied before the first one is called. */
static void filter_tell(struct filter *f, bool forget)
{
	struct link ready, *l;

	list_init(&ready);
	while ((l = list_first(&f->waiters))) {
		list_drop(l);
		list_append(&ready, l);
	}
	if (forget)
		filter_free(f);
	while ((l = list_first(&ready))) {
		list_drop(l);
		container_of(l, struct seccomp_wait, link)->fn(container_of(l, struct seccomp_wait, link));
	}
}

static void on_filter_compiled(void *arg, const struct err *e, struct child_result *r)
{
	struct filter *f = arg;

	f->child = NULL;
	if (e) {
		log_warn("seccomp_filter error=%s", log_quote(e->msg));
		return filter_tell(f, true); /* tried again when asked again */
	}
	if (r->status == 0 && r->out_len && !r->out_cut)
		f->base64 = own_must(strdup(r->out));
	else
		f->words = own_must(strdup(r->err_len ? r->err : child_status_text(r->status)));
	log_info("seccomp_filter made=%d base64_bytes=%zu words=%s", f->base64 != NULL, r->out_len, log_quote(r->err));
	filter_tell(f, false);
}

static struct filter *filter_begin(char *profile)
{
	const char *const argv[] = { program, NULL };
	struct filter *f = new_zero(struct filter);

	f->profile = profile;
	list_init(&f->waiters);
	f->child = child_start(&(struct child_spec){ .argv = argv, .stdin_data = profile, .stdin_len = strlen(profile),
		.stdout_max = OUTPUT_MAX, .stderr_max = 512, .timeout_ms = TIMEOUT_MS,
		.stage = "seccomp_compile" }, on_filter_compiled, f);
	return f;
}

static struct filter *filter_find(const char *profile, size_t *n)
{
	*n = 0;
	list_each(l, &known) {
		struct filter *f = container_of(l, struct filter, link);

		if (strcmp(f->profile, profile) == 0)
			return f;
		++*n;
	}
	return NULL;
}

/* The least recently used one that nobody waits for. */
static void filter_drop_one(void)
{
	list_each(l, &known) {
		struct filter *f = container_of(l, struct filter, link);

		if (list_empty(&f->waiters))
			return filter_free(f);
	}
}

const char *seccomp_bpf_base64(const json_t *profile)
{
	auto_free char *text = NULL;
	struct filter *f;
	size_t n;

	if (!*program)
		return NULL;
	text = own_must(json_dumps(profile, JSON_COMPACT | JSON_SORT_KEYS));
	f = filter_find(text, &n);
	if (f) {
		list_drop(&f->link);
	} else {
		if (n >= KNOWN_MAX)
			filter_drop_one();
		f = filter_begin(take_ptr(&text));
	}
	list_append(&known, &f->link);
	return f->base64;
}

static struct filter *filter_of(const json_t *profile)
{
	auto_free char *text = own_must(json_dumps(profile, JSON_COMPACT | JSON_SORT_KEYS));
	size_t n;

	return filter_find(text, &n);
}

bool seccomp_bpf_wait(const json_t *profile, struct seccomp_wait *w, void (*fn)(struct seccomp_wait *w))
{
	struct filter *f = filter_of(profile);

	if (!f || !f->child)
		return false;
	w->fn = fn;
	list_append(&f->waiters, &w->link);
	return true;
}

int seccomp_bpf_why(const json_t *profile, struct err *e)
{
	const struct filter *f = filter_of(profile);

	if (f && f->words)
		return err_set(e, ERR_INTERNAL, "error loading seccomp filter into kernel: %s", f->words);
	return err_set(e, ERR_UNAVAILABLE, "crisp-seccomp could not be run");
}
