/* names.h - the messages of proto.h and procs/process.h as words, for fault points (reactor/fault.h). */
#ifndef PROCS_KEEPER_NAMES_H
#define PROCS_KEEPER_NAMES_H

#include <stddef.h>

#include "procs/keeper/proto.h"
#include "procs/process.h"

/* Static; "UNKNOWN" for a number that is no message. */
static inline const char *keeper_message_name(uint32_t type)
{
	static const char *const names[] = {
		[CHILD_SPAWN] = "SPAWN", [CHILD_KILL] = "KILL", [CHILD_AGAIN] = "AGAIN", [CHILD_STARTED] = "STARTED",
		[CHILD_WHO] = "WHO", [CHILD_PID] = "PID",
		[CHILD_EXITED] = "CHILD_EXITED", [CHILD_FAILED] = "FAILED", [KEEPER_HELLO] = "HELLO",
		[KEEPER_READY] = "READY", [KEEPER_HOLD] = "HOLD", [KEEPER_RELEASE] = "RELEASE",
		[KEEPER_RELEASE_ALL] = "RELEASE_ALL", [KEEPER_FORGET] = "FORGET", [KEEPER_NS_MAKE] = "NS_MAKE",
		[KEEPER_NS_DROP] = "NS_DROP", [KEEPER_NS_POOL] = "NS_POOL",
		[KEEPER_NS_POOLED] = "NS_POOLED", [KEEPER_KEPT] = "KEPT", [KEEPER_END] = "END",
		[KEEPER_WELCOME] = "WELCOME", [KEEPER_HELD] = "HELD", [KEEPER_HELD_AT] = "HELD_AT",
		[KEEPER_PLACE] = "PLACE", [KEEPER_WATCHDOG] = "WATCHDOG", [KEEPER_TURNS] = "TURNS",
		[KEEPER_PROBE] = "PROBE", [KEEPER_STOOD] = "STOOD",
		[KEEPER_EXITED] = "EXITED", [KEEPER_NS_DONE] = "NS_DONE", [PROCESS_ZYGOTE] = "PROCESS_ZYGOTE",
		[PROCESS_MAKE] = "PROCESS_MAKE", [PROCESS_KILL] = "PROCESS_KILL", [PROCESS_AGAIN] = "PROCESS_AGAIN",
		[PROCESS_STARTED] = "PROCESS_STARTED", [PROCESS_FAILED] = "PROCESS_FAILED",
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "UNKNOWN";
}

#endif
