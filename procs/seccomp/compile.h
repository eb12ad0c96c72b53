/* compile.h - compiles linux.seccomp of a config.json to a BPF program by libseccomp, as crun and runc do.
 *
 * Spec: OCI runtime-spec config-linux.md "Seccomp". System calls that libseccomp does not know are left out, as the
 * runtimes do. */
#ifndef PROCS_SECCOMP_COMPILE_H
#define PROCS_SECCOMP_COMPILE_H

#include "reactor/err.h"
#include "reactor/json.h"

/* A memfd with the array of struct sock_filter, owned by the caller. INVALID_ARGUMENT: the profile has something
 * unknown, or something that a program alone cannot do (a listener), so the runtime must compile it; INTERNAL:
 * libseccomp failed. */
int seccomp_bpf_compile(const json_t *profile, struct err *e);

#endif
