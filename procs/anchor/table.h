/* table.h - what the anchor keeps: fds by name, processes by id, and the last exits of other children. */
#ifndef PROCS_ANCHOR_TABLE_H
#define PROCS_ANCHOR_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs/anchor.h"

/* A channel that nobody of another user can reach may still belong to a program with a fault: the tables have a bound.
 * False: the bound is reached or memory is out; nothing is kept then. Each takes fd, which may be -1 for a process. */
bool table_hold(const char *name, int fd); /* an fd that is held under a name again keeps its number */
bool table_keep(const struct anchor_message *message, int fd);
void table_release(const char *name);
void table_forget(const char *id);

/* If the last of the exits of that pid is of a child that began at start_ticks or later, it is kept as id. */
void table_find(const char *id, pid_t pid, uint64_t start_ticks);

/* What the anchor knows of that process; false: nothing. */
bool table_ask(const char *id, struct anchor_message *out);

/* The number of a held fd in this process; -1: no such name is held. */
int table_where(const char *name);

/* A child was reaped. True: it is a kept one, and *out tells the keeper of it. Otherwise it is among the last exits. */
bool table_ended(pid_t pid, uint64_t start_ticks, int status, int64_t at_ns, struct anchor_message *out);

/* Is nothing held or kept? The exits of other children do not count. */
bool table_is_empty(void);

/* In the child that becomes the keeper: writes everything to `to`, and lets the fds outlive execve(2). -1: it cannot be
 * written. */
int table_hand_over(int to);

#endif
