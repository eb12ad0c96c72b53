/* log_pump.h - a log pump that pumps nothing. Replaces procs/log_pump.o. */
#ifndef TESTS_FAKES_LOG_PUMP_H
#define TESTS_FAKES_LOG_PUMP_H

#include <stdbool.h>
#include <stddef.h>

extern int fake_pumps;          /* open ones */
extern bool fake_pump_refuses;  /* log_pump_open() fails */
extern bool fake_pump_reopened; /* the keeper has the new file of log_pump_reopen() */
extern int fake_pump_undone;    /* log_pump_reopen_undo() calls */
extern int fake_pump_drain_ms;  /* how long draining takes */
extern size_t fake_pump_left;   /* bytes that the log refuses */
void fake_pump_says(bool is_stderr, const void *bytes, size_t n); /* to all that listen */
int fake_pump_readers(bool paused); /* how many listen, and are paused or not */
int fake_pump_fifo(void);       /* read end of the stdout of the one opened last */

#endif
