/* zygote.h - private to crisp-zygote: one process on its way from clone3(2) to execve(2).
 *
 * Every step ends the process when it fails: born_fail() tells the keeper why. Nothing allocates. */
#ifndef PROCS_ZYGOTE_ZYGOTE_H
#define PROCS_ZYGOTE_ZYGOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs/plan.h"

struct born {
	struct plan *plan;   /* checked, mapped privately */
	struct plan *words;  /* the plan with the process's args: of a further process another one than `plan` */
	int fds[ZYGOTE_FDS]; /* -1: not there */
	int host, tiny;      /* mount namespaces: the host's, and the zygote's own with nothing in it */
	int proc;            /* a procfs of the zygote's own, not attached anywhere */
	int root;            /* the container's root directory, once it is ours */
	int null;            /* the container's /dev/null, seen to be the null device; -1: not opened yet */
	int terminal;        /* the container's end of its terminal; -1: none */
	int pid_namespace;   /* to join before the last clone; -1: none */
	unsigned borns;      /* how often it has told of itself */
};

/* "words: reason" with the reason of errno, in the words of Go's runtime, which users of runc know. */
_Noreturn void born_fail(const struct born *born, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Without the reason. */
_Noreturn void born_refuse(const struct born *born, const char *format, ...) __attribute__((format(printf, 2, 3)));
void born_tell(const struct born *born, char kind);

/* main.c: the child of the child. The parent is the keeper for both; the caller goes on as the new process and its old
 * self ends. */
void born_again(struct born *born);
void born_wait_to_go(const struct born *born);
/* The death signal, and a look whether the keeper is there: its signal does not come when it died before. */
void born_begin(struct born *born);

/* host.c: in the host's mount namespace. */
void host_steps(struct born *born);

/* tree.c: the container's root and everything below it. */
void tree_enter(struct born *born);  /* pivot_root(2): from here on no path leads out of the container */
void tree_mounts(struct born *born);
void tree_devices(struct born *born);
void tree_finish(struct born *born); /* read-only ones, masks */

/* console.c */
void console_make(struct born *born);
int null_open(struct born *born);

/* become.c: limits, rights, user, program. */
_Noreturn void become(struct born *born);
void become_keyring(const struct born *born);

/* place.c: paths below the container's root. No symbolic link leads out, and no magic link is followed. */
int place_open(int root, const char *path, int flags);          /* -1 with errno */
int place_open_plain(int root, const char *path, int flags);    /* no symbolic link at all */
int place_make_dir(int root, const char *path, mode_t mode);    /* an fd; with its parents */
int place_make_file(int root, const char *path);                /* an fd, O_PATH */
int place_make_parent(int root, const char *path, char name[256]); /* the directory, and the last element */

#endif
