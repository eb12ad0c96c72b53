/* no_core.c - see no_core.h. */
#include "reactor/no_core.h"

#include <stdlib.h>
#include <sys/prctl.h>

void no_core(struct rlimit *before)
{
	struct rlimit limit;

	/* Neither fails: the arguments are valid, and a soft limit may always be lowered. */
	if (getrlimit(RLIMIT_CORE, &limit) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		abort();
	if (before)
		*before = limit;
	/* The hard limit stays: a process without CAP_SYS_RESOURCE could not give it back to its children. */
	limit.rlim_cur = 0;
	if (setrlimit(RLIMIT_CORE, &limit) < 0)
		abort();
}
