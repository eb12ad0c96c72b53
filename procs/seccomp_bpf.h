/* seccomp_bpf.h - seccomp profiles compiled to BPF once, for runtimes that take a ready program (crun).
 *
 * crun compiles the profile of config.json at every start: 18 ms of CPU for the default one, where loading a ready
 * program takes less than one. A profile that is met for the first time is compiled by a child, crisp-seccomp; until
 * that is done, and for what it cannot compile, the runtime does it itself. Spec: crun(1), run.oci.seccomp_bpf_data. */
#ifndef PROCS_SECCOMP_BPF_H
#define PROCS_SECCOMP_BPF_H

#include "reactor/json.h"

/* Once at start. `program` is crisp-seccomp; it must outlive us. */
void seccomp_bpf_open(const char *program);

/* `profile` is linux.seccomp of a config.json. Base64 of an array of struct sock_filter, borrowed until the next
 * call; NULL: there is none (yet), and the first to ask begins to make it. */
const char *seccomp_bpf_base64(const json_t *profile);

#endif
