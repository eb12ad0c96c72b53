/* sm.c - see sm.h. */
#include "reactor/sm.h"

#include "reactor/fault.h"
#include "reactor/log.h"

void sm_trace(const struct sm *m, int to)
{
	log_debug("sm %s=%.12s from=%s to=%s", m->what, m->id ? m->id : "", m->states[m->now].name, m->states[to].name);
	fault_at("sm", m->what, m->states[m->now].name, m->states[to].name);
}
