/* unpack.h - layers unpacked in memory behind images/unpack.h: a "layer" is any bytes, its plain form is the same
 * bytes.
 *
 * A blob that begins with "raw" is not self-contained. Directories are made for real, with the blob in the file
 * `content`. */
#ifndef TESTS_UNPACK_H
#define TESTS_UNPACK_H

#include <stdbool.h>

#include "reactor/err.h"

extern bool fake_unpack_full;      /* feeds are refused until fake_unpack_space() */
extern enum err_code fake_unpack_error; /* the next unpacking ends with it and resets it */
extern int fake_unpack_running, fake_unpack_most, fake_unpack_started, fake_unpack_merges, fake_unpack_syncs,
	fake_unpack_removed;
extern const char *fake_unpack_root;

void fake_unpack_space(void);

#endif
