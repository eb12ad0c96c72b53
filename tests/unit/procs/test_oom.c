/* test_oom.c - procs/oom.c on a cgroup v2 of plain files: which container a kill is counted for, with and without the
 * group of the dead container. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/oom.h"
#include "reactor/list.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"
#include "tests/unit/procs/cgroup_on_paper.h"

static struct sandbox pod;
static struct container a, b;

static const char *events_of(const char *cgroup)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s%s/memory.events", world_dir(), cgroup);
	return path;
}

static void count(const char *cgroup, int kills)
{
	FILE *f = fopen(events_of(cgroup), "we");

	fprintf(f, "low 0\nhigh 0\nmax 17\noom %d\noom_kill %d\noom_group_kill 0\n", kills, kills);
	fclose(f);
}

static void gone(const char *cgroup)
{
	ok(unlink(events_of(cgroup)) == 0);
}

static void runs(struct container *c)
{
	count(c->cgroup, 0);
	oom_begin(c);
	c->state = CONTAINER_RUNNING;
}

static bool ends(struct container *c)
{
	bool oom = oom_happened(c);

	c->state = CONTAINER_EXITED;
	return oom;
}

static void make(struct container *c, const char *id, const char *cgroup)
{
	char dir[400];

	memset(c, 0, sizeof(*c));
	snprintf(c->id, sizeof(c->id), "%s", id);
	c->cgroup = cgroup;
	c->sandbox = &pod;
	c->config.name = "";
	list_append(&pod.containers, &c->of_sandbox);
	snprintf(dir, sizeof(dir), "%s%s", world_dir(), cgroup);
	mkdir(dir, 0700);
}

static void fresh_pod(int kills_before)
{
	list_init(&pod.containers);
	pod.cgroup = "/pod";
	pod.config.runtime_handler = "";
	count("/pod", kills_before);
	make(&a, "a", "/pod/a");
	make(&b, "b", "/pod/b");
}

static void its_own_counter_is_believed(void)
{
	fresh_pod(3);
	runs(&a);
	count("/pod/a", 1);
	ok(ends(&a));
	runs(&a);
	ok(!ends(&a));
}

static void a_group_that_is_gone(void)
{
	fresh_pod(3); /* kills of earlier sandboxes: the pod's group outlives them */
	runs(&a);
	runs(&b);
	gone("/pod/a");
	ok(!ends(&a)); /* nobody was killed */
	runs(&a);
	count("/pod", 4);
	gone("/pod/a");
	ok(ends(&a));
	gone("/pod/b");
	ok(!ends(&b)); /* that kill is a's */
}

static void a_neighbours_kill(void)
{
	fresh_pod(0);
	runs(&a);
	runs(&b);
	count("/pod", 2);
	count("/pod/b", 2); /* children of b, which lives on */
	gone("/pod/a");
	ok(!ends(&a));
	runs(&a); /* from now on b's two kills are counted for b */
	gone("/pod/b");
	ok(ends(&b));
	gone("/pod/a");
	ok(!ends(&a));
}

static void two_in_one_moment(void)
{
	fresh_pod(0);
	runs(&a);
	runs(&b);
	count("/pod", 2);
	gone("/pod/a");
	gone("/pod/b");
	ok(ends(&a));
	ok(ends(&b));
}

static void no_memory_controller(void)
{
	fresh_pod(0);
	runs(&a);
	gone("/pod/a");
	gone("/pod");
	ok(!ends(&a));
}

int main(void)
{
	char state[300];

	paper_open();
	snprintf(state, sizeof(state), "%s/state", world_dir());
	containers_open(state, state);
	mkdir(state, 0700);
	snprintf(state, sizeof(state), "%s/state/containers", world_dir());
	mkdir(state, 0700);
	its_own_counter_is_believed();
	a_group_that_is_gone();
	a_neighbours_kill();
	two_in_one_moment();
	no_memory_controller();
	return tap_end();
}
