/* find.h - which container, pod or image a word on the command line means. */
#ifndef HANDLERS_CLI_FIND_H
#define HANDLERS_CLI_FIND_H

#include "api.pb-c.h"
#include "handlers/cli/call.h"

/* By whole id, unique start of an id, or name. *out NULL with NOT_FOUND: there is none; with INVALID_ARGUMENT: several,
 * with their ids; other errors are those of the call. The objects live in c->arena. */
Runtime__V1__Container *cli_find_container(struct cli *c, const char *word, struct err *e);
Runtime__V1__PodSandbox *cli_find_pod(struct cli *c, const char *word, struct err *e);

/* By name, digest, id or start of an id. */
Runtime__V1__Image *cli_find_image(struct cli *c, const char *word, struct err *e);

/* The name people know it by: user_specified_image, else the first tag of what the id stands for, else the id. images
 * may be NULL. */
const char *cli_find_image_name(const Runtime__V1__ListImagesResponse *images, const Runtime__V1__ImageSpec *spec,
				const char *id);

#endif
