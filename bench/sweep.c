/* sweep.c - removes the pods of a run that ended early. It finds them by their label.
 *
 * One endpoint after the other, one call after the other. An endpoint that does not answer is reported and left. */
#include <string.h>

#include "api.pb-c.h"
#include "bench/bench.h"
#include "bench/cri_call.h"

static const Runtime__V1__ListPodSandboxResponse *sweep_list(const struct bench *b, struct endpoint *ep,
							     struct arena *a, struct err *e)
{
	static const struct cri_method method = { "/runtime.v1.RuntimeService/ListPodSandbox",
						  &runtime__v1__list_pod_sandbox_response__descriptor };
	Runtime__V1__PodSandboxFilter__LabelSelectorEntry label =
		RUNTIME__V1__POD_SANDBOX_FILTER__LABEL_SELECTOR_ENTRY__INIT;
	Runtime__V1__PodSandboxFilter__LabelSelectorEntry *labels[] = { &label };
	Runtime__V1__PodSandboxFilter filter = RUNTIME__V1__POD_SANDBOX_FILTER__INIT;
	Runtime__V1__ListPodSandboxRequest r = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;

	label.key = POD_LABEL;
	label.value = (char *)b->pods.run;
	filter.n_label_selector = 1;
	filter.label_selector = labels;
	r.filter = &filter;
	return cri_ask(ep->client, &method, &r, a, NULL, e);
}

static int sweep_remove_pod(struct endpoint *ep, struct arena *a, char *id, struct err *e)
{
	static const struct cri_method stop = { "/runtime.v1.RuntimeService/StopPodSandbox",
						&runtime__v1__stop_pod_sandbox_response__descriptor };
	static const struct cri_method remove = { "/runtime.v1.RuntimeService/RemovePodSandbox",
						  &runtime__v1__remove_pod_sandbox_response__descriptor };
	Runtime__V1__StopPodSandboxRequest s = RUNTIME__V1__STOP_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__RemovePodSandboxRequest r = RUNTIME__V1__REMOVE_POD_SANDBOX_REQUEST__INIT;

	s.pod_sandbox_id = r.pod_sandbox_id = id;
	if (!cri_ask(ep->client, &stop, &s, a, NULL, e))
		return -1;
	return cri_ask(ep->client, &remove, &r, a, NULL, e) ? 0 : -1;
}

static int sweep_one(struct bench *b, struct endpoint *ep, struct arena *a, struct err *e)
{
	const Runtime__V1__ListPodSandboxResponse *pods = sweep_list(b, ep, a, e);

	for (size_t i = 0; pods && i < pods->n_items; i++)
		if (sweep_remove_pod(ep, a, pods->items[i]->id, e) < 0)
			return -1;
	return pods ? 0 : -1;
}

void bench_sweep(struct bench *b)
{
	for (size_t i = 0; i < b->endpoints; i++) {
		struct endpoint *ep = &b->endpoint[i];
		struct arena *a;
		struct err e = { 0 };

		if (!ep->client) /* a twin removes at its end what it made */
			continue;
		a = arena_new();
		if (bench_abandoned())
			err_set(&e, ERR_CANCELLED, "no time was left");
		if (bench_abandoned() || sweep_one(b, ep, a, &e) < 0)
			fprintf(stderr, "crisp-bench: %s: pods with the label %s=%s may be left: %s: %s\n", ep->name,
				POD_LABEL, b->pods.run, err_name(e.code), e.msg);
		arena_free(a);
	}
}
