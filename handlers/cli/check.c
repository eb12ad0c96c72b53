/* check.c - the command check: what is wrong with the networks of pods and with handlers, and what the limits allow; or
 * with the layers of images. */
#include <stdio.h>

#include "crisp.pb-c.h"
#include "handlers/cli/command.h"

static const struct cli_option check_options[] = {
	{ "repair", 0, NULL, "make again what is missing, take away what is of nobody; pull broken layers again" },
	{ "layers", 0, NULL, "look at the layers of images instead" },
	{ 0 },
};

/* true: something is wrong and was not mended. */
static bool check_wrong(Crisp__V1__Finding **findings, size_t n)
{
	bool wrong = false;

	for (size_t i = 0; i < n; i++)
		wrong |= findings[i]->kind == CRISP__V1__FINDING__KIND__LEFT;
	return wrong;
}

static void check_print(Crisp__V1__Finding **findings, size_t n)
{
	static const char *const words[] = { "wrong", "mended", "limit" };

	for (size_t i = 0; i < n; i++)
		printf("%-7s %s\n", (unsigned)findings[i]->kind < 3 ? words[findings[i]->kind] : "?",
		       findings[i]->text);
}

static int check_layers(struct cli *c, bool repair)
{
	Crisp__V1__CheckLayersRequest request = CRISP__V1__CHECK_LAYERS_REQUEST__INIT;
	Crisp__V1__CheckLayersResponse *r;
	struct err e;

	request.repair = repair;
	r = cli_call(c, "CheckLayers", &request, &e);
	if (!r)
		return cli_fail(c, &e, "check");
	if (c->json)
		return cli_print(r), check_wrong(r->findings, r->n_findings);
	check_print(r->findings, r->n_findings);
	printf("layers  %u were verified, %u were not: an older crisp unpacked them\n", r->layers, r->unverified);
	return check_wrong(r->findings, r->n_findings);
}

static int check(struct cli *c, const struct cli_args *args)
{
	Crisp__V1__CheckRequest request = CRISP__V1__CHECK_REQUEST__INIT;
	Crisp__V1__CheckResponse *r;
	struct err e;

	request.repair = cli_args_flag(args, "repair");
	if (cli_args_flag(args, "layers"))
		return check_layers(c, request.repair);
	r = cli_call(c, "Check", &request, &e);
	if (!r)
		return cli_fail(c, &e, "check");
	if (c->json)
		return cli_print(r), check_wrong(r->findings, r->n_findings);
	check_print(r->findings, r->n_findings);
	printf("pods    %u were looked at\n", r->sandboxes);
	return check_wrong(r->findings, r->n_findings);
}

const struct cli_command cli_check = {
	.name = "check",
	.operands = "",
	.summary = "look whether networks of pods, or layers of images, are as they were made",
	.options = check_options,
	.run = check,
	.more = "Looks at the network of each ready pod: by the plugins' CHECK, or, for a network without plugins, at\n"
		"addresses, devices, routes, rules and files. Then at rules and devices that no pod needs, and at\n"
		"limits of the kernel that a node with a thousand pods meets, and at runtime handlers whose program\n"
		"is missing or is no runtime. --repair makes again what is missing on the node, and takes away rules\n"
		"of nobody; do it before the node is given to another runtime.\n"
		"--layers reads the layers of all images from the disk, at the lowest priority, and compares them\n"
		"with what was unpacked. With --repair the images of broken layers are pulled again, by their\n"
		"digests. Containers that run on a broken layer run on with it.\n"
		"Exits with 1 when something is wrong and was not mended. Limits are no fault.\n\n"
		"Example:\n"
		"  crisp check --repair\n"
		"  crisp check --layers --repair\n",
};
