/* create.h - CreateContainer, all but the image: the bundle on disk from a container object and a mounted rootfs.
 * Spec: CRI v1 RuntimeService.CreateContainer. Nothing here waits. create_undo() undoes it. */
#ifndef PROCS_CREATE_H
#define PROCS_CREATE_H

#include "procs/container.h"
#include "procs/spec.h"
#include "reactor/err.h"

/* <bundle>/rootfs, made before the snapshot is mounted there. */
int create_bundle(struct container *container, struct err *e);
/* Gives the bundle the mode that it has from create_bundle(): an earlier version made it open. INTERNAL. */
int create_close(const struct container *container, struct err *e);
/* Writes <bundle>/config.json; the record follows with container_list_it(). Errors: those of spec_make(). */
int create_config(struct container *container, const struct spec_image_volume *volumes, size_t n_volumes,
		  const char *node_name, struct err *e);
/* Removes the bundle; the rootfs was unmounted before. A missing bundle is success. INTERNAL: something is left. */
int create_undo(struct container *container, struct err *e);

#endif
