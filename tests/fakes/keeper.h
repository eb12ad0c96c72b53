/* keeper.h - a keeper that does as the test says. Replaces procs/keeper.o. */
#ifndef TESTS_FAKES_KEEPER_H
#define TESTS_FAKES_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "reactor/err.h"

/* a process is kept, as after a runtime's `run`; pidfd is borrowed */
void fake_keep(const char *id, pid_t pid, int pidfd);
void fake_exit(const char *id, int status);            /* it ended: the watchers hear of it next turn */
bool fake_forgotten(const char *id);                   /* keeper_ask_forget() was called and it is not known */
extern int fake_holds;                                 /* names held */
extern int fake_forgets;                               /* keeper_ask_forget() calls */
void fake_keeper_reset(void);
extern unsigned fake_deaths;                           /* keeper_deaths() */
extern bool fake_no_fds;                               /* keeper_ask_hold() finds no descriptor */
/* Away: it reads nothing, until fake_keeper_reads() reads all once. Both die: crispd finds what the keeper had read. */
extern bool fake_away;
void fake_keeper_reads(void);
void fake_both_die(void);
/* the answer to the oldest keeper_namespaces(), which was asked */
void fake_namespaces(enum err_code code);

#endif
