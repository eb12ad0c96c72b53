/* trim.h - gives back memory that was needed once: at the start, or while something is over now. */
#ifndef REACTOR_TRIM_H
#define REACTOR_TRIM_H

/* Unmaps the pages of programs and libraries that are as they are on disk (the page cache keeps them; touching one
 * again is a minor fault) and returns free heap to the kernel. For quiet moments: about 2 ms. */
void trim_memory(void);

#endif
