/* net_child.c - see net_child.h. Takes the place of reactor/child.o at link time. */
#include "tests/fakes/net_child.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "reactor/child.h"

struct child {
	child_done *done;
	void *arg;
};

struct net_child net_children[NET_CHILDREN_MAX];
int net_children_n;
static struct child children[NET_CHILDREN_MAX];

void net_children_reset(void)
{
	memset(net_children, 0, sizeof(net_children));
	net_children_n = 0;
}

int net_children_live(void)
{
	int n = 0;

	for (int i = 0; i < net_children_n; i++)
		n += net_children[i].live;
	return n;
}

struct child *child_start(const struct child_spec *spec, child_done *done, void *arg)
{
	int i = net_children_n++;
	struct net_child *n = &net_children[i];
	size_t used = 0;

	assert(i < NET_CHILDREN_MAX);
	*n = (struct net_child){ .live = true, .unshare = spec->unshare, .nenter = spec->nenter, .finish = spec->finish,
				   .timeout_ms = spec->timeout_ms };
	snprintf(n->path, sizeof(n->path), "%s", spec->argv[0]);
	snprintf(n->input, sizeof(n->input), "%.*s", (int)spec->stdin_len,
		 spec->stdin_data ? (const char *)spec->stdin_data : "");
	snprintf(n->keep_id, sizeof(n->keep_id), "%s", spec->keep_id ? spec->keep_id : "");
	for (const char *const *env = spec->envp; env && *env; env++) {
		if (strncmp(*env, "CNI_COMMAND=", 12) == 0)
			snprintf(n->verb, sizeof(n->verb), "%s", *env + 12);
		used += (size_t)snprintf(n->env + used, sizeof(n->env) - used, "%s\n", *env);
	}
	children[i] = (struct child){ done, arg };
	return &children[i];
}

pid_t child_pid(struct child *c)
{
	(void)c;
	return 0;
}

void child_cancel(struct child *c)
{
	net_children[c - children].live = false;
	net_children[c - children].cancelled = true;
}

const char *child_status_text(int status)
{
	static char text[40];

	snprintf(text, sizeof(text), "exit status %d", status >> 8);
	return text;
}

static void end(int i, const struct err *e, struct child_result *r)
{
	assert(net_children[i].live);
	net_children[i].live = false;
	children[i].done(children[i].arg, e, r);
}

void net_child_exits(int i, int status, const char *out, const char *err, bool cut)
{
	struct child_result r = { .status = status << 8,
				  .pid = 100 + i,
				  .pidfd = -1,
				  .out = out,
				  .err = err,
				  .out_len = strlen(out),
				  .err_len = strlen(err),
				  .out_cut = cut };

	end(i, NULL, &r);
}

void net_child_starts(int i, pid_t pid)
{
	struct child_result r = { .pid = pid, .pidfd = -1, .out = "", .err = "" };

	end(i, NULL, &r);
}

void net_child_fails(int i, enum err_code code, const char *msg)
{
	struct child_result r = { .pidfd = -1, .out = "", .err = "" };
	struct err e;

	err_set(&e, code, "%s", msg);
	end(i, &e, &r);
}
