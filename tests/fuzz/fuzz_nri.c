/* fuzz_nri.c - any bytes as the answer of an NRI plugin: what is taken makes changes that adjust_config() can apply,
 * text that can be written, and a request to a validator that can be packed. */
#include <stdint.h>
#include <stdlib.h>

#include "handlers/nri/adjust.h"
#include "handlers/nri/limits.h"
#include "handlers/nri/message.h"
#include "handlers/nri/owners.h"
#include "handlers/nri/update.h"
#include "procs/update.h"
#include "reactor/own.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	ProtobufCAllocator allocator = { arena_take, arena_leave, a };
	const Nri__CreateContainerResponse *r = (const void *)protobuf_c_message_unpack(
		&nri__create_container_response__descriptor, &allocator, size, data);
	const struct resources none = { .cpuset_cpus = "", .cpuset_mems = "" };
	auto_json json_t *plan =
		own_must(json_pack("{s:{s:[],s:[]},s:[],s:{s:[],s:{s:[]}},s:{}}", "process", "args", "env", "mounts",
				   "linux", "devices", "resources", "devices", "annotations"));
	auto_json json_t *owners = nri_owners_new();
	struct nri_wishes wishes = { .arena = a };
	struct nri_adjusting all;
	struct resources limits;
	struct err e;

	nri_adjusting_open(&all, "id", owners, &none, a);
	if (r && nri_adjust(&all, "10-one", r->adjust, plan, &e) == 0) {
		auto_free char *text = json_dumps(plan, 0);

		must(text != NULL);
		(void)nri_adjust(&all, "20-two", r->adjust, plan, &e);
	}
	for (size_t i = 0; r && i < r->n_update; i++)
		if (r->update[i]->linux && r->update[i]->linux->resources)
			(void)nri_limits_update(&limits, r->update[i]->linux->resources, a, &e);
	if (r)
		(void)nri_wish_updates(&wishes, owners, "10-one", "", r->update, r->n_update, &e);
	must(nri_message_copy(&nri_owners_message(owners, a)->base, a) != NULL);
	must(nri_message_copy(&all.merged->base, a) != NULL);
	nri_adjusting_close(&all);
	arena_free(a);
	return 0;
}
