/* stages.c - see stages.h. */
#include "bench/stages.h"

#include "reactor/buf.h"

/* In the order of a pod's life; the stages of one RPC stand together. */
static const struct {
	const char *name, *rpc;
	bool of_start;
} known[] = {
	{ "queue", "any", true },
	{ "intent", "RunPodSandbox", true },
	{ "namespaces", "RunPodSandbox", true },
	{ "cni_queue", "RunPodSandbox", true },
	{ "cni_add", "RunPodSandbox", true },
	{ "net_add", "RunPodSandbox", true },
	{ "rootfs", "CreateContainer", true },
	{ "spec", "CreateContainer", true },
	{ "prepare", "StartContainer", true },
	{ "runtime_queue", "StartContainer", true },
	{ "runtime_run", "StartContainer", true },
	{ "first_byte", "StartContainer", true },
	{ "runtime_exec", "ExecSync", false },
	{ "cni_del", "StopPodSandbox", false },
	{ "net_del", "StopPodSandbox", false },
	{ "runtime_delete", "StopContainer", false },
};
enum { KNOWN = sizeof(known) / sizeof(*known) };
_Static_assert((int)KNOWN <= (int)STAGES_MAX, "a stage would be lost");

size_t stages_between(const char *before, const char *after, struct stage out[STAGES_MAX])
{
	static const char family[] = "crisp_stage_seconds";
	struct histogram was;
	size_t n = 0;

	for (size_t i = 0; i < KNOWN; i++) {
		char label[64];

		snprintf(label, sizeof(label), "stage=\"%s\"", known[i].name);
		out[n] = (struct stage){ .name = known[i].name, .rpc = known[i].rpc, .of_start = known[i].of_start };
		if (exposition_histogram(after, family, label, &out[n].seconds) < 0)
			continue;
		if (exposition_histogram(before, family, label, &was) == 0)
			histogram_subtract(&out[n].seconds, &was);
		n += histogram_count(&out[n].seconds) > 0;
	}
	return n;
}

int stages_read(const char *before_path, const char *after_path, struct stage out[STAGES_MAX], size_t *n,
		struct err *e)
{
	struct buf before = { 0 }, after = { 0 };
	int rc = exposition_read(before_path, &before, e);

	*n = 0;
	if (rc == 0)
		rc = exposition_read(after_path, &after, e);
	if (rc == 0)
		*n = stages_between(buf_str(&before), buf_str(&after), out);
	buf_free(&before);
	buf_free(&after);
	return rc;
}

int stages_print(const char *before_path, const char *after_path, FILE *out, struct err *e)
{
	static const double quantiles[] = { 0.5, 0.9, 0.99, 0.999 };
	struct stage stage[STAGES_MAX];
	size_t n;
	int rc = stages_read(before_path, after_path, stage, &n, e);

	if (n)
		fprintf(out,
			"\ncrispd's own stages while the pods came and went, ms; a quantile is not above its figure\n  "
			"%-16s %-16s %7s %9s %8s %8s %8s %8s\n",
			"stage", "of", "n", "mean", "p50", "p90", "p99", "p99.9");
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "  %-16s %-16s %7llu %9.3f", stage[i].name, stage[i].rpc,
			(unsigned long long)histogram_count(&stage[i].seconds),
			histogram_mean(&stage[i].seconds) * 1e3);
		for (size_t q = 0; q < 4; q++)
			histogram_print(&stage[i].seconds, quantiles[q], out);
		fputc('\n', out);
	}
	return rc;
}
