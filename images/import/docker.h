/* docker.h - manifest.json of `docker save`, for layout.c: [{"Config": PATH, "RepoTags": [..], "Layers": [PATH..]}].
 *
 * The layers are plain tars, or compressed ones (go-containerregistry, kaniko); paths may lead over symbolic links in
 * the archive (Docker up to 24, skopeo). */
#ifndef IMAGES_IMPORT_DOCKER_H
#define IMAGES_IMPORT_DOCKER_H

#include "images/import/layout.h"

/* The parts of layout_read(), layout_step(), layout_finish() and layout_close() for this format. dir and base are
 * borrowed until docker_close(). */
int docker_read(struct layout *layout, const char *dir, const char *base, struct arena *arena, struct err *e);
int docker_step(struct layout *layout, struct arena *arena, struct err *e);
int docker_finish(struct layout *layout, struct arena *arena, struct err *e);
void docker_close(struct layout *layout);

#endif
