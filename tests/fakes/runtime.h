/* runtime.h - a runtime that answers as the test says, cgroups that only note the calls, and a container for both.
 * Replaces procs/runtime.o, oci/ops.o, cgroup*.o, create.o, join.o and spec.o. */
#ifndef TESTS_FAKES_RUNTIME_H
#define TESTS_FAKES_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "procs/container.h"

/* "run delete exec update kill rmdir undo unmount pause checkpoint resume restore cancel ", in their order */
extern char fake_calls[1024];
extern char fake_update[512];    /* the limits of the last update */
extern char fake_images[512];    /* where the last checkpoint or restore has CRIU's images */
extern enum err_code fake_joins; /* what join_again() says; OK: with an fd of /dev/null, fake_joined */
extern int fake_joined;
extern bool fake_join_gone; /* what join_is_gone() says */
extern int64_t fake_oom_kills;   /* what cgroup_oom_kills() says */
extern bool fake_group_busy;     /* cgroup_remove_wait() waits for fake_group_goes() */
void fake_group_goes(void);
extern unsigned fake_traits;     /* what runtime_traits() says */
/* The runtime_wait() under way ends: the container has ended with that status, or nobody can tell. "wait" is noted. */
void fake_waited(enum err_code code, int status);
void fake_exec_waited(enum err_code code, int status); /* the same of runtime_exec_wait(), "exec_wait" */
extern bool fake_knows;          /* what runtime_knows() says, */
extern bool fake_has_not_run;    /* and runtime_may_have_run(), but for this */
extern int fake_taken_up;        /* the pid that runtime_take_up() tells; 0: false */
extern char fake_exec_keep_id[80];
extern int fake_exec_out;        /* a duplicate of the exec's stdout; -1 once closed */
extern int fake_exec_in, fake_exec_err; /* the same for stdin and stderr; -1: /dev/null */
extern char fake_exec_console[128];     /* where the exec's terminal is to be sent, or "" */

bool fake_runtime_pending(void);  /* an operation waits for its answer */
/* The operation succeeds. run and exec: their process is kept, with a real pidfd when pid > 0. */
void fake_runtime_ok(int pid);
void fake_runtime_fail(enum err_code code, const char *words);

/* A container in state CREATED of a READY sandbox, all of it below world_dir(). */
struct container *fake_container(void);
struct container *fake_running(int pid); /* started, by start_start() */

#endif
