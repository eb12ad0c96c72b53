/* flight.c - see flight.h. */
#include "reactor/flight.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { SLOTS = FLIGHT_BYTES / FLIGHT_SLOT };

#define NUMBER_MAX (1ull << 62) /* a number above it is not one of flight_put() */

/* In front of each line, which ends with a NUL. */
struct flight_head {
	uint64_t sum; /* over all that follows, up to the line's end */
	uint64_t number;
	int64_t at_ns;
	uint64_t len; /* of the line with its NUL */
};

struct flight_record {
	struct flight_head head;
	char line[FLIGHT_LINE + 1];
};

_Static_assert(sizeof(struct flight_head) == 32, "the format of the file");
_Static_assert(sizeof(struct flight_record) <= 8 * FLIGHT_SLOT, "a line takes eight slots at most");

static uint8_t *map;      /* NULL: nothing is recorded */
static uint64_t upcoming; /* number of the next line */

/* Not a secret one: it is for torn lines, and only root writes the file. Eight bytes a step. */
static uint64_t flight_sum(const struct flight_record *r, size_t len)
{
	const uint8_t *at = (const uint8_t *)&r->head.number, *end = (const uint8_t *)r->line + len;
	uint64_t sum = 0x6372697370666c31; /* "crispfl1": another format gets another one */

	while (at < end) {
		uint64_t word = 0;

		memcpy(&word, at, end - at < 8 ? (size_t)(end - at) : 8);
		sum = (sum ^ word) * 0x9e3779b97f4a7c15;
		sum ^= sum >> 29;
		at += 8;
	}
	return sum;
}

static size_t flight_slots(uint64_t len)
{
	return (sizeof(struct flight_head) + len + FLIGHT_SLOT - 1) / FLIGHT_SLOT;
}

/* The first n bytes of what begins in this slot. */
static void flight_copy_out(const uint8_t *bytes, size_t size, size_t slot, void *out, size_t n)
{
	size_t at = slot * FLIGHT_SLOT, first = n < size - at ? n : size - at;

	memcpy(out, bytes + at, first);
	memcpy((uint8_t *)out + first, bytes, n - first);
}

static bool flight_head_at(const uint8_t *bytes, size_t size, size_t slot, struct flight_head *h)
{
	memcpy(h, bytes + slot * FLIGHT_SLOT, sizeof(*h));
	return h->len > 0 && h->len <= FLIGHT_LINE + 1 && h->number < NUMBER_MAX &&
	       h->number % (size / FLIGHT_SLOT) == slot && flight_slots(h->len) <= size / FLIGHT_SLOT;
}

static bool flight_record_at(const uint8_t *bytes, size_t size, size_t slot, struct flight_record *r)
{
	if (!flight_head_at(bytes, size, slot, &r->head))
		return false;
	flight_copy_out(bytes, size, slot, r, sizeof(r->head) + r->head.len);
	return flight_sum(r, r->head.len) == r->head.sum && strnlen(r->line, r->head.len) == r->head.len - 1;
}

/* The number behind the newest line; 0: there is no line. */
static uint64_t flight_end(const uint8_t *bytes, size_t size)
{
	struct flight_record r;
	struct flight_head h;
	uint64_t end = 0;

	for (size_t slot = 0; slot < size / FLIGHT_SLOT; slot++)
		if (flight_head_at(bytes, size, slot, &h) && h.number >= end &&
		    flight_record_at(bytes, size, slot, &r))
			end = r.head.number + flight_slots(r.head.len);
	return end;
}

static size_t flight_read_to(uint64_t end, const uint8_t *bytes, size_t size, flight_fn *fn, void *arg)
{
	size_t slots = size / FLIGHT_SLOT, found = 0;
	uint64_t number = end > slots ? end - slots : 0;
	struct flight_record r;

	while (number < end) {
		if (!flight_record_at(bytes, size, number % slots, &r) || r.head.number != number) {
			number++;
			continue;
		}
		fn(arg, r.head.at_ns, r.line);
		number += flight_slots(r.head.len);
		found++;
	}
	return found;
}

size_t flight_read(const uint8_t *bytes, size_t size, flight_fn *fn, void *arg)
{
	return flight_read_to(flight_end(bytes, size), bytes, size, fn, arg);
}

size_t flight_each(flight_fn *fn, void *arg)
{
	return map ? flight_read_to(upcoming, map, FLIGHT_BYTES, fn, arg) : 0;
}

void flight_put(int64_t at_ns, const char *line)
{
	struct flight_record r;
	size_t len = strnlen(line, FLIGHT_LINE), at = upcoming % SLOTS * FLIGHT_SLOT, n, first;

	if (!map)
		return;
	r.head = (struct flight_head){ .number = upcoming, .at_ns = at_ns, .len = len + 1 };
	memcpy(r.line, line, len);
	r.line[len] = '\0';
	r.head.sum = flight_sum(&r, len + 1);
	n = sizeof(r.head) + len + 1;
	first = n < FLIGHT_BYTES - at ? n : FLIGHT_BYTES - at;
	memcpy(map + at, &r, first);
	memcpy(map, (uint8_t *)&r + first, n - first);
	upcoming += flight_slots(len + 1);
}

/* ---- the file ---- */

/* All of its memory is taken now: where a tmpfs is full, a page that is first written later would be a SIGBUS. */
static int flight_make(const char *path, struct err *e)
{
	auto_fd int fd = -1;
	int error;

	if (EFFECT(unlink(path)) < 0 && errno != ENOENT)
		return err_os(e, ERR_INTERNAL, "replace %s", path);
	fd = EFFECT(open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "make %s", path);
	error = posix_fallocate(fd, 0, FLIGHT_BYTES);
	if (!error)
		return take_fd(&fd);
	errno = error;
	err_os(e, ERR_INTERNAL, "make %s of %d bytes", path, FLIGHT_BYTES);
	(void)EFFECT(unlink(path)); /* else of another size: the next start replaces it */
	return -1;
}

static int flight_map(int fd, const char *path, struct err *e)
{
	void *at = mmap(NULL, FLIGHT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return err_os(e, ERR_INTERNAL, "map %s", path);
	map = at;
	return 0;
}

void flight_close(void)
{
	if (map)
		munmap(take_ptr(&map), FLIGHT_BYTES);
}

static bool flight_is_blank(void)
{
	return !*map && memcmp(map, map + 1, FLIGHT_BYTES - 1) == 0;
}

/* true: the file is there, and is mapped. */
static bool flight_take_up(const char *path)
{
	auto_fd int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	struct err e;

	if (fd < 0 && errno == ENOENT)
		return false;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == FLIGHT_BYTES &&
	    st.st_blocks * 512 >= FLIGHT_BYTES && flight_map(fd, path, &e) == 0) {
		upcoming = flight_end(map, FLIGHT_BYTES);
		if (upcoming || flight_is_blank())
			return true;
		flight_close();
	}
	log_warn("flight_damaged file=%s action=\"started anew\"", log_quote(path));
	return false;
}

int flight_open(const char *path, struct err *e)
{
	auto_fd int fd = -1;

	if (flight_take_up(path))
		return 0;
	upcoming = 0;
	fd = flight_make(path, e);
	return fd < 0 ? -1 : flight_map(fd, path, e);
}
