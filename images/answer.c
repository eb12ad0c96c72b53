/* answer.c - see answer.h. */
#include "images/answer.h"

#include <inttypes.h>
#include <stdio.h>

int answer_print(const struct answer *a, const struct err *failed)
{
	if (failed)
		printf("error %s %s\n", err_name(failed->code), failed->msg);
	else
		printf("ok bytes=%" PRIu64 " inodes=%" PRIu64 " self_contained=%d finished=%d xattrs_left_out=%" PRIu64
		       "%s%s\n",
		       a->bytes, a->inodes, a->self_contained, a->finished, a->xattrs_left_out,
		       *a->digest ? " digest=" : "", a->digest);
	return fflush(stdout) == 0 && !failed ? 0 : 1;
}
