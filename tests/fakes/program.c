/* program.c - see program.h. */
#include "tests/fakes/program.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/list.h"
#include "reactor/own.h"

struct child {
	struct link link;
	struct child_spec spec;
	char line[1024];
	child_done *done;
	void *arg;
};

static struct link running = { &running, &running };
int program_cancels;

struct child *child_start(const struct child_spec *spec, child_done *done, void *arg)
{
	struct child *c = new_zero(struct child);

	c->spec = *spec;
	c->done = done;
	c->arg = arg;
	for (size_t i = 0; spec->argv[i]; i++) {
		size_t n = strlen(c->line);

		snprintf(c->line + n, sizeof(c->line) - n, "%s%s", i ? " " : "", spec->argv[i]);
	}
	list_append(&running, &c->link);
	return c;
}

pid_t child_pid(struct child *c)
{
	(void)c;
	return 0;
}

void child_cancel(struct child *c)
{
	list_drop(&c->link);
	free(c);
	program_cancels++;
}

const char *child_status_text(int status)
{
	static char text[40];

	snprintf(text, sizeof(text), "exit status %d", status >> 8);
	return text;
}

size_t program_running(void)
{
	size_t n = 0;

	list_each(it, &running)
		n++;
	return n;
}

static struct child *at(size_t i)
{
	list_each(it, &running)
		if (i-- == 0)
			return container_of(it, struct child, link);
	assert(!"no such child");
	return NULL;
}

const char *program_line(size_t i)
{
	return at(i)->line;
}

const struct child_spec *program_spec(size_t i)
{
	return &at(i)->spec;
}

static void end(const struct err *e, struct child_result *r)
{
	struct child *c = at(0);

	list_drop(&c->link);
	c->done(c->arg, e, r);
	free(c);
}

void program_exit(int status, const char *out, const char *err)
{
	struct child_result r = { .status = status,
				  .pid = 4711,
				  .pidfd = -1,
				  .out = out,
				  .err = err,
				  .out_len = strlen(out),
				  .err_len = strlen(err) };

	end(NULL, &r);
}

void program_error(enum err_code code, const char *text)
{
	struct child_result r = { .status = -1, .pidfd = -1, .out = "", .err = "" };
	struct err e;

	err_set(&e, code, "%s", text);
	end(&e, &r);
}
