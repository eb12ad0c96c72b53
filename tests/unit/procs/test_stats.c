/* test_stats.c - procs/stats*.c: the kernel's texts, a cgroup v2 of plain files, this machine's cgroups and network
 * namespaces. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/stats.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "tests/fakes/world.h"
#include "tests/missing.h"
#include "tests/tap.h"
#include "tests/unit/procs/cgroup_on_paper.h"

/* ---- texts ---- */

static void numbers(void)
{
	uint64_t v = 7;

	ok(stats_number("123\n", &v) && v == 123);
	ok(stats_number("max\n", &v) && v == UINT64_MAX);
	ok(stats_number("99999999999999999999999\n", &v) && v == UINT64_MAX);
	v = 7;
	ok(!stats_number("", &v) && !stats_number("-1\n", &v) && !stats_number("maximum\n", &v) && v == 7);
}

static void flat_keyed(void)
{
	uint64_t file = 1, anon = 1, none = 1;
	const struct stats_want want[] = { { "file", &file }, { "anon", &anon }, { "none", &none } };

	stats_flat("anon 20\nfile_mapped 5\nfile 30\n\nrubbish\nnone x\nnone", want, 3);
	ok(file == 30 && anon == 20 && none == 1);
	stats_flat("", want, 3);
	stats_flat("anon ", want, 3);
	ok(anon == 20);
}

static void pressure(void)
{
	struct pressure p = { 0 };

	stats_pressure("some avg10=0.50 avg60=1.25 avg300=99.00 total=123456\nfull avg10=0.00 avg60=0.00 avg300=0.01 "
		       "total=7\n",
		       &p);
	ok(p.set && p.some.avg10 == 0.5 && p.some.avg60 == 1.25 && p.some.avg300 == 99 && p.some.total_us == 123456);
	ok(p.full.total_us == 7 && p.full.avg300 == 0.01);
	p = (struct pressure){ 0 };
	stats_pressure("", &p);
	stats_pressure("other avg10=1 avg60=1 avg300=1 total=1\nsome avg10=1\n", &p);
	ok(!p.set);
}

static void io(void)
{
	struct io_devices d = { .n = 0 };

	stats_io_v2("253:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:16 wbytes=9\nrubbish\n7:x rbytes=1\n",
		    &d);
	ok(d.n == 2 && d.at[0].major == 253 && d.at[0].read_bytes == 1 && d.at[0].write_bytes == 2 &&
	   d.at[0].reads == 3);
	ok(d.at[0].writes == 4 && d.at[1].minor == 16 && d.at[1].write_bytes == 9 && d.at[1].read_bytes == 0);
	d.n = 0;
	stats_io_v1("8:0 Read 10\n8:0 Write 20\n8:0 Sync 30\n8:0 Total 30\n8:1 Read 1\nTotal 31\n", false, &d);
	stats_io_v1("8:0 Read 3\n8:0 Write 4\n8:1 Read 1\nTotal 8\n", true, &d);
	ok(d.n == 2 && d.at[0].read_bytes == 10 && d.at[0].write_bytes == 20 && d.at[0].reads == 3 &&
	   d.at[0].writes == 4);
	ok(d.at[1].minor == 1 && d.at[1].read_bytes == 1 && d.at[1].reads == 1);
}

static void more_devices_than_room(void)
{
	struct io_devices d = { .n = 0 };
	char text[1024] = "";

	for (int i = 0; i < IO_DEVICES_MAX + 4; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "8:%d rbytes=%d\n", i, i);
	stats_io_v2(text, &d);
	ok(d.n == IO_DEVICES_MAX && d.at[IO_DEVICES_MAX - 1].read_bytes == IO_DEVICES_MAX - 1);
}

static void net_dev(void)
{
	struct net_usage u[2];

	ok(stats_net_dev("Inter-|   Receive                                                |  Transmit\n"
			 " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop "
			 "fifo colls carrier compressed\n"
			 "    lo: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0\n"
			 "  eth0:1111 22 3 4 0 0 0 0 5555 66 7 8 0 0 0 0\n"
			 "broken: 1 2 3\n"
			 "averyverylongname: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
			 "  net1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
			 "  net2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
			 u, 2) == 2);
	is_str(u[0].name, "eth0");
	ok(u[0].rx_bytes == 1111 && u[0].rx_packets == 22 && u[0].rx_errors == 3 && u[0].rx_dropped == 4);
	ok(u[0].tx_bytes == 5555 && u[0].tx_packets == 66 && u[0].tx_errors == 7 && u[0].tx_dropped == 8);
	is_str(u[1].name, "net1");
	ok(stats_net_dev("", u, 2) == 0 && stats_net_dev("x", u, 2) == 0);
}

/* ---- rates ---- */

static void rates(void)
{
	struct cpu_sample s = { 0 };
	uint64_t rate;
	int64_t second = 1000000000;

	ok(!stats_rate(&s, second, 500, &rate)); /* there is no earlier reading */
	ok(!stats_rate(&s, second + 1000, 600, &rate));
	ok(stats_rate(&s, 2 * second, 500 + (uint64_t)second / 4, &rate) && rate == (uint64_t)second / 4);
	ok(stats_rate(&s, 2 * second + 1000, 0, &rate) && rate == (uint64_t)second / 4); /* the last one */
	ok(!stats_rate(&s, 4 * second, 10, &rate)); /* the counter began at 0 again */
	ok(stats_rate(&s, 6 * second, 10 + (uint64_t)second, &rate) && rate == (uint64_t)second / 2);
}

/* ---- cgroups ---- */

static void file(const char *name, const char *text)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/pod/%s", world_dir(), name);
	f = fopen(path, "we");
	fputs(text, f);
	fclose(f);
}

static void unified(void)
{
	struct usage_more m;
	struct usage u;

	paper_open();
	ok(!stats_read("/pod", &u, NULL));
	file("cpu.stat",
	     "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 10\nnr_throttled 2\nthrottled_usec 7\n"
	     "nr_bursts 4\nburst_usec 6\n");
	ok(stats_read("/pod", &u, NULL) && u.cpu && !u.memory && u.cpu_ns == 5000000); /* a controller may be missing */
	file("memory.current", "1000\n");
	file("memory.stat", "anon 300\nfile 600\ninactive_file 250\nactive_file 350\nfile_mapped 40\nkernel "
			    "50\npgfault 9\npgmajfault 1\n");
	file("memory.max", "4000\n");
	file("memory.swap.current", "11\n");
	file("memory.swap.max", "max\n");
	file("memory.events", "low 0\nhigh 0\nmax 5\noom 1\noom_kill 3\n");
	file("memory.peak", "2000\n");
	file("memory.pressure",
	     "some avg10=1.00 avg60=0.00 avg300=0.00 total=10\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	file("pids.current", "17\n");
	file("pids.max", "max\n");
	file("io.stat", "8:0 rbytes=1 wbytes=2 rios=3 wios=4\n");
	ok(stats_read("/pod", &u, &m) && u.memory_bytes == 1000 && u.working_set_bytes == 750 && u.rss_bytes == 300);
	ok(u.memory_limit == 4000 && u.swap_bytes == 11 && u.swap_limit == UINT64_MAX && u.page_faults == 9 &&
	   u.major_page_faults == 1);
	ok(u.memory_pressure.set && !u.cpu_pressure.set && u.memory_pressure.some.avg10 == 1);
	ok(m.user_ns == 3000000 && m.system_ns == 2000000 && m.periods == 10 && m.throttled_periods == 2 &&
	   m.throttled_ns == 7000 && m.burst_periods == 4 && m.burst_ns == 6000);
	ok(m.cache_bytes == 600 && m.mapped_file_bytes == 40 && m.kernel_bytes == 50 && m.max_bytes == 2000);
	ok(m.limit_hits == 5 && m.oom_kills == 3 && m.tasks == 17 && m.tasks_max == 0 && m.io.n == 1);
	file("memory.stat", "inactive_file 5000\n"); /* read a moment later than the usage */
	ok(stats_read("/pod", &u, NULL) && u.working_set_bytes == 0 && u.rss_bytes == 0);
}

static void this_machine(void)
{
	struct cgroup_config cfg = { "/crisp", "cgroupfs", NULL };
	struct usage_more m;
	struct usage u;
	struct err e;

	if (cgroup_open(&cfg, &e) < 0) {
		printf("ok %d # SKIP no cgroup\n", ++tap_n);
		return;
	}
	ok(stats_read("/", &u, &m));
	ok(!stats_read(missing("group"), &u, &m));
}

/* ---- a network namespace ---- */

static void inode_of(const char *path, char *out, size_t size)
{
	ssize_t n = readlink(path, out, size - 1);

	out[n < 0 ? 0 : n] = '\0';
}

/* A child's own namespace, which has no more interfaces than the test's. The point is that the test is back in its own
 * namespace afterwards. */
static void entered_and_left(void)
{
	char path[64], before[64], after[64];
	struct net_usage u[16];
	struct err e;
	pid_t pid;
	int n, hold[2];

	if (geteuid() != 0) {
		printf("ok %d # SKIP not root\n", ++tap_n);
		return;
	}
	ok(pipe2(hold, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		close(hold[0]);
		if (unshare(CLONE_NEWNET) == 0 && write(hold[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	ok(read(hold[0], path, 1) == 1);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	inode_of("/proc/thread-self/ns/net", before, sizeof(before));
	n = stats_net(path, u, 16, &e);
	inode_of("/proc/thread-self/ns/net", after, sizeof(after));
	ok(n >= 0);
	is_str(before, after);
	ok(stats_net(missing("netns"), u, 16, &e) < 0 && e.code == ERR_INTERNAL);
	ok(stats_net("/dev/null", u, 16, &e) < 0 && e.code == ERR_INTERNAL);
	kill(pid, SIGKILL);
	ok(waitpid(pid, NULL, 0) == pid);
}

static void open_files(void)
{
	struct open_files before = { .left = 1000 }, after = before, few = { .left = 1 }, none = before;
	int pair[2];

	ok(stats_files(getpid(), &before) && before.files >= 3);
	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	ok(stats_files(getpid(), &after) && after.files == before.files + 2 && after.sockets == before.sockets + 2);
	ok(!stats_files(getpid(), &few));
	ok(stats_files(1 << 30, &none) && none.files == 0);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	numbers();
	flat_keyed();
	pressure();
	io();
	more_devices_than_room();
	net_dev();
	rates();
	unified();
	this_machine();
	entered_and_left();
	open_files();
	return tap_end();
}
