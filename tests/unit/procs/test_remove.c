/* test_remove.c - procs/remove.c: from each state of a container, and with each failure. */
#include <signal.h>

#include "procs/container.h"
#include "procs/remove.h"
#include "procs/start.h"
#include "tests/fakes/keeper.h"
#include "tests/fakes/log_pump.h"
#include "tests/fakes/runtime.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

struct result {
	int calls, unmounts;
	enum err_code code;
	struct lane_pass pass;
};

static void record(void *arg, const struct err *e)
{
	struct result *r = arg;

	r->calls++;
	r->code = e ? e->code : ERR_OK;
}

static bool busy_mount;

static int unmount(void *arg, struct container *c, struct err *e)
{
	struct result *r = arg;

	(void)c;
	r->unmounts++;
	strcat(fake_calls, "unmount ");
	return busy_mount ? err_set(e, ERR_INTERNAL, "unmount: busy") : 0;
}

static void nothing(struct lane_pass *p)
{
	(void)p;
}

static void begin(struct container *c, struct result *r)
{
	lane_enter(&c->lane, &r->pass, nothing);
	world_settle();
	remove_start(c, &r->pass, unmount, record, r);
}

static bool gone(const char *id)
{
	return !container_find(id);
}

static void never_started(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };
	char id[ID_SIZE];

	strcpy(id, c->id);
	begin(c, &r);
	ok(r.calls == 0);
	world_settle();
	ok(r.calls == 1 && r.code == ERR_OK && gone(id));
	is_str(fake_calls, "unmount undo rmdir ");
}

static void running_is_killed_first(void)
{
	struct container *c = fake_running(0);
	struct result r = { 0 };
	char id[ID_SIZE];

	strcpy(id, c->id);
	begin(c, &r);
	world_settle();
	ok(r.calls == 0 && strcmp(fake_calls, "kill ") == 0);
	fake_exit(c->id, SIGKILL);
	world_settle();
	ok(r.calls == 0 && fake_runtime_pending()); /* the delete that the exit began */
	fake_runtime_ok(0);
	world_settle();
	ok(r.calls == 1 && r.code == ERR_OK && gone(id));
	is_str(fake_calls, "kill kill delete rmdir unmount undo rmdir ");
	ok(fake_pumps == 0 && fake_holds == 0);
}

static void exited_and_deleted_already(void)
{
	struct container *c = fake_running(0);
	struct result r = { 0 };

	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
	fake_calls[0] = '\0';
	begin(c, &r);
	world_settle();
	ok(r.calls == 1 && r.code == ERR_OK);
	is_str(fake_calls, "unmount undo rmdir ");
}

static void joins_the_delete_that_runs(void)
{
	struct container *c = fake_running(0);
	struct result r = { 0 };

	fake_exit(c->id, 0);
	world_settle();
	begin(c, &r);
	world_settle();
	ok(r.calls == 0 && r.unmounts == 0);
	fake_runtime_ok(0);
	world_settle();
	ok(r.calls == 1 && r.unmounts == 1);
}

static void what_stays_is_told_and_tried_again(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };
	char id[ID_SIZE];

	strcpy(id, c->id);
	busy_mount = true;
	begin(c, &r);
	world_settle();
	ok(r.calls == 1 && r.code == ERR_INTERNAL && !gone(id));
	is_str(fake_calls, "unmount ");
	busy_mount = false;
	lane_leave(&r.pass);
	begin(c, &r);
	world_settle();
	ok(r.calls == 2 && r.code == ERR_OK && gone(id));
}

/* Below a cgroup_parent only the record tells that the group belongs to crisp. */
static void the_record_stays_until_the_group_is_gone(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };
	char id[ID_SIZE];

	strcpy(id, c->id);
	fake_group_busy = true;
	begin(c, &r);
	world_advance(9999);
	ok(r.calls == 0 && !gone(id));
	fake_group_goes();
	ok(r.calls == 1 && r.code == ERR_OK && gone(id));

	c = fake_container();
	strcpy(id, c->id);
	begin(c, &r);
	world_advance(10000);
	ok(r.calls == 2 && r.code == ERR_DEADLINE_EXCEEDED && !gone(id));
	fake_group_busy = false;
	lane_leave(&r.pass);
	begin(c, &r);
	world_settle();
	ok(r.calls == 3 && r.code == ERR_OK && gone(id));
}

static void a_delete_that_failed_is_tried_again(void)
{
	struct container *c = fake_running(0);
	struct result r = { 0 };

	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_fail(ERR_INTERNAL, "runc delete: busy");
	ok(c->in_runtime);
	begin(c, &r);
	world_settle();
	ok(strstr(fake_calls, "delete delete --force ") != NULL);
	fake_runtime_fail(ERR_INTERNAL, "runc delete: busy");
	world_settle();
	ok(r.calls == 1 && r.code == ERR_INTERNAL && r.unmounts == 0);
	ok(c->state == CONTAINER_EXITED);
	lane_leave(&r.pass);
	begin(c, &r);
	world_settle();
	fake_runtime_ok(0);
	world_settle();
	ok(r.calls == 2 && r.code == ERR_OK && r.unmounts == 1);
}

static void it_does_not_die(void)
{
	struct container *c = fake_running(0);
	struct result r = { 0 };

	begin(c, &r);
	world_advance(10000);
	ok(r.calls == 1 && r.code == ERR_DEADLINE_EXCEEDED && c->state == CONTAINER_RUNNING);
}

int main(void)
{
	never_started();
	running_is_killed_first();
	exited_and_deleted_already();
	joins_the_delete_that_runs();
	what_stays_is_told_and_tried_again();
	the_record_stays_until_the_group_is_gone();
	a_delete_that_failed_is_tried_again();
	it_does_not_die();
	return tap_end();
}
