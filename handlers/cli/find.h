/* find.h - finds the container, pod or image that a word of the command line names. */
#ifndef HANDLERS_CLI_FIND_H
#define HANDLERS_CLI_FIND_H

#include "api.pb-c.h"
#include "handlers/cli/call.h"

/* The word is an id, the unique start of an id, or a name. Of several objects with the name the only one that runs, or
 * is ready, is meant. A pod is also named NAMESPACE/POD; a container POD/CONTAINER, NAMESPACE/CONTAINER,
 * NAMESPACE/POD/CONTAINER, or NAMESPACE/POD where the pod has no other.
 * NULL with NOT_FOUND: no object; with INVALID_ARGUMENT: several objects, whose ids are in the message; other errors
 * are those of the call. Objects live in cli->arena. */
Runtime__V1__Container *cli_find_container(struct cli *cli, const char *word, struct err *e);
Runtime__V1__PodSandbox *cli_find_pod(struct cli *cli, const char *word, struct err *e);

/* The pod with this id; NULL: it is not in the list. `pods` may be NULL. */
const Runtime__V1__PodSandbox *cli_find_pod_of(const Runtime__V1__ListPodSandboxResponse *pods, const char *id);

/* The word is a name, a digest, an id or the unique start of an id. Errors as above. */
Runtime__V1__Image *cli_find_image(struct cli *cli, const char *word, struct err *e);

/* The name to print for an image: user_specified_image, else the first tag of the image with that id, else the id.
 * `images` may be NULL. */
const char *cli_find_image_name(const Runtime__V1__ListImagesResponse *images, const Runtime__V1__ImageSpec *spec,
				const char *id);

#endif
