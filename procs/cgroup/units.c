/* units.c - see units.h.
 *
 *   CALL ---job begun---> JOB ---done---> DONE
 *     |                    |
 *     |                    +---job of a stop---> RESET ---failed state reset, or there was none---> DONE
 *     +---stop: no such unit; start: unit exists; limits set; refused---> DONE
 *
 * Waits on: systemd's answers (CALL, RESET), its signal JobRemoved (JOB), one timer (JOB). systemd sends the answer
 * that names a job before the signal of that job and over the same connection, so no signal is missed. */
#include "procs/cgroup/units.h"

#include <stdio.h>
#include <string.h>

#include "procs/cgroup/unit_limits.h"
#include "reactor/arena.h"
#include "reactor/bus.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define PATH    "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"

enum { CALL_MS = 30000, JOB_MS = 100000 }; /* JOB_MS: above the 90 s after which systemd itself sends SIGKILL */

enum op_state { CALL, JOB, RESET, DONE };
static const struct sm_state op_states[] = {
	[CALL]  = { "CALL",  TO(JOB) | TO(DONE) },
	[JOB]   = { "JOB",   TO(RESET) | TO(DONE) },
	[RESET] = { "RESET", TO(DONE) },
	[DONE]  = { "DONE",  0 },
};

enum verb { SLICE, SCOPE, LIMIT, STOP };

struct unit_op {
	struct sm sm;
	struct link link; /* in `ops` */
	struct bus_call *call;
	struct timer timer;
	enum verb verb;
	char name[256];
	char job[128]; /* its object path */
	unit_done *done;
	void *arg;
};

static struct bus *bus;
static struct link ops = { &ops, &ops }; /* of struct unit_op.link */
static struct bus_call *greeting;
static unit_done *on_ready;
static void *ready_arg;

/* ---- the life of an operation ---- */

static void unit_op_free(struct unit_op *op)
{
	timer_clear(&op->timer);
	if (op->call)
		bus_cancel(op->call);
	list_drop(&op->link);
	free(op);
}

static void unit_finish(struct unit_op *op, const struct err *why)
{
	unit_done *done = op->done;
	void *arg = op->arg;
	struct err e;

	sm_move(&op->sm, DONE);
	if (why) {
		e = *why;
		err_wrap(&e, "%s %s", op->sm.what, op->name);
	}
	unit_op_free(op);
	done(arg, why ? &e : NULL);
}

static void on_unit_job_late(struct timer *t)
{
	struct err e;

	err_set(&e, ERR_DEADLINE_EXCEEDED, "systemd's job has not ended after %d s", JOB_MS / 1000);
	unit_finish(container_of(t, struct unit_op, timer), &e);
}

static void unit_call(struct unit_op *op, sd_bus_message *m, bus_done *done)
{
	op->call = bus_call(bus, m, CALL_MS, done, op);
}

static sd_bus_message *unit_message(const char *member)
{
	return bus_message(bus, SYSTEMD, PATH, MANAGER, member);
}

static void on_unit_reset(void *arg, const struct err *e, sd_bus_message *reply)
{
	struct unit_op *op = arg;

	(void)e;
	(void)reply;
	op->call = NULL;
	unit_finish(op, NULL); /* an error only says that there was no failed state; the unit is stopped */
}

static void unit_job_done(struct unit_op *op, const char *result)
{
	sd_bus_message *m;
	struct err e;

	timer_clear(&op->timer);
	if (op->verb == STOP) {
		sm_move(&op->sm, RESET);
		m = unit_message("ResetFailedUnit");
		BUS_MUST(sd_bus_message_append(m, "s", op->name));
		return unit_call(op, m, on_unit_reset);
	}
	if (strcmp(result, "done") == 0)
		return unit_finish(op, NULL);
	err_set(&e, ERR_INTERNAL, "systemd's job: %.40s", result);
	unit_finish(op, &e);
}

static void on_unit_job_removed(void *arg, sd_bus_message *m)
{
	const char *job, *unit, *result;
	uint32_t id;

	(void)arg;
	if (sd_bus_message_read(m, "uoss", &id, &job, &unit, &result) < 0)
		return log_warn("units signal=JobRemoved error=\"not as documented\"");
	list_each(it, &ops) {
		struct unit_op *op = container_of(it, struct unit_op, link);

		if (op->sm.now == JOB && strcmp(op->job, job) == 0)
			return unit_job_done(op, result);
	}
}

static void on_unit_called(void *arg, const struct err *e, sd_bus_message *reply)
{
	struct unit_op *op = arg;
	const char *job = "";
	struct err mine;

	op->call = NULL;
	if (reply && op->verb == STOP && sd_bus_message_is_method_error(reply, SYSTEMD ".NoSuchUnit"))
		return unit_finish(op, NULL);
	if (reply && op->verb == SLICE && sd_bus_message_is_method_error(reply, SYSTEMD ".UnitExists"))
		return unit_finish(op, NULL);
	if (e || op->verb == LIMIT)
		return unit_finish(op, e);
	if (sd_bus_message_read(reply, "o", &job) < 0 || strlen(job) >= sizeof(op->job)) {
		err_set(&mine, ERR_INTERNAL, "systemd's answer names no job");
		return unit_finish(op, &mine);
	}
	memcpy(op->job, job, strlen(job) + 1);
	sm_move(&op->sm, JOB);
	timer_set(&op->timer, JOB_MS, on_unit_job_late);
}

static struct unit_op *unit_op_new(enum verb verb, const char *what, const char *name, unit_done *done, void *arg)
{
	struct unit_op *op = new_zero(struct unit_op);

	snprintf(op->name, sizeof(op->name), "%s", name);
	op->sm = (struct sm){ op_states, what, op->name, CALL };
	op->verb = verb;
	op->done = done;
	op->arg = arg;
	list_append(&ops, &op->link);
	return op;
}

/* ---- the verbs ---- */

static void put_bool(sd_bus_message *m, const char *name, bool v)
{
	BUS_MUST(sd_bus_message_append(m, "(sv)", name, "b", (int)v));
}

static void put_str(sd_bus_message *m, const char *name, const char *v)
{
	BUS_MUST(sd_bus_message_append(m, "(sv)", name, "s", v));
}

/* Accounting, so that the group has counters for statistics. DefaultDependencies=no, so that the unit does not hold up
 * a shutdown. */
static void put_common(sd_bus_message *m, const char *description)
{
	static const char *const accounting[] = { "CPUAccounting", "MemoryAccounting", "IOAccounting",
						  "TasksAccounting" };

	put_str(m, "Description", description);
	put_bool(m, "DefaultDependencies", false);
	for (size_t i = 0; i < sizeof(accounting) / sizeof(*accounting); i++)
		put_bool(m, accounting[i], true);
}

static sd_bus_message *transient(const char *name)
{
	sd_bus_message *m = unit_message("StartTransientUnit");

	BUS_MUST(sd_bus_message_append(m, "ss", name, "fail"));
	BUS_MUST(sd_bus_message_open_container(m, 'a', "(sv)"));
	return m;
}

static void end_transient(sd_bus_message *m)
{
	BUS_MUST(sd_bus_message_close_container(m));
	BUS_MUST(sd_bus_message_append(m, "a(sa(sv))", 0));
}

struct unit_op *unit_slice(const char *name, const struct resources *limits, unit_done *done, void *arg)
{
	struct unit_op *op = unit_op_new(SLICE, "start slice", name, done, arg);
	sd_bus_message *m = transient(name);

	put_common(m, "pod of crisp");
	if (limits)
		unit_limits_put(m, limits);
	end_transient(m);
	unit_call(op, m, on_unit_called);
	return op;
}

struct unit_op *unit_scope(const char *name, const char *slice, pid_t pid, unit_done *done, void *arg)
{
	struct unit_op *op = unit_op_new(SCOPE, "start scope", name, done, arg);
	sd_bus_message *m = transient(name);

	put_common(m, "pause of crisp");
	put_str(m, "Slice", slice);
	put_str(m, "CollectMode", "inactive-or-failed");
	BUS_MUST(sd_bus_message_append(m, "(sv)", "PIDs", "au", 1, (uint32_t)pid));
	end_transient(m);
	unit_call(op, m, on_unit_called);
	return op;
}

struct unit_op *unit_limit(const char *name, const struct resources *limits, unit_done *done, void *arg)
{
	struct unit_op *op = unit_op_new(LIMIT, "limit", name, done, arg);
	sd_bus_message *m = unit_message("SetUnitProperties");

	BUS_MUST(sd_bus_message_append(m, "sb", name, 1)); /* runtime=true: for the life of the unit, without a file */
	BUS_MUST(sd_bus_message_open_container(m, 'a', "(sv)"));
	unit_limits_put(m, limits);
	BUS_MUST(sd_bus_message_close_container(m));
	unit_call(op, m, on_unit_called);
	return op;
}

struct unit_op *unit_stop(const char *name, unit_done *done, void *arg)
{
	struct unit_op *op = unit_op_new(STOP, "stop", name, done, arg);
	sd_bus_message *m = unit_message("StopUnit");

	BUS_MUST(sd_bus_message_append(m, "ss", name, "replace"));
	unit_call(op, m, on_unit_called);
	return op;
}

void unit_cancel(struct unit_op *op)
{
	unit_op_free(op);
}

/* ---- open, close ---- */

/* Calls under way fail by themselves. Operations that wait for a signal would wait for ever, so they fail here. */
static void on_units_lost(void *arg)
{
	struct link gone, *l;
	struct err e;

	(void)arg;
	list_init(&gone);
	list_each(it, &ops) {
		if (container_of(it, struct unit_op, link)->sm.now != JOB)
			continue;
		list_drop(it);
		list_append(&gone, it);
	}
	while ((l = list_first(&gone))) {
		err_set(&e, ERR_UNAVAILABLE, "the connection to the bus %s was lost", bus_address(bus));
		unit_finish(container_of(l, struct unit_op, link), &e);
	}
}

static void on_units_greeted_again(void *arg, const struct err *e, sd_bus_message *reply)
{
	(void)arg;
	(void)reply;
	greeting = NULL;
	if (e)
		log_error("units bus=%s error=%s", bus_address(bus), log_quote(e->msg));
}

static void on_units_greeted(void *arg, const struct err *e, sd_bus_message *reply)
{
	struct err mine;

	(void)arg;
	(void)reply;
	greeting = NULL;
	if (e)
		err_set(&mine, ERR_FAILED_PRECONDITION, "cgroup.driver systemd: no systemd at %s: %s", bus_address(bus),
			e->msg);
	on_ready(ready_arg, e ? &mine : NULL);
}

/* systemd sends signals of jobs only while a client has subscribed. */
static void units_greet(bus_done *done)
{
	if (greeting)
		bus_cancel(greeting);
	greeting = bus_call(bus, unit_message("Subscribe"), CALL_MS, done, NULL);
}

static void on_units_again(void *arg)
{
	(void)arg;
	units_greet(on_units_greeted_again);
}

int units_open(const struct units_config *cfg, unit_done *ready, void *arg, struct err *e)
{
	struct bus_config on_bus = { .address = cfg->address, .peer = cfg->peer, .lost = on_units_lost,
				     .again = on_units_again };

	bus = bus_open(&on_bus, e);
	if (!bus) {
		e->code = ERR_FAILED_PRECONDITION;
		return err_wrap(e, "cgroup.driver systemd");
	}
	on_ready = ready;
	ready_arg = arg;
	bus_listen(bus, SYSTEMD, PATH, MANAGER, "JobRemoved", on_unit_job_removed);
	units_greet(on_units_greeted);
	return 0;
}

void units_close(void)
{
	struct link *l;

	if (!bus)
		return;
	while ((l = list_first(&ops)))
		unit_op_free(container_of(l, struct unit_op, link));
	greeting = NULL; /* the bus's */
	bus_close(take_ptr(&bus));
}
