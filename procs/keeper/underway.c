/* underway.c - see underway.h. */
#include "procs/keeper/underway.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/pidstat.h"
#include "reactor/boot.h"
#include "reactor/clock.h"
#include "reactor/log.h"
#include "reactor/own.h"

/* Far more children than a node runs at once; what is beyond is not written down. */
enum { SLOTS_MAX = 16384, NS_PER_S = 1000000000 };

static int file = -1;
static struct underway *slots; /* owned; a copy of the file, of which nslots are there */
static int nslots, first_free;

/* The first slot of the file tells the boot. */
static off_t place_of(int slot)
{
	return (off_t)(slot + 1) * (off_t)sizeof(struct underway);
}

/* All but `went`. */
static bool slot_write(int slot, const struct underway *u)
{
	const ssize_t n = offsetof(struct underway, went);

	return pwrite(file, u, (size_t)n, place_of(slot)) == n;
}

static off_t place_of_went(int slot)
{
	return place_of(slot) + (off_t)offsetof(struct underway, went);
}

void underway_child_goes(int slot)
{
	const uint32_t went = 1;

	if (slot >= 0 && pwrite(file, &went, sizeof(went), place_of_went(slot)) < 0) {
		/* Nobody is there to hear it. A page of the file that is there can be written. */
	}
}

bool underway_went(int slot)
{
	uint32_t went;

	return slot < 0 || pread(file, &went, sizeof(went), place_of_went(slot)) != sizeof(went) || went;
}

static void slots_grow(int n)
{
	slots = own_must(realloc(slots, (size_t)n * sizeof(*slots)));
	memset(slots + nslots, 0, (size_t)(n - nslots) * sizeof(*slots));
	nslots = n;
}

static bool slot_is_sound(const struct underway *u)
{
	return (u->kind == UNDERWAY_JOB || u->kind == UNDERWAY_BIRTH) && u->pid >= 0 && u->begun_ns >= 0 &&
	       u->born_ns >= u->begun_ns && memchr(u->keep_id, '\0', sizeof(u->keep_id)) &&
	       memchr(u->pidfile, '\0', sizeof(u->pidfile)) && (u->pid > 1 || u->kind == UNDERWAY_BIRTH);
}

static int underway_read(const char *path, struct err *e)
{
	struct underway u, boot = { 0 };
	ssize_t n = pread(file, &u, sizeof(u), 0);

	snprintf(boot.keep_id, sizeof(boot.keep_id), "%s", boot_id());
	if (n < 0 || !*boot.keep_id)
		return err_os(e, ERR_INTERNAL, "read %s", n < 0 ? path : "the id of this boot");
	if (n == sizeof(u) && memcmp(&u, &boot, sizeof(u)) == 0) {
		for (int i = 0; i < SLOTS_MAX && (n = pread(file, &u, sizeof(u), place_of(i))) == sizeof(u); i++) {
			slots_grow(i + 1);
			if (slot_is_sound(&u))
				slots[i] = u;
		}
		return n < 0 ? err_os(e, ERR_INTERNAL, "read %s", path) : 0;
	}
	if (ftruncate(file, 0) < 0 || pwrite(file, &boot, sizeof(boot), 0) != sizeof(boot))
		return err_os(e, ERR_INTERNAL, "write %s", path);
	return 0;
}

int underway_open(const char *state, struct err *e)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/keeper.underway", state);
	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	return file < 0 ? err_os(e, ERR_INTERNAL, "open %s", path) : underway_read(path, e);
}

void underway_each(void (*fn)(int slot, const struct underway *left))
{
	for (int i = 0, n = nslots; i < n; i++)
		if (slots[i].kind != UNDERWAY_NONE)
			fn(i, &slots[i]);
}

const struct underway *underway_at(int slot)
{
	return slot >= 0 && slot < nslots && slots[slot].kind != UNDERWAY_NONE ? &slots[slot] : NULL;
}

int64_t underway_now_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

static int slot_free(void)
{
	for (; first_free < nslots; first_free++)
		if (slots[first_free].kind == UNDERWAY_NONE)
			return first_free;
	if (nslots < SLOTS_MAX)
		slots_grow(nslots + 1);
	return first_free < nslots ? first_free : -1;
}

int underway_add(enum underway_kind kind, uint64_t tag, uint32_t bits, const char *keep_id, const char *pidfile,
		 pid_t pid, int64_t begun_ns)
{
	struct underway u = { .kind = kind, .tag = tag, .bits = bits, .pid = pid, .begun_ns = begun_ns };
	int slot = slot_free();

	if (slot < 0 || (keep_id && strlen(keep_id) >= sizeof(u.keep_id)) ||
	    (pidfile && strlen(pidfile) >= sizeof(u.pidfile)))
		return -1;
	u.born_ns = pid ? underway_now_ns() : begun_ns;
	memcpy(u.keep_id, keep_id ? keep_id : "", strlen(keep_id ? keep_id : ""));
	memcpy(u.pidfile, pidfile ? pidfile : "", strlen(pidfile ? pidfile : ""));
	if (pwrite(file, &u, sizeof(u), place_of(slot)) != sizeof(u)) {
		log_warn("underway error=%s effect=\"a child dies with this keeper\"", log_quote(strerror(errno)));
		return -1;
	}
	slots[slot] = u;
	return slot;
}

bool underway_set_pid(int slot, pid_t pid)
{
	if (slot < 0)
		return false;
	slots[slot].pid = pid;
	slots[slot].borns++;
	slots[slot].born_ns = underway_now_ns();
	return slot_write(slot, &slots[slot]);
}

void underway_set_bits(int slot, uint32_t bits)
{
	if (slot < 0)
		return;
	slots[slot].bits |= bits;
	(void)slot_write(slot, &slots[slot]); /* a slot that is there can be written */
}

void underway_set_tag(int slot, uint64_t tag)
{
	if (slot < 0)
		return;
	slots[slot].tag = tag;
	(void)slot_write(slot, &slots[slot]);
}

void underway_drop(int slot)
{
	if (slot < 0)
		return;
	slots[slot] = (struct underway){ 0 };
	(void)slot_write(slot, &slots[slot]);
	if (slot < first_free)
		first_free = slot;
}

static int64_t ticks_at(int64_t ns)
{
	static int64_t ns_per_tick;

	if (!ns_per_tick)
		ns_per_tick = NS_PER_S / sysconf(_SC_CLK_TCK);
	return ns / ns_per_tick;
}

uint64_t underway_ticks(const struct underway *u)
{
	return (uint64_t)ticks_at(u->begun_ns);
}

int underway_open_pid(const struct underway *u)
{
	auto_fd int pidfd = u->pid ? (int)syscall(SYS_pidfd_open, u->pid, 0) : -1;
	struct pidstat now;

	/* Read behind the pidfd: a process that has the pid by now began after the other one. */
	if (pidfd < 0 || !pidstat_read(u->pid, &now) || now.start_ticks < ticks_at(u->begun_ns) ||
	    now.start_ticks > ticks_at(u->born_ns))
		return -1;
	return take_fd(&pidfd);
}
