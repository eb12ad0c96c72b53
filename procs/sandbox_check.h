/* sandbox_check.h - may a sandbox be made as requested? All checks that need nothing to be made first.
 * Spec: CRI v1 api.proto, PodSandboxConfig, NamespaceOption, UserNamespace. */
#ifndef PROCS_SANDBOX_CHECK_H
#define PROCS_SANDBOX_CHECK_H

#include "procs/cri_config.h"
#include "reactor/err.h"

/* INVALID_ARGUMENT: the text names the member that is wrong or contradicts another one. */
int sandbox_check(const struct sandbox_config *config, struct err *e);

#endif
