/* test_units.c - procs/cgroup/units.c and reactor/bus.c against a systemd that the test plays at the other end of the
 * socket; and how CRI's numbers become properties. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/cgroup/unit_limits.h"
#include "procs/cgroup/units.h"
#include "reactor/bus.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/tap.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define PATH    "/org/freedesktop/systemd1"

static char dir[] = "/tmp/test-units-XXXXXX";
static char address[128], socket_path[64];
static struct err e;

/* ---- the played systemd, in a process of its own ----
 *
 * The unit's name tells how it answers: "refused", "failed" (the job), "exists", "missing", "silent"; "drop" ends
 * it. */

static FILE *told; /* one line a call */

static int call_is(sd_bus_message *m, const char *member)
{
	return sd_bus_message_is_method_call(m, SYSTEMD ".Manager", member) > 0;
}

static void tell_properties(sd_bus_message *m)
{
	const char *name, *contents;
	char type;

	if (sd_bus_message_enter_container(m, 'a', "(sv)") < 0)
		return;
	while (sd_bus_message_enter_container(m, 'r', "sv") > 0) {
		uint64_t t = 0;
		uint32_t u = 0;
		int b = 0;
		const char *s = NULL;
		const void *bytes = NULL;
		size_t n = 0;

		sd_bus_message_read(m, "s", &name);
		sd_bus_message_peek_type(m, &type, &contents);
		sd_bus_message_enter_container(m, 'v', contents);
		if (strcmp(contents, "t") == 0 && sd_bus_message_read(m, "t", &t) > 0)
			fprintf(told, " %s=%llu", name, (unsigned long long)t);
		else if (strcmp(contents, "s") == 0 && sd_bus_message_read(m, "s", &s) > 0)
			fprintf(told, " %s=%s", name, s);
		else if (strcmp(contents, "b") == 0 && sd_bus_message_read(m, "b", &b) > 0)
			fprintf(told, " %s=%d", name, b);
		else if (strcmp(contents, "ay") == 0 && sd_bus_message_read_array(m, 'y', &bytes, &n) > 0)
			fprintf(told, " %s=%zu:%02x", name, n, *(const unsigned char *)bytes);
		else if (strcmp(contents, "au") == 0 && sd_bus_message_read(m, "au", 1, &u) > 0)
			fprintf(told, " %s=%u", name, u);
		sd_bus_message_exit_container(m);
		sd_bus_message_exit_container(m);
	}
	sd_bus_message_exit_container(m);
}

static void job(sd_bus_message *m, const char *unit, const char *result)
{
	static uint32_t id;
	sd_bus *bus = sd_bus_message_get_bus(m);
	char path[64];

	snprintf(path, sizeof(path), PATH "/job/%u", ++id);
	sd_bus_reply_method_return(m, "o", path);
	sd_bus_emit_signal(bus, PATH, SYSTEMD ".Manager", "JobRemoved", "uoss", 7777u, PATH "/job/7777", unit, "done");
	sd_bus_emit_signal(bus, PATH, SYSTEMD ".Manager", "JobRemoved", "uoss", id, path, unit, result);
}

static int serve(sd_bus_message *m, void *arg, sd_bus_error *ret)
{
	const char *unit = "", *mode;

	(void)arg;
	(void)ret;
	if (call_is(m, "Subscribe"))
		return sd_bus_reply_method_return(m, "");
	if (sd_bus_message_read(m, "s", &unit) < 0)
		return 0;
	fprintf(told, "%s %s", sd_bus_message_get_member(m), unit);
	if (call_is(m, "StartTransientUnit") && sd_bus_message_read(m, "s", &mode) > 0)
		tell_properties(m);
	if (call_is(m, "SetUnitProperties") && sd_bus_message_skip(m, "b") > 0)
		tell_properties(m);
	fprintf(told, "\n");
	fflush(told);
	if (strstr(unit, "silent"))
		return 1;
	if (strstr(unit, "drop"))
		_exit(0);
	if (strstr(unit, "refused"))
		return sd_bus_reply_method_errorf(m, SYSTEMD ".UnitMasked", "it is masked");
	if (strstr(unit, "exists"))
		return sd_bus_reply_method_errorf(m, SYSTEMD ".UnitExists", "it exists");
	if (strstr(unit, "missing"))
		return sd_bus_reply_method_errorf(m, SYSTEMD ".NoSuchUnit", "not loaded");
	if (call_is(m, "SetUnitProperties") || call_is(m, "ResetFailedUnit"))
		return sd_bus_reply_method_return(m, "");
	job(m, unit, strstr(unit, "failed") ? "failed" : "done");
	return 1;
}

static void be_systemd(int listener)
{
	sd_id128_t id = { .bytes = { 1 } };
	int fd = accept(listener, NULL, NULL);
	sd_bus *bus = NULL;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd < 0 || sd_bus_new(&bus) < 0 || sd_bus_set_fd(bus, fd, fd) < 0 || sd_bus_set_server(bus, 1, id) < 0 ||
	    sd_bus_set_sender(bus, SYSTEMD) < 0 || sd_bus_add_filter(bus, NULL, serve, NULL) < 0 ||
	    sd_bus_start(bus) < 0)
		_exit(1);
	for (int r = 1; r >= 0;)
		if ((r = sd_bus_process(bus, NULL)) == 0)
			r = sd_bus_wait(bus, UINT64_MAX);
	_exit(0);
}

static pid_t systemd(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char path[64];
	pid_t pid;

	unlink(socket_path);
	memcpy(a.sun_path, socket_path, strlen(socket_path) + 1);
	ok(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(listener, 4) == 0);
	snprintf(path, sizeof(path), "%s/told", dir);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		told = fopen(path, "we");
		be_systemd(listener);
	}
	close(listener);
	return pid;
}

/* What it was told, in one string. */
static const char *heard(void)
{
	static char text[8192];
	char path[64];
	auto_file FILE *f = NULL;
	size_t n;

	snprintf(path, sizeof(path), "%s/told", dir);
	f = fopen(path, "re");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	return text;
}

/* ---- our end ---- */

struct result {
	int calls;
	struct err e;
};

static void record(void *arg, const struct err *failed)
{
	struct result *r = arg;

	r->calls++;
	r->e = failed ? *failed : (struct err){ 0 };
	loop_stop();
}

static void on_limit(struct timer *t)
{
	(void)t;
	loop_stop();
}

static void wait_for(const struct result *r)
{
	static struct timer limit;

	timer_set(&limit, 10000, on_limit);
	while (!r->calls && timer_is_set(&limit))
		loop_run();
	timer_clear(&limit);
	ok(r->calls == 1);
}

static pid_t begin(void)
{
	struct units_config cfg = { address, true };
	struct result r = { 0 };
	pid_t pid = systemd();

	ok(units_open(&cfg, record, &r, &e) == 0 && r.calls == 0);
	wait_for(&r);
	ok(r.e.code == ERR_OK);
	return pid;
}

static void end(pid_t pid)
{
	int status;

	units_close();
	ok(waitpid(pid, &status, 0) == pid);
}

static void no_bus(void)
{
	struct units_config cfg = { "unix:path=/nonexistent/bus", true };
	struct result r = { 0 };

	ok(units_open(&cfg, record, &r, &e) < 0 && e.code == ERR_FAILED_PRECONDITION);
	is_str(e.msg, "cgroup.driver systemd: the bus unix:path=/nonexistent/bus: No such file or directory");
}

static void units_are_made_limited_and_stopped(void)
{
	struct pair more[] = { { "memory.high", "max" }, { "memory.oom.group", "1" }, { "pids.max", "50" } };
	struct resources limits = { .set = true, .cpu_shares = 512, .cpu_quota = 15000, .cpu_period = 100000,
				    .memory_limit = 1000, .memory_swap_limit = 1500, .cpuset_cpus = "0-1,4",
				    .cpuset_mems = "", .unified = { more, 3 } };
	struct result slice = { 0 }, scope = { 0 }, limit = { 0 }, stop = { 0 };
	pid_t pid = begin();

	unit_slice("p-1.slice", &limits, record, &slice);
	ok(slice.calls == 0);
	wait_for(&slice);
	unit_scope("crisp-1.scope", "p-1.slice", 77, record, &scope);
	wait_for(&scope);
	limits = (struct resources){ .set = true, .cpu_quota = -1, .cpuset_cpus = "x", .cpuset_mems = "" };
	unit_limit("p-1.slice", &limits, record, &limit);
	wait_for(&limit);
	unit_stop("p-1.slice", record, &stop);
	wait_for(&stop);
	ok(slice.e.code == ERR_OK && scope.e.code == ERR_OK && limit.e.code == ERR_OK && stop.e.code == ERR_OK);
	is_str(heard(),
	       "StartTransientUnit p-1.slice Description=pod of crisp DefaultDependencies=0 CPUAccounting=1 "
	       "MemoryAccounting=1 IOAccounting=1 TasksAccounting=1 CPUWeight=59 CPUQuotaPerSecUSec=150000 "
	       "CPUQuotaPeriodUSec=100000 MemoryMax=1000 MemorySwapMax=500 AllowedCPUs=1:13 "
	       "MemoryHigh=18446744073709551615 TasksMax=50\n"
	       "StartTransientUnit crisp-1.scope Description=pause of crisp DefaultDependencies=0 CPUAccounting=1 "
	       "MemoryAccounting=1 IOAccounting=1 TasksAccounting=1 Slice=p-1.slice CollectMode=inactive-or-failed "
	       "PIDs=77\n"
	       "SetUnitProperties p-1.slice CPUQuotaPerSecUSec=18446744073709551615 CPUQuotaPeriodUSec=100000\n"
	       "StopUnit p-1.slice\nResetFailedUnit p-1.slice\n");
	end(pid);
}

static void what_systemd_says_no_to(void)
{
	struct result refused = { 0 }, failed = { 0 }, exists = { 0 }, missing = { 0 }, taken = { 0 };
	pid_t pid = begin();

	unit_slice("refused.slice", NULL, record, &refused);
	wait_for(&refused);
	ok(refused.e.code == ERR_INTERNAL);
	is_str(refused.e.msg, "start slice refused.slice: it is masked (" SYSTEMD ".UnitMasked)");
	unit_slice("failed.slice", NULL, record, &failed);
	wait_for(&failed);
	is_str(failed.e.msg, "start slice failed.slice: systemd's job: failed");
	unit_slice("exists.slice", NULL, record, &exists);
	wait_for(&exists);
	ok(exists.e.code == ERR_OK);
	unit_scope("exists.scope", "-.slice", 1, record, &taken); /* around another process */
	wait_for(&taken);
	ok(taken.e.code == ERR_INTERNAL);
	unit_stop("missing.scope", record, &missing);
	wait_for(&missing);
	ok(missing.e.code == ERR_OK);
	end(pid);
}

static void a_cancelled_one_is_not_told(void)
{
	struct result silent = { 0 }, other = { 0 };
	pid_t pid = begin();
	struct unit_op *op = unit_slice("silent.slice", NULL, record, &silent);

	unit_slice("p.slice", NULL, record, &other);
	wait_for(&other);
	unit_cancel(op);
	unit_cancel(unit_slice("p2.slice", NULL, record, &silent));
	unit_slice("silent-2.slice", NULL, record, &silent); /* and one that is under way at the end */
	ok(silent.calls == 0);
	end(pid);
	ok(silent.calls == 0);
}

/* The connection is lost: operations under way fail, new ones too, until the connection is made again. */
static void a_lost_bus_comes_back(void)
{
	struct result silent = { 0 }, dropped = { 0 }, away = { 0 };
	static struct timer soon;
	pid_t pid = begin(), second;
	int status;

	unit_slice("silent.slice", NULL, record, &silent);
	unit_slice("drop.slice", NULL, record, &dropped);
	wait_for(&dropped);
	wait_for(&silent);
	ok(dropped.e.code == ERR_UNAVAILABLE && silent.e.code == ERR_UNAVAILABLE);
	waitpid(pid, &status, 0); /* unless the loop has */
	unit_slice("p.slice", NULL, record, &away);
	ok(away.calls == 0);
	wait_for(&away);
	ok(away.e.code == ERR_UNAVAILABLE && strstr(away.e.msg, address));
	second = systemd();
	for (int i = 0; i < 200; i++) { /* tries come after a second */
		struct result r = { 0 };

		unit_slice("p.slice", NULL, record, &r);
		wait_for(&r);
		if (r.e.code == ERR_OK)
			break;
		ok(r.e.code == ERR_UNAVAILABLE);
		timer_set(&soon, 50, on_limit);
		loop_run();
	}
	is_str(strstr(heard(), "StartTransientUnit p.slice") ? "again" : heard(), "again");
	end(second);
}

static void lists_as_bits(void)
{
	uint8_t bits[CPU_BYTES_MAX];

	ok(unit_limits_bits("0", bits) == 1 && bits[0] == 1);
	ok(unit_limits_bits("0-2,5", bits) == 1 && bits[0] == 0x27);
	ok(unit_limits_bits("9,1", bits) == 2 && bits[0] == 2 && bits[1] == 2);
	ok(unit_limits_bits("1023", bits) == 128 && bits[127] == 0x80);
	ok(unit_limits_bits("", bits) == 0 && unit_limits_bits("1024", bits) == 0);
	ok(unit_limits_bits("3-1", bits) == 0 && unit_limits_bits("-1", bits) == 0);
	ok(unit_limits_bits("1,", bits) == 0 && unit_limits_bits("1-", bits) == 0 && unit_limits_bits("a", bits) == 0);
	ok(unit_limits_bits("1 2", bits) == 0);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return 1;
	snprintf(socket_path, sizeof(socket_path), "%s/bus", dir);
	snprintf(address, sizeof(address), "unix:path=%s", socket_path);
	no_bus();
	units_are_made_limited_and_stopped();
	what_systemd_says_no_to();
	a_cancelled_one_is_not_told();
	a_lost_bus_comes_back();
	lists_as_bits();
		unlink(socket_path);
	snprintf(address, sizeof(address), "%s/told", dir);
	unlink(address);
	rmdir(dir);
	return tap_end();
}
