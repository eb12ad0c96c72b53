/* seccomp.h - private to handlers/nri/: a plugin's seccomp_policy as linux.seccomp of config.json. */
#ifndef HANDLERS_NRI_SECCOMP_H
#define HANDLERS_NRI_SECCOMP_H

#include "nri.pb-c.h"
#include "reactor/err.h"
#include "reactor/json.h"

/* A new reference; NULL: INVALID_ARGUMENT, what is no valid value. */
json_t *nri_seccomp(const Nri__LinuxSeccomp *in, struct err *e);

#endif
