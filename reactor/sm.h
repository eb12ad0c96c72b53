/* sm.h - what all state machines have in common: a table of legal moves, a name, a trace line and a fault point
 * (fault.h) for each move. */
#ifndef REACTOR_SM_H
#define REACTOR_SM_H

#include <assert.h>
#include <stdint.h>

#define TO(s) (1u << (s))

struct sm_state {
	const char *name;
	uint32_t next; /* bit n: a move to state n is legal; 0: final */
};

struct sm {
	const struct sm_state *states;
	const char *what; /* the machine's name: "stop"; static */
	const char *id;   /* the object's id, borrowed, or ""; its first 12 characters are printed */
	int now;
};

/* One debug line: `sm stop=3f2a8c.. from=TERM to=KILL`. */
void sm_trace(const struct sm *machine, int to);

static inline void sm_move(struct sm *machine, int to)
{
	assert(machine->states[machine->now].next & TO(to));
	sm_trace(machine, to);
	machine->now = to;
}

#endif
