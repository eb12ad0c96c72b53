/* hold.h - the fds that the keeper holds by name, so that they outlive crispd. crispd's end is procs/keeper.h. */
#ifndef PROCS_KEEPER_HOLD_H
#define PROCS_KEEPER_HOLD_H

void hold(const char *name, int fd); /* takes fd; an older fd of that name is closed */
void hold_again(const char *name, int fd); /* for an fd that the service manager gave back; it keeps its own copy */
void hold_release(const char *name);
void hold_release_all(const char *prefix);
void hold_each(void (*fn)(const char *name, int fd));

#endif
