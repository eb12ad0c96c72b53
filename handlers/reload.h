/* reload.h - SIGHUP: a new configuration needs a new crispd, and it comes only when the new one would get READY. */
#ifndef HANDLERS_RELOAD_H
#define HANDLERS_RELOAD_H

#include "handlers/config.h"

struct reload_config {
	const char *crispd; /* the program that would run: an upgrade may have brought another one */
	const char *file;   /* NULL: no file, so nothing can be bad */
	const char *ready;  /* of ready_config_path() */
	void (*go)(void);   /* this crispd is to end */
};
void reload_open(const struct reload_config *config); /* borrowed for ever */

/* The file is checked by a child, `crispd --check`, which has 10 s: TLS files or a file system that hangs must not hold
 * the loop. A bad configuration is a line reload_refused of the log, and the condition ConfigurationUsed of Status. A
 * further call begins again. */
void reload_start(void);

#endif
