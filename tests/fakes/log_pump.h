/* log_pump.h - a log pump that pumps nothing. Replaces procs/log_pump.o. */
#ifndef TESTS_FAKES_LOG_PUMP_H
#define TESTS_FAKES_LOG_PUMP_H

#include <stdbool.h>

extern int fake_pumps;          /* open ones */
extern bool fake_pump_refuses;  /* log_pump_open() fails */
extern int fake_pump_drain_ms;  /* how long draining takes */
int fake_pump_fifo(void);       /* read end of the stdout of the one opened last */

#endif
