/* seccomp_bpf.h - seccomp profiles compiled to BPF once, for runtimes that take a ready program (crun).
 *
 * crun compiles the profile of config.json at every start: 18 ms of CPU for the default profile, while loading a
 * ready program takes less than 1 ms. A child, crisp-seccomp, compiles each profile when it is first used. Until
 * that is done, and for a profile that crisp-seccomp cannot compile, the runtime compiles it itself. Spec: crun(1),
 * run.oci.seccomp_bpf_data. (ARCHITECTURE X12) */
#ifndef PROCS_SECCOMP_BPF_H
#define PROCS_SECCOMP_BPF_H

#include "reactor/err.h"
#include "reactor/json.h"
#include "reactor/list.h"

/* Once at start. `program` is the path of crisp-seccomp, borrowed for ever. */
void seccomp_bpf_open(const char *program);

/* `profile` is linux.seccomp of a config.json. Base64 of an array of struct sock_filter, borrowed until the next
 * call; NULL: not compiled (yet). The first call for a profile begins to compile it. */
const char *seccomp_bpf_base64(const json_t *profile);

/* For a runtime that takes the program only. fn runs once, in a later turn, when the compilation of the profile has
 * ended; list_drop(&wait->link) takes the waiter away before. False: it is not under way. */
struct seccomp_wait {
	struct link link;
	void (*fn)(struct seccomp_wait *wait);
};
bool seccomp_bpf_wait(const json_t *profile, struct seccomp_wait *wait, void (*fn)(struct seccomp_wait *wait));

/* Why there is no program: INTERNAL with the words of crisp-seccomp, or UNAVAILABLE when it could not be run. */
int seccomp_bpf_why(const json_t *profile, struct err *e);

#endif
