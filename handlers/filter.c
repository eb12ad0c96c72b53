/* filter.c - see filter.h. */
#include "handlers/filter.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/convert.h"

static int by_key(const void *key, const void *pair)
{
	return strcmp(key, ((const struct pair *)pair)->key);
}

/* convert_pairs() has sorted the labels of an object. */
static bool labels_match(void *entries, size_t n, const struct pairs *labels)
{
	struct map_entry **want = entries;

	for (size_t i = 0; i < n; i++) {
		const struct pair *have =
			labels->n ? bsearch(want[i]->key, labels->at, labels->n, sizeof(*labels->at), by_key) : NULL;

		if (!have || strcmp(have->value, want[i]->value) != 0)
			return false;
	}
	return true;
}

bool filter_sandbox(const Runtime__V1__PodSandboxFilter *f, const struct sandbox *s)
{
	if (!f)
		return true;
	if (*f->id && sandbox_find(f->id) != s)
		return false;
	if (f->state && (int)f->state->state != s->state)
		return false;
	return labels_match(f->label_selector, f->n_label_selector, &s->config.labels);
}

bool filter_container(const Runtime__V1__ContainerFilter *f, const struct container *c)
{
	if (!f)
		return true;
	if (*f->id && container_find(f->id) != c)
		return false;
	if (*f->pod_sandbox_id && sandbox_find(f->pod_sandbox_id) != c->sandbox)
		return false;
	if (f->state && (int)f->state->state != c->state)
		return false;
	return labels_match(f->label_selector, f->n_label_selector, &c->config.labels);
}
