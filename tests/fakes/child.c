/* child.c - see child.h. */
#include "tests/fakes/child.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fake_child fake_children[FAKE_CHILDREN];
int fake_nchildren;

struct child *child_start(const struct child_spec *spec, child_done *done, void *arg)
{
	struct fake_child *c = &fake_children[fake_nchildren++];

	assert(fake_nchildren <= FAKE_CHILDREN);
	*c = (struct fake_child){ .done = done, .arg = arg, .unshare = spec->unshare };
	for (int i = 0; spec->argv[i]; i++) {
		assert(strlen(c->words) + strlen(spec->argv[i]) + 2 < sizeof(c->words));
		strcat(strcat(c->words, spec->argv[i]), " ");
	}
	memset(c->fds, -1, sizeof(c->fds));
	for (size_t i = 0; i < spec->nfds; i++)
		c->fds[spec->fds[i].theirs] = fcntl(spec->fds[i].ours, F_DUPFD_CLOEXEC, 100);
	return (struct child *)c;
}

static void end(struct fake_child *c)
{
	for (size_t i = 0; i < sizeof(c->fds) / sizeof(c->fds[0]); i++)
		if (c->fds[i] >= 0)
			close(c->fds[i]);
	memset(c->fds, -1, sizeof(c->fds));
	c->done = NULL;
}

pid_t child_pid(struct child *c)
{
	(void)c;
	return 0;
}

void child_cancel(struct child *child)
{
	struct fake_child *c = (struct fake_child *)child;

	assert(c->done);
	c->cancelled = true;
	end(c);
}

static void run_done(struct fake_child *c, const struct err *e, struct child_result *r)
{
	child_done *done = c->done;

	assert(done);
	end(c);
	done(c->arg, e, r);
}

void fake_child_exit(struct fake_child *c, int status, const char *out, const char *err)
{
	struct child_result r = { .status = status,
				  .pid = 1,
				  .pidfd = -1,
				  .out = out,
				  .out_len = strlen(out),
				  .err = err,
				  .err_len = strlen(err) };

	run_done(c, NULL, &r);
}

void fake_child_fail(struct fake_child *c, enum err_code code, const char *msg)
{
	struct child_result r = { .pidfd = -1, .out = "", .err = "" };
	struct err e;

	err_set(&e, code, "%s", msg);
	run_done(c, &e, &r);
}

void fake_children_reset(void)
{
	for (int i = 0; i < fake_nchildren; i++)
		end(&fake_children[i]);
	fake_nchildren = 0;
}

bool fake_child_has(const struct fake_child *c, const char *words)
{
	bool found = strstr(c->words, words) != NULL;

	if (!found)
		printf("# runs: %s\n", c->words);
	return found;
}

const char *child_status_text(int status)
{
	static char text[64];

	snprintf(text, sizeof(text), status & 0x7f ? "killed by signal %d" : "exit status %d",
		 status & 0x7f ? status & 0x7f : status >> 8);
	return text;
}
