/* info.c - the commands version and info: the runtime's versions, conditions and handlers. */
#include <stdio.h>

#include "api.pb-c.h"
#include "handlers/cli/command.h"

static int version(struct cli *c, const struct cli_args *args)
{
	Runtime__V1__VersionRequest request = RUNTIME__V1__VERSION_REQUEST__INIT;
	Runtime__V1__VersionResponse *v;
	struct err e;

	(void)args;
	request.version = (char *)"0.1.0"; /* as the kubelet sends it; servers ignore the value */
	v = cli_call(c, "Version", &request, &e);
	if (!v)
		return cli_fail(c, &e, "version of %s", c->address);
	if (c->json)
		return cli_print(v), 0;
	printf("client    crisp %s\nruntime   %s %s\nCRI       %s\naddress   %s\n", CRISP_VERSION, v->runtime_name,
	       v->runtime_version, v->runtime_api_version, c->address);
	return 0;
}

const struct cli_command cli_version = {
	.name = "version",
	.operands = "",
	.summary = "show the versions of this program and of the runtime",
	.run = version,
	.more = "`crisp --version` makes no call to the runtime.\n\n"
		"Example:\n"
		"  crisp version --json\n",
};

static int info(struct cli *c, const struct cli_args *args)
{
	Runtime__V1__StatusRequest request = RUNTIME__V1__STATUS_REQUEST__INIT;
	Runtime__V1__StatusResponse *s;
	bool ready = true;
	struct err e;

	(void)args;
	request.verbose = c->json;
	s = cli_call(c, "Status", &request, &e);
	if (!s)
		return cli_fail(c, &e, "info");
	for (size_t i = 0; s->status && i < s->status->n_conditions; i++)
		ready &= s->status->conditions[i]->status;
	if (c->json)
		return cli_print(s), !ready;
	printf("address    %s\n", c->address);
	for (size_t i = 0; s->status && i < s->status->n_conditions; i++) {
		const Runtime__V1__RuntimeCondition *one = s->status->conditions[i];

		printf("condition  %s %s%s%s%s%s\n", one->type, one->status ? "yes" : "no", *one->reason ? " " : "",
		       one->reason, *one->message ? ": " : "", one->message);
	}
	for (size_t i = 0; i < s->n_runtime_handlers; i++)
		printf("runtime    %s\n", *s->runtime_handlers[i]->name ? s->runtime_handlers[i]->name : "(default)");
	return !ready;
}

const struct cli_command cli_info = {
	.name = "info",
	.operands = "",
	.summary = "show the runtime's conditions and handlers",
	.run = info,
	.more = "Exits with 1 when a condition is not met. --json also prints the configuration.\n\n"
		"Example:\n"
		"  crisp info\n",
};
