/* program.h - children that end as the test says. Replaces reactor/child.o. */
#ifndef TESTS_FAKES_PROGRAM_H
#define TESTS_FAKES_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "reactor/child.h"

size_t program_running(void);               /* started and not ended */
const char *program_line(size_t i);         /* argv of the i-th running one, joined by blanks */
const struct child_spec *program_spec(size_t i); /* strings and arrays are still the caller's */

/* The oldest running child ends; status is as from waitpid(2). */
void program_exit(int status, const char *out, const char *err);
void program_error(enum err_code code, const char *text); /* it could not be run */
extern int program_cancels;

#endif
