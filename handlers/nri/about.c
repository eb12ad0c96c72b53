/* about.c - nri_status() of nri.h. */
#include <stdlib.h>
#include <string.h>

#include "handlers/nri.h"
#include "handlers/nri/event.h"
#include "handlers/nri/plugin.h"
#include "reactor/own.h"

static void add(void *arg, const struct nri_plugin_about *p)
{
	json_t *list = arg, *events = own_must(json_array());

	for (int event = 1; event <= NRI_EVENTS; event++)
		if (p->events & 1 << (event - 1))
			json_array_append_new(events, json_string(nri_event_method(event)));
	json_array_append_new(list, json_pack("{s:o,s:b,s:b,s:o}", "name", json_sprintf("%s-%s", p->idx, p->base),
					      "installed", p->installed, "ready", p->ready, "events", events));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "name")),
		      json_string_value(json_object_get(*(json_t *const *)b, "name")));
}

json_t *nri_status(void)
{
	auto_json json_t *found = own_must(json_array());
	json_t *at[NRI_PLUGINS_MAX], *sorted = own_must(json_array());
	size_t n = 0;

	nri_plugins_each(add, found);
	for (; n < json_array_size(found) && n < NRI_PLUGINS_MAX; n++)
		at[n] = json_array_get(found, n);
	qsort(at, n, sizeof(*at), by_name);
	for (size_t i = 0; i < n; i++)
		json_array_append(sorted, at[i]);
	return own_must(json_pack("{s:o}", "plugins", sorted));
}
