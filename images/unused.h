/* unused.h - a bell: something on disk may have lost its last user.
 *
 * Whoever drops a reference to a layer, blob or partial download rings; gc.c listens. The bell stands between them, so
 * that the tables of images and snapshots do not depend on the collector that reads these tables. */
#ifndef IMAGES_UNUSED_H
#define IMAGES_UNUSED_H

void unused_ring(void);
void unused_on_ring(void (*fn)(void)); /* the one listener; it is called inside unused_ring() */

#endif
