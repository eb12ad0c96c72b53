/* gc.c - the command gc: the daemon removes now what has no user. */
#include <stdio.h>

#include "crisp.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/table.h"

static int gc(struct cli *c, const struct cli_args *args)
{
	Crisp__V1__CollectRequest request = CRISP__V1__COLLECT_REQUEST__INIT;
	Crisp__V1__CollectResponse *r;
	struct err e;

	request.dry_run = cli_args_flag(args, "dry-run");
	r = cli_call(c, "Collect", &request, &e);
	if (!r)
		return cli_fail(c, &e, "gc");
	if (c->json)
		return cli_print(r), 0;
	printf("layers     %u\nblobs      %u\ndownloads  %u\n%s  %s\n", r->layers, r->blobs, r->partials,
	       request.dry_run ? "to free  " : "freed    ", cli_table_size(c->arena, r->bytes));
	if (r->pulling)
		puts("left       all blobs, because a pull is under way");
	return 0;
}

static const struct cli_option gc_options[] = {
	{ "dry-run", 0, NULL, "count only" },
	{ 0 },
};

const struct cli_command cli_gc = {
	.name = "gc",
	.operands = "",
	.summary = "remove layers and leftovers of pulls that have no user, and no image",
	.options = gc_options,
	.run = gc,
	.more = "The daemon does that by itself when an image or a container goes; what a failed pull leaves waits\n"
		"an hour for the next try. gc does not wait. It removes layers that are in no image and no container,\n"
		"blobs (manifests and configs) of no image, and downloads that did not end. What a pull under way\n"
		"needs stays. To remove images: `crisp rmi`, `crisp images prune`.\n\n"
		"Example:\n"
		"  crisp gc --dry-run\n",
};
