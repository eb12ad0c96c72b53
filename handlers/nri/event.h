/* event.h - private to handlers/nri/: the names of events and of plugins. */
#ifndef HANDLERS_NRI_EVENT_H
#define HANDLERS_NRI_EVENT_H

#include <stdbool.h>

enum { NRI_NAME_MAX = 64 };

/* The method of the service Plugin by which it is told; NULL: there is no such event. */
const char *nri_event_method(int event);

enum { NRI_EVENTS = 14 };

bool nri_good_name(const char *name); /* of a plugin: letters, digits and -_.+ */
bool nri_good_idx(const char *idx);   /* two digits */

#endif
