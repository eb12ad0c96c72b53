/* probe.h - what a process sees of its confinement, as lines "key<TAB>value".
 *
 * The probe is a static program in the image of tests/system/oracle.t. It runs as a container's first process and as
 * an exec. A value that cannot be read is the name of the error, for example "EACCES". */
#ifndef TESTS_ORACLE_PROBE_H
#define TESTS_ORACLE_PROBE_H

#include <sys/types.h>

/* print.c: a line; bytes that are not printable are written as \xHH. */
void say(const char *key, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void say_errno(const char *key, int error); /* 0 is "ok" */
const char *error_name(int error);

/* Reads at most size - 1 bytes of a file and ends them with NUL. -1 with errno. */
ssize_t slurp(const char *path, char *text, size_t size);

/* proc.c: files of /proc/self, namespaces, file descriptors, mounts. */
void probe_proc(void);
/* calls.c: what only system calls tell (signals, terminal, prctl, keyring, working directory). */
void probe_process(void);
/* files.c: /dev, the root directory, sysctls, cgroup files, environment. */
void probe_files(char **env);
/* safe.c: system calls made for real, in a child each; the result is the error. */
void probe_safe_calls(void);

#endif
