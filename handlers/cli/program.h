/* program.h - programs of the node. */
#ifndef HANDLERS_CLI_PROGRAM_H
#define HANDLERS_CLI_PROGRAM_H

#include "reactor/arena.h"

/* The path of a program in the directories that a PATH has, in the arena. NULL: there is none. */
const char *cli_program(struct arena *arena, const char *name);

#endif
