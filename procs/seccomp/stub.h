/* stub.h - what stands before the filter of a profile: a system call that is newer than the profile fails with ENOSYS.
 *
 * A profile that refuses what it does not name answers EPERM to calls of later kernels, and a libc that tries such a
 * call and has another way takes EPERM for an answer. So for each architecture a number above the largest one that the
 * profile names is ENOSYS. runc does the same (libcontainer/seccomp/patchbpf), libseccomp and crun do not.
 * (ARCHITECTURE N8) */
#ifndef PROCS_SECCOMP_STUB_H
#define PROCS_SECCOMP_STUB_H

#include <linux/filter.h>

#include "reactor/json.h"

enum { SECCOMP_STUB_MAX = 256 };

/* The instructions, which go before those of the filter; 0: the profile needs none. */
size_t seccomp_stub(const json_t *profile, struct sock_filter out[SECCOMP_STUB_MAX]);

#endif
