/* apparmor.h - AppArmor on this host: the profiles that the kernel has, and crisp's default profile.
 *
 * Specs: kernel Documentation/admin-guide/LSM/apparmor.rst; apparmor.d(5), apparmor_parser(8). */
#ifndef PROCS_APPARMOR_H
#define PROCS_APPARMOR_H

#include <stdbool.h>

#include "reactor/err.h"

#define APPARMOR_DEFAULT "crisp-default" /* for RuntimeDefault, and for a container that names no profile */

struct apparmor_config { /* borrowed for ever; NULL: the path behind the member */
	const char *enabled;  /* "/sys/module/apparmor/parameters/enabled" */
	const char *profiles; /* "/sys/kernel/security/apparmor/profiles" */
	const char *parser;   /* the first of /sbin/apparmor_parser and /usr/sbin/apparmor_parser */
};

/* Where the host has AppArmor and the parser, the parser loads the default profile as a child; elsewhere there is no
 * default profile. `done` runs exactly once, never inside the call. A failure is logged; containers that get the
 * default profile are refused then, until it is loaded. */
void apparmor_open(const struct apparmor_config *config, void (*done)(void *arg), void *arg);
void apparmor_close(void); /* `done` never runs */

bool apparmor_enabled(void);             /* the kernel has AppArmor, and it is enabled */
bool apparmor_loaded(const char *name);  /* the kernel has this profile now, whoever loaded it */

/* A container that names no profile gets the default profile. False: it gets none, because this host has no AppArmor or
 * no parser. */
bool apparmor_default(void);

#endif
