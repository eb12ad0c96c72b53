/* stats_text.h - parses the kernel's counters: cgroup files of v1 and v2, pressure files, /proc/net/dev.
 *
 * Unknown lines are skipped, and a missing value leaves its variable as it was: kernels add lines and leave lines
 * out. Specs: Documentation/admin-guide/cgroup-v1/memory.rst and blkio-controller.rst, cgroup-v2.rst,
 * accounting/psi.rst, proc_pid_net(5). */
#ifndef PROCS_STATS_TEXT_H
#define PROCS_STATS_TEXT_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "123\n"; "max\n" is UINT64_MAX. False: neither, and *out is unchanged. */
bool stats_number(const char *text, uint64_t *out);

/* Lines "name value": each name in `want` sets its value. */
struct stats_want {
	const char *name;
	uint64_t *value;
};
void stats_flat(const char *text, const struct stats_want *want, size_t n);

struct pressure_line {
	double avg10, avg60, avg300; /* per cent of the time */
	uint64_t total_us;
};
struct pressure {
	bool set; /* false: the kernel or the cgroup has no pressure file */
	struct pressure_line some, full;
};
void stats_pressure(const char *text, struct pressure *out);

struct io_device {
	unsigned major, minor;
	uint64_t read_bytes, write_bytes, reads, writes;
};
enum { IO_DEVICES_MAX = 16 };
struct io_devices {
	struct io_device at[IO_DEVICES_MAX]; /* further devices are left out */
	size_t n;
};
void stats_io_v2(const char *text, struct io_devices *out);                /* io.stat */
void stats_io_v1(const char *text, bool operations,
		 struct io_devices *out); /* blkio.throttle.io_serviced, or io_service_bytes */

struct net_usage {
	char name[IFNAMSIZ];
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped;
};
/* Without "lo", at most max. Returns their number. */
size_t stats_net_dev(const char *text, struct net_usage *out, size_t max);

#endif
