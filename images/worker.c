/* worker.c - see worker.h. The answer is one line; its grammar stands in answer.h. */
#include "images/worker.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/config.h"
#include "reactor/buf.h"
#include "reactor/log.h"

enum { ANSWER_MAX = 4096, STDERR_MAX = 2048 };

/* crispd's mount namespace, which the children enter: they are the keeper's, whose namespace may not have `root`. */
static int our_mounts = -1;

void worker_setup(void)
{
	if (our_mounts < 0)
		our_mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
}

/* ---- the command line ---- */

void worker_add(struct worker *c, const char *word)
{
	assert(c->n < WORKER_ARGS_MAX - 1);
	c->argv[c->n++] = word;
}

static void open_program(struct worker *c, struct arena *a, const char *program, const char *job)
{
	*c = (struct worker){ .arena = a };
	worker_add(c, program);
	worker_add(c, job);
	c->spec = (struct child_spec){
		.argv = c->argv, .fds = c->fds, .stdout_max = ANSWER_MAX, .stderr_max = STDERR_MAX
	};
	c->spec.stage = arena_printf(a, "unpack_%s", job);
	c->spec.patient = true;
	c->spec.enter = &our_mounts;
	c->spec.nenter = our_mounts >= 0;
}

void worker_open(struct worker *c, struct arena *a, const char *job)
{
	open_program(c, a, images_config()->unpack_path, job);
}

void worker_open_tree(struct worker *c, struct arena *a, const char *job)
{
	open_program(c, a, images_config()->tree_path, job);
}

void worker_add_option(struct worker *c, const char *name, const char *value)
{
	worker_add(c, arena_printf(c->arena, "--%s=%s", name, value));
}

void worker_add_number(struct worker *c, const char *name, uint64_t value)
{
	worker_add(c, arena_printf(c->arena, "--%s=%" PRIu64, name, value));
}

void worker_add_parents(struct worker *c, const char *const *parents)
{
	struct buf text = { 0 };

	if (!parents)
		return;
	for (size_t i = 0; parents[i]; i++)
		buf_printf(&text, "%s%s", i ? ":" : "", parents[i]);
	worker_add_option(c, "parents", buf_str(&text));
	buf_free(&text);
}

const char *worker_ingest(struct arena *a, const char *name)
{
	return arena_printf(a, "%s/ingest/%s", images_config()->root, name);
}

/* ---- the answer ---- */

static bool take_word(const char **p, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*p, word, n) != 0)
		return false;
	*p += n;
	return true;
}

static bool take_number(const char **p, const char *name, uint64_t max, uint64_t *out)
{
	char *end;

	if (!take_word(p, name) || **p < '0' || **p > '9')
		return false;
	*out = strtoull(*p, &end, 10);
	*p = end;
	return *out <= max;
}

static bool parse_ok(const char *p, struct answer *out)
{
	uint64_t self_contained, finished;

	if (!take_number(&p, "ok bytes=", INT64_MAX, &out->bytes) ||
	    !take_number(&p, " inodes=", INT64_MAX, &out->inodes) ||
	    !take_number(&p, " self_contained=", 1, &self_contained) || !take_number(&p, " finished=", 1, &finished) ||
	    !take_number(&p, " xattrs_left_out=", INT64_MAX, &out->xattrs_left_out))
		return false;
	out->self_contained = self_contained;
	out->finished = finished;
	*out->digest = '\0';
	if (take_word(&p, " digest=")) {
		snprintf(out->digest, sizeof(out->digest), "%.*s", (int)strcspn(p, "\n"), p);
		p += strcspn(p, "\n");
		if (!digest_valid(out->digest))
			return false;
	}
	return strcmp(p, "\n") == 0;
}

static bool parse_error(const char *p, struct err *e)
{
	static const enum err_code codes[] = { ERR_DATA_LOSS, ERR_INVALID_ARGUMENT, ERR_RESOURCE_EXHAUSTED,
					       ERR_FAILED_PRECONDITION, ERR_INTERNAL };

	if (!take_word(&p, "error ") || !*p || p[strlen(p) - 1] != '\n')
		return false;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (take_word(&p, err_name(codes[i])) && take_word(&p, " ")) {
			err_set(e, codes[i], "%.*s", (int)strcspn(p, "\n"), p);
			return true;
		}
	}
	return false;
}

bool worker_died(const struct err *failed, const struct child_result *r)
{
	return failed || r->out_len == 0;
}

int worker_answer(const struct err *failed, const struct child_result *r, struct answer *out, struct err *e)
{
	if (failed) {
		*e = *failed;
		return err_wrap(e, "a worker for files");
	}
	if (r->out_len == 0)
		return err_set(e, ERR_INTERNAL, "a worker for files: %s: %.300s", child_status_text(r->status),
			       log_quote(r->err));
	if (r->status == 0 && parse_ok(r->out, out))
		return 0;
	if (r->status != 0 && parse_error(r->out, e))
		return -1;
	return err_set(e, ERR_INTERNAL, "a worker for files: %s, and its answer cannot be parsed: %.300s",
		       child_status_text(r->status), log_quote(r->out));
}
