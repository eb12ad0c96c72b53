/* terminal.h - the terminal of stdin and stdout: raw mode, and its size. */
#ifndef HANDLERS_CLI_TERMINAL_H
#define HANDLERS_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

/* Each key goes to the container as it is, ^C and ^Z too. No effect when stdin is no terminal. */
void cli_terminal_raw(void);
void cli_terminal_restore(void); /* harmless when it is not raw */

/* false: neither stdin nor stdout is a terminal, or its size is not known. */
bool cli_terminal_size(uint16_t *width, uint16_t *height);

#endif
