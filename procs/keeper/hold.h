/* hold.h - fds held by name, so that they outlive crispd. */
#ifndef PROCS_KEEPER_HOLD_H
#define PROCS_KEEPER_HOLD_H

void hold(const char *name, int fd); /* takes fd; an older one of that name is closed */
void hold_again(const char *name, int fd); /* the service manager gave it back, and goes on keeping its own copy */
void hold_release(const char *name);
void hold_release_all(const char *prefix);
void hold_each(void (*fn)(const char *name, int fd));

#endif
