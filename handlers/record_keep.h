/* record_keep.h - has records synced by a child, a second after they were written. (ARCHITECTURE R71) */
#ifndef HANDLERS_RECORD_KEEP_H
#define HANDLERS_RECORD_KEEP_H

void record_keep_open(void); /* once, before a record is read or written */

#endif
