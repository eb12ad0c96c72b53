/* cdi.h - CDI: devices that a vendor describes in a file, as edits of a container.
 *
 * Spec: tags.cncf.io/container-device-interface, SPEC.md. Files named *.json and *.yaml in the spec directories are
 * read when a container asks for a device. A device of a later directory hides the same device of an earlier one. A
 * device that one directory describes twice is not usable. */
#ifndef PROCS_CDI_H
#define PROCS_CDI_H

#include "reactor/lookup.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/json.h"

void cdi_open(const struct strings *spec_dirs); /* borrowed for ever */

/* The devices ("vendor/class=name", each once) that a container asks for: those of the field, then those of its
 * annotations cdi.k8s.io/..., which are lists with commas. In the arena. INVALID_ARGUMENT names a word that is not a
 * device's name. */
int cdi_asked(const struct strings *field, const struct pairs *annotations, struct strings *out, struct arena *arena,
	      struct err *e);

/* Adds the files that cdi_edits() reads. Where a spec directory is on a file system that may hang, its files are added
 * when lookup_start() has ended and this function is called again. */
void cdi_look(struct lookup *lookup);

/* The edits of the devices, merged in their order: an object as CDI's containerEdits with all members. A new reference;
 * NULL with INVALID_ARGUMENT, which names the devices that were not found and the files that could not be read. */
json_t *cdi_edits(struct lookup *lookup, const struct strings *devices, struct err *e);

enum cdi_form { CDI_JSON, CDI_YAML };

/* The text of one file, checked. A new reference, or NULL with INTERNAL, which names what is wrong. */
json_t *cdi_parse(const char *text, size_t len, const char *what, enum cdi_form form, struct err *e);

#endif
