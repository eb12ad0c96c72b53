/* images.c - the command images: the list, import, export and prune. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.pb-c.h"
#include "crisp.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/table.h"

static int images_list(struct cli *c)
{
	Runtime__V1__ListImagesRequest request = RUNTIME__V1__LIST_IMAGES_REQUEST__INIT;
	Runtime__V1__ListImagesResponse *list;
	struct cli_table *t;
	struct err e;

	list = cli_call(c, "ListImages", &request, &e);
	if (!list)
		return cli_fail(c, &e, "images");
	if (c->json)
		return cli_print(list), 0;
	t = cli_table_new(c->arena, "IMAGE", "ID", "SIZE", NULL);
	for (size_t i = 0; i < list->n_images; i++) {
		const Runtime__V1__Image *one = list->images[i];
		const char *id = cli_table_id(c->arena, one->id), *size = cli_table_size(c->arena, one->size);

		for (size_t k = 0; k < one->n_repo_tags; k++)
			cli_table_row(t, one->repo_tags[k], id, size, NULL);
		if (!one->n_repo_tags)
			cli_table_row(t, one->n_repo_digests ? one->repo_digests[0] : "", id, size, NULL);
	}
	cli_table_print(t, stdout);
	return 0;
}

/* crispd opens the path, from another working directory. NULL: *e. */
static char *images_path(struct cli *c, const char *word, struct err *e)
{
	char *cwd, *path;

	if (word[0] == '/')
		return arena_strdup(c->arena, word);
	cwd = getcwd(NULL, 0);
	if (!cwd) {
		err_os(e, ERR_INTERNAL, "the working directory");
		return NULL;
	}
	path = arena_printf(c->arena, "%s/%s", cwd, word);
	free(cwd);
	return path;
}

static int images_import(struct cli *c, const char *file, const char *name)
{
	Crisp__V1__ImportImagesRequest request = CRISP__V1__IMPORT_IMAGES_REQUEST__INIT;
	Crisp__V1__ImportImagesResponse *r;
	struct err e;

	request.path = images_path(c, file, &e);
	request.name = (char *)(name ? name : "");
	r = request.path ? cli_call(c, "ImportImages", &request, &e) : NULL;
	if (!r)
		return cli_fail(c, &e, "import %s", file);
	if (c->json)
		return cli_print(r), 0;
	for (size_t i = 0; i < r->n_images; i++)
		for (size_t k = 0; k < r->images[i]->n_names; k++)
			printf("%s %s\n", r->images[i]->id, r->images[i]->names[k]);
	return 0;
}

static int images_export(struct cli *c, const struct strings *words)
{
	Crisp__V1__ExportImagesRequest request = CRISP__V1__EXPORT_IMAGES_REQUEST__INIT;
	Crisp__V1__ExportImagesResponse *r;
	const char *file = words->at[words->n - 1];
	struct err e;

	request.images = (char **)words->at + 1;
	request.n_images = words->n - 2;
	request.path = images_path(c, file, &e);
	r = request.path ? cli_call(c, "ExportImages", &request, &e) : NULL;
	if (!r)
		return cli_fail(c, &e, "export to %s", file);
	if (c->json)
		return cli_print(r), 0;
	for (size_t i = 0; i < r->n_ids; i++)
		puts(r->ids[i]);
	return 0;
}

/* ---- prune ---- */

static bool same_id(const char *a, const char *b)
{
	a += strncmp(a, "sha256:", 7) == 0 ? 7 : 0;
	b += strncmp(b, "sha256:", 7) == 0 ? 7 : 0;
	return *a && strcmp(a, b) == 0;
}

/* Containers name their image by id, or as they were made with it. */
static bool image_is(const Runtime__V1__Image *image, const char *name)
{
	if (!name || !*name)
		return false;
	for (size_t i = 0; i < image->n_repo_tags; i++)
		if (strcmp(image->repo_tags[i], name) == 0)
			return true;
	for (size_t i = 0; i < image->n_repo_digests; i++)
		if (strcmp(image->repo_digests[i], name) == 0)
			return true;
	return same_id(image->id, name);
}

static bool image_in_use(const Runtime__V1__Image *image, const Runtime__V1__ListContainersResponse *list)
{
	for (size_t i = 0; i < list->n_containers; i++) {
		const Runtime__V1__Container *one = list->containers[i];

		if (image_is(image, one->image_id) || image_is(image, one->image_ref) ||
		    (one->image && image_is(image, one->image->image)))
			return true;
	}
	return image->pinned;
}

static int images_prune(struct cli *c)
{
	Runtime__V1__ListContainersRequest all = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
	Runtime__V1__ListImagesRequest every = RUNTIME__V1__LIST_IMAGES_REQUEST__INIT;
	Runtime__V1__RemoveImageRequest request = RUNTIME__V1__REMOVE_IMAGE_REQUEST__INIT;
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__ListImagesResponse *list;
	Runtime__V1__ListContainersResponse *users;
	int rc = 0;
	struct err e;

	/* The images first: what a container that comes meanwhile uses is then either not in the list or in use. */
	list = cli_call(c, "ListImages", &every, &e);
	users = list ? cli_call(c, "ListContainers", &all, &e) : NULL;
	if (!users)
		return cli_fail(c, &e, "images prune");
	request.image = &spec;
	for (size_t i = 0; i < list->n_images; i++) {
		const Runtime__V1__Image *one = list->images[i];

		if (image_in_use(one, users))
			continue;
		spec.image = one->id;
		if (!cli_call(c, "RemoveImage", &request, &e))
			rc = cli_fail(c, &e, "images prune %s", one->n_repo_tags ? one->repo_tags[0] : one->id);
		else
			cli_print_plainly(arena_printf(c->arena, "%s %s\n", cli_table_id(c->arena, one->id),
						       one->n_repo_tags ? one->repo_tags[0] : "-"), stdout);
	}
	return rc;
}

static int images(struct cli *c, const struct cli_args *args)
{
	const struct strings *words = &args->operands;

	if (words->n == 0)
		return images_list(c);
	if (strcmp(words->at[0], "import") == 0 && words->n == 2)
		return images_import(c, words->at[1], cli_args_value(args, "name"));
	if (strcmp(words->at[0], "export") == 0 && words->n > 2)
		return images_export(c, words);
	if (strcmp(words->at[0], "prune") == 0 && words->n == 1)
		return images_prune(c);
	return cli_misuse("images",
			  "expected: nothing, `import FILE|DIRECTORY`, `export IMAGE... FILE` or `prune`");
}

static const struct cli_option images_options[] = {
	{ "name", 0, "NAME", "import: the name of an image that has none in the archive" },
	{ 0 },
};

const struct cli_command cli_images = {
	.name = "images",
	.operands = "[import FILE|DIRECTORY | export IMAGE... FILE | prune]",
	.summary = "list images, remove unused ones; read them from an archive, or write one",
	.options = images_options,
	.most = -1,
	.run = images,
	.more = "import takes an OCI layout (a directory, or a tar of one) or what `docker save` writes, plain or\n"
		"compressed by gzip or zstd, and prints the ids and names. crispd opens the file, on the node.\n"
		"An image that has only a tag gets the name with --name, too.\n\n"
		"export writes a tar that is an OCI layout and can be read by `docker load`. Layers are packed anew,\n"
		"so the exported image has the same content, but digests and an id of its own, which are printed.\n\n"
		"prune removes all images that no container has, running or not, and that are not pinned.\n\n"
		"Examples:\n"
		"  crisp images\n"
		"  crisp images --json | jq -r '.images[].repoTags[]'\n"
		"  crisp images import busybox.tar\n"
		"  crisp images import --name registry.example/app:1.2 /mnt/layout\n"
		"  crisp images export docker.io/library/busybox:1.36 busybox.tar\n",
};
