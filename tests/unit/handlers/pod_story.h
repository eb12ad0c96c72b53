/* pod_story.h - a container of the pod shop/web-0, of the image docker.io/x/y:1, for tests of what names an object. */
#ifndef TESTS_UNIT_HANDLERS_POD_STORY_H
#define TESTS_UNIT_HANDLERS_POD_STORY_H

#include <stdio.h>
#include <sys/stat.h>

#include "procs/container.h"
#include "tests/fakes/world.h"

/* Opens sandboxes and containers below world_dir(). */
static inline struct container *container_of_pod(const char *name)
{
	static struct sandboxes_config where;
	static char root[300];
	struct sandbox_config pod;
	struct container_config config;
	struct container_image image = { .id = "sha256:1", .ref = "r", .name = "docker.io/x/y:1" };

	snprintf(root, sizeof(root), "%s/root", world_dir());
	mkdir(root, 0700);
	where = (struct sandboxes_config){ root, root, "" };
	sandboxes_open(&where);
	containers_open(root, root);
	fields_zero(sandbox_config_fields, &pod);
	fields_zero(container_config_fields, &config);
	pod.name = "web-0";
	pod.namespace_ = "shop";
	config.name = name;
	return container_new(sandbox_new(&pod), &config, &image);
}

#endif
