/* reopen.c - see reopen.h. */
#include "procs/reopen.h"

#include "procs/log_pump.h"
#include "reactor/log.h"

int reopen_log(struct container *c, struct err *e)
{
	if (c->state != CONTAINER_RUNNING || !c->log)
		return err_set(e, ERR_FAILED_PRECONDITION, "container %.12s is not running", c->id);
	if (log_pump_reopen(c->log, e) < 0)
		return err_wrap(e, "reopen log of container %.12s", c->id);
	log_info("log_reopened container=%.12s", c->id);
	return 0;
}
