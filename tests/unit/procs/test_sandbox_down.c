/* test_sandbox_down.c - StopPodSandbox: the order in which all is given back, the failures that are allowed, and what
 * is still there after a restart. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "procs/pidstat.h"
#include "procs/sandbox_down.h"
#include "procs/sandbox_ns.h"
#include "procs/sandbox_pause.h"
#include "procs/spec.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/record.h"
#include "tests/fakes/net_child.h"
#include "tests/fakes/net_world.h"
#include "tests/missing.h"
#include "tests/tap.h"
#include "tests/unit/procs/sandbox_run.h"

static char root[] = "/tmp/test-sandbox-down-XXXXXX";

static struct sandbox *ready(uint32_t made)
{
	static const char *ip = "10.1.2.3";
	struct sandbox *s = sandbox_new(&config);

	net_world_reset();
	net_children_reset();
	s->hidden = false;
	s->state = SANDBOX_READY;
	s->made = made;
	s->ips = (struct strings){ &ip, 1 };
	sandbox_set_str(s, &s->cni_conf, "{\"c\":1}");
	sandbox_set_str(s, &s->cni_result, "{\"r\":1}");
	sandbox_set_str(s, &s->netns_path, "/proc/self/ns/net"); /* a file of nsfs, as a pin is */
	return s;
}

static uint32_t made_on_disk(const struct sandbox *s)
{
	char records[64];
	struct err e;
	auto_json json_t *j = NULL;

	snprintf(records, sizeof(records), "%s/sandboxes", root);
	j = record_read(records, s->id, 1, &e);
	return (uint32_t)json_get_int(j, "made");
}

enum { ALL = MADE_CGROUP | MADE_NAMESPACES | MADE_NETWORK | MADE_FILES };

static void all_is_given_back_in_reverse(void)
{
	struct result r = { 0 };
	struct sandbox *s = ready(ALL);

	sandbox_down_start(s, record, &r);
	ok(s->state == SANDBOX_NOTREADY && net_trace[0] == '\0');
	turns();
	is_str(net_trace, "del");
	is_str(net_world.conf, "{\"c\":1}");
	is_str(net_world.result, "{\"r\":1}");
	net_world_answers("del", ERR_OK, false);
	is_str(net_trace, "del -namespaces -files -cgroup");
	ok(r.calls == 1 && r.e.code == ERR_OK && s->made == 0 && s->ips.n == 0);

	sandbox_down_start(s, record, &r); /* and again */
	turns();
	ok(r.calls == 2 && r.e.code == ERR_OK);
	is_str(net_trace, "del -namespaces -files -cgroup");
	sandbox_free(s);
}

/* The group stays in the record until it is gone, so that the next crispd knows that it belongs to crisp. */
static void a_busy_group_stays_in_the_record(void)
{
	struct result r = { 0 };
	struct sandbox *s = ready(MADE_CGROUP);

	net_world.busy_cgroup = true;
	sandbox_down_start(s, record, &r);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_OK && s->made == MADE_CGROUP && s->ips.n == 0);
	net_world.busy_cgroup = false;
	sandbox_down_start(s, record, &r);
	turns();
	ok(r.calls == 2 && r.e.code == ERR_OK && s->made == 0);
	is_str(net_trace, "-cgroup -cgroup");
	sandbox_free(s);
}

/* Until the keeper has confirmed it, the record names the pin; and what was given back is not asked for again. */
static void a_pin_stays_in_the_record_until_it_is_gone(void)
{
	struct result r = { 0 };
	struct sandbox *s = ready(ALL);

	net_world.slow_drop = true;
	sandbox_down_start(s, record, &r);
	turns();
	net_world_answers("del", ERR_OK, false);
	turns();
	is_str(net_trace, "del -namespaces");
	ok(r.calls == 0 && (s->made & MADE_NAMESPACES));
	net_world_answers("drop", ERR_UNAVAILABLE, false);
	ok(r.calls == 1 && r.e.code == ERR_UNAVAILABLE && strstr(r.e.msg, "give back the namespaces of sandbox "));
	ok(s->made == MADE_NAMESPACES && made_on_disk(s) == MADE_NAMESPACES && sandbox_down_begun(s));
	is_str(net_trace, "del -namespaces -files -cgroup");
	sandbox_down_start(s, record, &r);
	turns();
	net_world_answers("drop", ERR_OK, false);
	ok(r.calls == 2 && r.e.code == ERR_OK && s->made == 0 && !sandbox_down_begun(s));
	is_str(net_trace, "del -namespaces -files -cgroup -namespaces");
	sandbox_free(s);
}

static void files_that_stay_are_told_and_tried_again(void)
{
	struct result r = { 0 };
	struct sandbox *s = ready(MADE_FILES | MADE_CGROUP);

	net_world.stuck_files = true;
	sandbox_down_start(s, record, &r);
	turns();
	ok(r.calls == 1 && r.e.code == ERR_INTERNAL && strstr(r.e.msg, "give back the files of sandbox "));
	ok(s->made == MADE_FILES && s->state == SANDBOX_NOTREADY);
	net_world.stuck_files = false;
	sandbox_down_start(s, record, &r);
	turns();
	ok(r.calls == 2 && r.e.code == ERR_OK && s->made == 0);
	sandbox_free(s);
}

static void the_pause_goes_first(void)
{
	struct result r = { 0 };
	struct sandbox *s;

	config.security.ns.pid = NS_POD;
	s = ready(ALL | MADE_PAUSE);
	net_world.pause_pid = s->pause_pid = 77;
	ok(sandbox_pause_adopt(s));
	sandbox_down_start(s, record, &r);
	turns();
	ok(!net_world_waits("del") && s->pause_pid == 77 && strstr(net_world.killed_cgroup, s->id));
	net_world_pause_dies();
	ok(s->pause_pid == 0);
	is_str(net_trace, "forget del");
	net_world_answers("del", ERR_OK, false);
	ok(r.calls == 1 && s->made == 0);
	sandbox_free(s);
	blank();
}

/* Its keeper died after clone3(2): no record has its pid, and the next keeper does not know it. */
static void a_pause_of_which_nobody_knows_is_killed(void)
{
	struct result r = { 0 };
	struct sandbox *s;

	config.security.ns.pid = NS_POD;
	for (int again = 0; again < 2; again++) {
		s = ready(again ? MADE_CGROUP : MADE_CGROUP | MADE_PAUSE);
		net_world.pause_pid = s->pause_pid = 0;
		net_world.killed_cgroup[0] = '\0';
		sandbox_down_start(s, record, &r);
		turns();
		ok(strstr(net_world.killed_cgroup, s->id) && r.calls == again + 1);
		ok(r.e.code == ERR_OK && s->made == 0);
		sandbox_free(s);
	}
	blank();
}

/* What the runtime could not forget stays in the record, and the network behind it. */
static void then_the_box(uint32_t what)
{
	struct result r = { 0 };
	struct sandbox *s = ready(ALL | what);

	sandbox_down_start(s, record, &r);
	turns();
	is_str(net_trace, "-box");
	net_world_answers("box", ERR_INTERNAL, false);
	ok(r.calls == 1 && r.e.code == ERR_INTERNAL && s->made & what && s->made & MADE_NETWORK);
	sandbox_down_start(s, record, &r);
	turns();
	net_world_answers("box", ERR_OK, false);
	is_str(net_trace, "-box -box del");
	net_world_answers("del", ERR_OK, false);
	ok(r.calls == 2 && r.e.code == ERR_OK && s->made == 0);
	sandbox_free(s);
	blank();
}

static void a_del_that_fails_keeps_the_rest_for_the_next_try(void)
{
	struct result r = { 0 };
	struct sandbox *s = ready(ALL);

	sandbox_down_start(s, record, &r);
	turns();
	net_world_answers("del", ERR_INTERNAL, false);
	ok(r.calls == 1 && r.e.code == ERR_INTERNAL && strstr(r.e.msg, "give back the network of sandbox "));
	ok(s->made == ALL && s->state == SANDBOX_NOTREADY && s->ips.n == 1);
	sandbox_down_start(s, record, &r);
	turns();
	net_world_answers("del", ERR_OK, false);
	ok(r.calls == 2 && r.e.code == ERR_OK && s->made == 0);
	sandbox_free(s);
}

static void a_network_that_never_was_cannot_hold_it(void)
{
	struct result r = { 0 };
	struct sandbox *s = ready(ALL);

	sandbox_set_str(s, &s->cni_result, "");
	sandbox_down_start(s, record, &r);
	turns();
	is_str(net_world.netns, "/proc/self/ns/net");
	net_world_answers("del", ERR_INTERNAL, false);
	is_str(net_trace, "del del"); /* the second one for what is kept outside of the namespace */
	is_str(net_world.netns, "");
	net_world_answers("del", ERR_INTERNAL, false);
	ok(r.calls == 1 && r.e.code == ERR_OK && s->made == 0);
	sandbox_free(s);
}

/* The record is of a later version. Deleting its network by the way of another kind would leave half of it for ever. */
/* The keeper died amid an ADD. A DEL that could not be run has given nothing back. */
static void without_a_keeper_nothing_is_forgotten(void)
{
	struct result r = { 0 };
	struct sandbox *s = ready(ALL);

	sandbox_set_str(s, &s->cni_result, "");
	sandbox_down_start(s, record, &r);
	turns();
	net_world_answers("del", ERR_UNAVAILABLE, false);
	ok(r.calls == 1 && r.e.code == ERR_UNAVAILABLE && s->made == ALL);
	is_str(net_trace, "del");
	sandbox_down_start(s, record, &r);
	turns();
	net_world_answers("del", ERR_INTERNAL, false);
	net_world_answers("del", ERR_UNAVAILABLE, false);
	ok(r.calls == 2 && r.e.code == ERR_UNAVAILABLE && s->made == ALL);
	sandbox_down_start(s, record, &r);
	turns();
	net_world_answers("del", ERR_OK, false);
	ok(r.calls == 3 && r.e.code == ERR_OK && s->made == 0);
	sandbox_free(s);
}

static void a_network_of_an_unknown_kind_is_left_alone(void)
{
	struct result r = { 0 };
	struct sandbox *s = ready(ALL);

	sandbox_set_str(s, &s->network_kind, "of-tomorrow");
	for (int i = 1; i <= 2; i++) {
		s->hidden = i == 2; /* as recovery finds a sandbox whose start was cut off */
		sandbox_down_start(s, record, &r);
		turns();
		ok(r.calls == i && r.e.code == ERR_FAILED_PRECONDITION && strstr(r.e.msg, "of kind \"of-tomorrow\""));
		ok(s->made == ALL && s->ips.n == 1 && s->state == SANDBOX_NOTREADY && !s->hidden);
		is_str(net_trace, "");
	}
	sandbox_set_str(s, &s->network_kind, "cni");
	sandbox_down_start(s, record, &r);
	turns();
	net_world_answers("del", ERR_OK, false);
	is_str(net_trace, "del -namespaces -files -cgroup");
	ok(r.calls == 3 && r.e.code == ERR_OK && s->made == 0);
	sandbox_free(s);
}

static void containers_are_told_where_the_namespaces_are(void)
{
	struct sandbox *s = ready(ALL);
	struct spec_namespaces ns;
	struct err e;

	ok(sandbox_namespaces(s, arena, &ns, &e) == 0);
	is_str(ns.net, "/proc/self/ns/net");
	is_str(ns.ipc, "/proc/1/fd/ipc");
	is_str(ns.uts, "/proc/1/fd/uts");
	is_str(ns.pid, "new");
	is_str(ns.user, "");
	net_world.no_pins = true;
	ok(sandbox_namespaces(s, arena, &ns, &e) < 0 && e.code == ERR_INTERNAL &&
	   strstr(e.msg, "namespace of sandbox"));
	net_world.no_pins = false;
	sandbox_set_str(s, &s->netns_path, "/etc/passwd");
	ok(sandbox_namespaces(s, arena, &ns, &e) < 0 && strstr(e.msg, "is gone from /etc/passwd"));
	sandbox_free(s);

	config.security.ns = (struct ns_options){ .network = NS_NODE, .ipc = NS_NODE, .pid = NS_NODE, .target_id = "" };
	s = ready(ALL);
	ok(sandbox_namespaces(s, arena, &ns, &e) == 0);
	ok(!ns.net[0] && !ns.ipc[0] && !ns.uts[0] && !ns.pid[0]);
	sandbox_free(s);

	config.security.ns.pid = NS_POD;
	s = ready(ALL);
	ok(sandbox_namespaces(s, arena, &ns, &e) < 0 && strstr(e.msg, "the pause of sandbox "));
	s->pause_pid = 77;
	ok(sandbox_namespaces(s, arena, &ns, &e) == 0);
	is_str(ns.pid, "/proc/77/ns/pid");
	sandbox_free(s);
	blank();
}

static pid_t child_that_waits(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void in_time(const struct sandbox *s, int32_t state)
{
	for (int i = 0; i < 10000 && s->state != state; i++)
		turns();
	ok(s->state == state);
}

/* Both daemons were away. Pid and start time tell whether a process is the pause; its pidfd tells when it dies. */
static void the_keeper_forgot_the_pause(void)
{
	pid_t pids[] = { child_that_waits(), child_that_waits() };
	struct result r = { 0 };
	struct pidstat born;
	struct sandbox *s = ready(ALL | MADE_PAUSE);

	net_world.pause_pid = 0;
	s->pause_pid = pids[0];
	ok(pidstat_read(pids[0], &born) && born.parent == getpid() && born.session == getsid(0));
	s->pause_start_ticks = born.start_ticks + 1; /* another process has the pid by now */
	ok(!sandbox_adopt(s) && s->state == SANDBOX_NOTREADY);
	s->state = SANDBOX_READY;
	s->pause_start_ticks = born.start_ticks;
	ok(sandbox_adopt(s) && s->state == SANDBOX_READY && s->pause_pid == pids[0]);
	kill(pids[0], SIGKILL);
	in_time(s, SANDBOX_NOTREADY);
	ok(s->pause_pid == 0);
	sandbox_free(s);

	s = ready(ALL | MADE_PAUSE);
	s->pause_pid = pids[1];
	ok(pidstat_read(pids[1], &born));
	s->pause_start_ticks = born.start_ticks;
	ok(sandbox_adopt(s));
	sandbox_down_start(s, record, &r);
	for (int i = 0; i < 10000 && !net_world_waits("del"); i++)
		turns();
	ok(s->pause_pid == 0 && (!pidstat_read(pids[1], &born) || born.state == 'Z'));
	net_world_answers("del", ERR_OK, false);
	ok(r.calls == 1 && r.e.code == ERR_OK && s->made == 0);
	sandbox_free(s);
}

static void what_vanished_while_we_were_away_is_not_ready(void)
{
	struct sandbox *s;

	config.security.ns.ipc = NS_NODE; /* a pod with the node's IPC has no /dev/shm of its own to check */
	s = ready(ALL);
	ok(sandbox_adopt(s) && s->state == SANDBOX_READY);
	net_world.no_pins = true;
	ok(!sandbox_adopt(s) && s->state == SANDBOX_NOTREADY);
	sandbox_free(s);

	s = ready(ALL);
	sandbox_set_str(s, &s->netns_path, missing("netns"));
	ok(!sandbox_adopt(s) && s->state == SANDBOX_NOTREADY);
	sandbox_free(s);

	config.security.ns.pid = NS_POD;
	s = ready(ALL | MADE_PAUSE);
	s->pause_pid = 77;
	ok(!sandbox_adopt(s));
	sandbox_free(s);
	s = ready(ALL | MADE_PAUSE);
	net_world.pause_pid = s->pause_pid = 77;
	ok(sandbox_adopt(s) && s->state == SANDBOX_READY);
	net_world_pause_dies();
	ok(s->state == SANDBOX_NOTREADY);
	sandbox_free(s);

	the_keeper_forgot_the_pause();

	blank(); /* an IPC namespace of its own, and its tmpfs is not mounted */
	s = ready(ALL);
	ok(!sandbox_adopt(s));
	sandbox_free(s);
}

int main(void)
{
	struct sandboxes_config table = { .root = root, .state = "/run/x", .netns_dir = "/run/netns" };
	struct err e;
	char records[64];

	arena = arena_new();
	ok(mkdtemp(root) != NULL);
	snprintf(records, sizeof(records), "%s/sandboxes", root);
	sandboxes_open(&table);
	ok(sandboxes_load(&e) == 0);
	blank();
	all_is_given_back_in_reverse();
	a_busy_group_stays_in_the_record();
	a_pin_stays_in_the_record_until_it_is_gone();
	files_that_stay_are_told_and_tried_again();
	the_pause_goes_first();
	a_pause_of_which_nobody_knows_is_killed();
	then_the_box(MADE_BOX);
	then_the_box(MADE_API);
	a_del_that_fails_keeps_the_rest_for_the_next_try();
	a_network_that_never_was_cannot_hold_it();
	without_a_keeper_nothing_is_forgotten();
	a_network_of_an_unknown_kind_is_left_alone();
	containers_are_told_where_the_namespaces_are();
	what_vanished_while_we_were_away_is_not_ready();
	ok(rmdir(records) == 0 && rmdir(root) == 0);
	arena_free(arena);
	return tap_end();
}
