/* compile.h - linux.seccomp of a config.json as a BPF program, by libseccomp, as crun and runc build it.
 *
 * Spec: OCI runtime-spec config-linux.md "Seccomp". System calls that libseccomp does not know are left out, as the
 * runtimes do. */
#ifndef PROCS_SECCOMP_COMPILE_H
#define PROCS_SECCOMP_COMPILE_H

#include "reactor/err.h"
#include "reactor/json.h"

/* A memfd with the array of struct sock_filter, owned by the caller. INVALID_ARGUMENT: something in it is not
 * understood or needs more than a program (a listener), so the runtime must do it; INTERNAL: libseccomp failed. */
int seccomp_bpf_compile(const json_t *profile, struct err *e);

#endif
