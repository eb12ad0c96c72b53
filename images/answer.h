/* answer.h - the line by which a worker for files answers: crisp-unpack and crisp-tree print it, worker.c reads it.
 *
 *     ok bytes=N inodes=N self_contained=0|1 finished=0|1 xattrs_left_out=N[ digest=D]      exit status 0
 *     error CODE the reason                                                                 exit status 1 */
#ifndef IMAGES_ANSWER_H
#define IMAGES_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "images/digest.h"
#include "reactor/err.h"

struct answer {
	uint64_t bytes, inodes, xattrs_left_out;
	bool self_contained, finished;
	char digest[DIGEST_SIZE]; /* of the file that was read or written, or the sum of the layer (sum.h); "": none */
};

/* Prints it to stdout; `failed` is NULL after success. The exit status; 1 also when stdout takes nothing. */
int answer_print(const struct answer *a, const struct err *failed);

#endif
