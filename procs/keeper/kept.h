/* kept.h - processes watched under an id until they are forgotten, and how they ended. */
#ifndef PROCS_KEEPER_KEPT_H
#define PROCS_KEEPER_KEPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "reactor/imsg.h"

/* Each replaces an ended one of the same id, and tells crispd. */
void kept_child(const char *id, pid_t pid);              /* an unreaped child of ours */
void kept_foreign(const char *id, pid_t pid, int pidfd); /* another's child; takes pidfd */
void kept_ended(const char *id, pid_t pid, int status, int64_t at_ns);

bool kept_alive(const char *id);
void kept_forget(const char *id);
void kept_from_survivor(struct imsg *m); /* KEEPER_KEPT; its pidfd is taken */
void kept_tell_all(void);

#endif
