/* fault.h - fault points: places where a test ends a program, stops it, or lets one system call fail.
 *
 * A point has a name of words with dots between them. It is passed at
 *   sm.MACHINE.FROM.TO                         each move of a state machine (sm.h)
 *   FILE.FUNCTION.CALL.before, ... .after      each effect outside of the process: EFFECT(call), below
 *   send.MESSAGE.before, send.MESSAGE.after    each message to another program of crisp's, and the work that one asks
 *   work.MESSAGE.before, work.MESSAGE.after    for: fault_at()
 * scripts/fault-points prints all points of the sources; scripts/check-faults fails for an effect that has none.
 *
 * The points are off unless the environment of the program has CRISP_FAULTS=DIR. That variable belongs to whoever
 * starts the daemons; no request and no file of another user can set it. The programs that have points hand it to each
 * other (fault_variable()); no other child gets it. DIR must belong to the user of the process, and no other user may
 * write to it.
 *
 *   DIR/PROGRAM.POINT   "N ACTION": the N-th pass of the point by that program acts, and the file is removed before
 *   DIR/hits            when it exists at the start: each pass appends "PROGRAM POINT"
 *
 *   kill WHO...         SIGKILL, in this order, to each WHO: a pid, or `self`. A pid is dead before the next WHO
 *   wait                DIR/waits is made, and the process goes on when the test has removed it, or after 5 s: for a
 *                       process of another PID namespace, where pids mean nothing
 *   stop                SIGSTOP to the process itself
 *   err NAME            the call is not made and fails with that errno (ENOSPC); for .before of an effect only
 * (ARCHITECTURE R50) */
#ifndef REACTOR_FAULT_H
#define REACTOR_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "reactor/err.h"

extern bool fault_on; /* set once, at the start */

/* Reads CRISP_FAULTS. Where it is set, a line on stderr says so, and another one each time that a point acts.
 * INVALID_ARGUMENT: the directory is not one that only this user can write to. */
int fault_open(const char *program, struct err *e);

void fault_quiet(void); /* no such lines from here on: stderr is not the program's own any more */

/* For the environment of a child that has points: "CRISP_FAULTS=DIR", static; NULL: they are off. */
const char *fault_variable(void);

/* close_range(2) from `first` to the last fd. Where the points are on, their two fds stay until execve(2). -1: errno */
int fault_close_from(unsigned first);

/* Passes the point whose name is these words, NULLs left out, with dots between them. true: the call is to fail, and
 * errno says why; else errno is as before. */
bool fault_pass(const char *const words[4]);

#define fault_words(...) ((const char *const[4]){ __VA_ARGS__ })
#define fault_fails(...) (__builtin_expect(fault_on, false) && fault_pass(fault_words(__VA_ARGS__)))
#define fault_at(...) ((void)fault_fails(__VA_ARGS__))

/* The same for an effect, before it (`after` false) or after it. call: its text. */
bool fault_pass_effect(const char *file, const char *function, const char *call, bool after);

/* The value of `call`, one system call whose value is -1 when it fails (errno), between its two points. */
#define EFFECT(call)                                                                                                \
	({                                                                                                          \
		__typeof__(call) effect_value_ = -1;                                                                \
		if (!__builtin_expect(fault_on, false) || !fault_pass_effect(__FILE__, __func__, #call, false)) {   \
			effect_value_ = (call);                                                                     \
			if (__builtin_expect(fault_on, false))                                                      \
				fault_pass_effect(__FILE__, __func__, #call, true);                                 \
		}                                                                                                   \
		effect_value_;                                                                                      \
	})

#endif
