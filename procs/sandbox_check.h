/* sandbox_check.h - may a sandbox be made as asked? Everything that can be judged before anything is made.
 * Spec: CRI v1 api.proto, PodSandboxConfig, NamespaceOption, UserNamespace. */
#ifndef PROCS_SANDBOX_CHECK_H
#define PROCS_SANDBOX_CHECK_H

#include "procs/cri_config.h"
#include "reactor/err.h"

/* INVALID_ARGUMENT names the member that contradicts itself or the others; UNIMPLEMENTED: a user namespace. */
int sandbox_check(const struct sandbox_config *c, struct err *e);

#endif
