/* sum.h - the sum of a layer directory: whether its files are still those that were unpacked.
 *
 * It is the sha256 of one line for each file, in the order of the names' bytes: path, type, mode, owner, size, device
 * numbers, a link's target, the extended attributes that crisp keeps, and the CRC-64 of the content. Times and SELinux
 * labels are not in it. Blocks of zeros count like holes, and a file with several names is read once. It finds what a
 * disk or a hand changed; it is no proof against an attacker, who could write the record too. (ARCHITECTURE I63) */
#ifndef IMAGES_UNPACK_SUM_H
#define IMAGES_UNPACK_SUM_H

#include <stdbool.h>

#include "images/digest.h"
#include "images/unpack/contents.h"
#include "reactor/err.h"

/* fd: the directory. cold: what is read comes from the disk, not from the page cache, and leaves the cache afterwards.
 * known: NULL, or a sorted table of files whose content is not read. The sum is the same with and without it.
 * The working directory is another one meanwhile.
 * Both errors name the file. DATA_LOSS: the disk cannot read it, or it went meanwhile; INTERNAL: any other failure. */
int sum_tree(int fd, bool cold, const struct contents *known, char out[DIGEST_SIZE], struct err *e);

#endif
