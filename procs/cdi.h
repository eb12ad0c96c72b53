/* cdi.h - CDI: devices that a vendor describes in a file, as edits of a container.
 *
 * Spec: tags.cncf.io/container-device-interface, SPEC.md. Files named *.json in the spec directories; a device of a
 * later directory hides that of an earlier one, two of the same name in one directory are none. Files are read when a
 * container asks. */
#ifndef PROCS_CDI_H
#define PROCS_CDI_H

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/json.h"

void cdi_open(const struct strings *spec_dirs); /* borrowed for ever */

/* The devices ("vendor/class=name", each once) that a container asks for: those of the field, then those of its
 * annotations cdi.k8s.io/..., which are lists with commas. In the arena. INVALID_ARGUMENT names what is no device
 * name. */
int cdi_asked(const struct strings *field, const struct pairs *annotations, struct strings *out, struct arena *a,
	      struct err *e);

/* What they add, merged in their order: an object as CDI's containerEdits, in which every member is there. A new
 * reference;
 * NULL with INVALID_ARGUMENT: names the devices that are not to be had, and the files that could not be read. */
json_t *cdi_edits(const struct strings *devices, struct err *e);

/* The text of one file, checked: a new reference, or NULL with INTERNAL, which names what is wrong with it. */
json_t *cdi_parse(const char *text, size_t len, const char *what, struct err *e);

#endif
