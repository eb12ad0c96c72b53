/* kept_reports.h - between keeper.c, which has the channel, and the reports of kept processes behind keeper.h. */
#ifndef PROCS_KEPT_REPORTS_H
#define PROCS_KEPT_REPORTS_H

#include <stdbool.h>

#include "procs/keeper.h"
#include "reactor/imsg.h"

/* The messages that keeper.c sends for it. */
struct reports_hooks {
	void (*tell)(const struct kept_report *report);
	void (*forget)(const char *id);
};
void reports_listen(const struct reports_hooks *hooks); /* before anything else; borrowed for ever */

void reports_take(struct imsg *message, bool exited); /* KEEPER_KEPT, KEEPER_EXITED */
void reports_hand_over(void);                         /* to a keeper that has just been greeted */

#endif
