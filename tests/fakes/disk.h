/* disk.h - a disk that does not give a file. Replaces read(2), pread(2) and lstat(2) by --wrap (links.d/record.mk). */
#ifndef TESTS_FAKES_DISK_H
#define TESTS_FAKES_DISK_H

#include <stddef.h>

/* From now on these calls fail with `error` for each path that contains the word, or ends with it (WORD$); read(2)
 * and pread(2) behind the first `given` bytes of a file. error 0: the disk is whole again. */
void disk_fails(const char *word, int error, size_t given);

/* The next read(2) of such a path fails with EINTR. */
void disk_interrupts(const char *word);

#endif
