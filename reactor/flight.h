/* flight.h - the flight recorder: the last lines of what was done, in a file of one size that outlives this process.
 *
 * The file is mapped: a line is a copy into memory, without a system call, and a kill -9 at any instruction loses the
 * line that is being written and no other. A reader, and the next process, take any bytes in it: a line is used when
 * its sum over all its bytes is right. It is for tmpfs: nothing is synced, and a power cut may lose it. (ARCHITECTURE
 * R110)
 *
 * Format: slots of FLIGHT_SLOT bytes. A line takes as many of them as it needs, one after the other, and goes on in
 * slot 0 behind the last one. Its number counts slots from the first line on, so number modulo slots is the place of a
 * line, and the newest FLIGHT_BYTES / FLIGHT_SLOT numbers are those that are there. */
#ifndef REACTOR_FLIGHT_H
#define REACTOR_FLIGHT_H

#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

enum {
	FLIGHT_BYTES = 2 << 20, /* of the file: some 8000 lines */
	FLIGHT_SLOT = 256,
	FLIGHT_LINE = 1984,     /* bytes of a line; what is longer is cut */
};

/* Maps the file, or makes it. A file of another size, of another kind, or without one good line is replaced, which is
 * logged. INTERNAL: it cannot be made; then nothing is recorded. */
int flight_open(const char *path, struct err *e);
void flight_close(void); /* the file stays */

/* at_ns: CLOCK_REALTIME. Harmless before flight_open() and after flight_close(). */
void flight_put(int64_t at_ns, const char *line);

/* The lines, oldest first; fn must not call flight_put(). Also of other bytes of a file: `size` is a multiple of
 * FLIGHT_SLOT. The result is the number of lines. */
typedef void flight_fn(void *arg, int64_t at_ns, const char *line);
size_t flight_each(flight_fn *fn, void *arg);
size_t flight_read(const uint8_t *bytes, size_t size, flight_fn *fn, void *arg);

#endif
