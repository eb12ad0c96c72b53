/* trim.h - gives memory back to the kernel that only the start, or work that is over, needed. */
#ifndef REACTOR_TRIM_H
#define REACTOR_TRIM_H

/* Drops the unmodified pages of program and libraries (the page cache keeps them; the next touch is a minor fault) and
 * returns free heap to the kernel. It takes about 2 ms, so it is for quiet moments. */
void trim_memory(void);

#endif
