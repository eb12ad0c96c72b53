/* find.c - see find.h. One call lists all objects and the word is compared here: CRI's filters know neither a start of
 * an id nor a name. */
#include "handlers/cli/find.h"

#include <string.h>

#include "handlers/cli/table.h"

/* The objects that a word may name. An object whose whole id or name is the word goes before objects whose ids only
 * start with the word, and of several with that name the only one that runs, or is ready, goes before the others. */
struct match {
	struct cli *c;
	const char *word, *kind;
	void *exact, *starts, *lives;
	size_t n_exact, n_starts, n_lives;
	const char *ids; /* of all candidates */
};

static const char *bare(const char *id)
{
	return strncmp(id, "sha256:", 7) == 0 ? id + 7 : id;
}

static void match_consider(struct match *m, void *object, const char *id, bool named, bool lives)
{
	const char *word = bare(m->word);

	if (strcmp(bare(id), word) == 0 || named) {
		m->exact = object;
		m->n_exact++;
		m->lives = lives ? object : m->lives;
		m->n_lives += lives;
	} else if (*word && strncmp(bare(id), word, strlen(word)) == 0) {
		m->starts = object;
		m->n_starts++;
	} else {
		return;
	}
	m->ids = arena_printf(m->c->arena, "%s%s%s", m->ids ? m->ids : "", m->ids ? ", " : "",
			      cli_table_id(m->c->arena, id));
}

static void *match_decide(const struct match *m, struct err *e)
{
	if (m->n_exact > 1 && m->n_lives == 1)
		return m->lives;
	if (m->n_exact == 1 || (!m->n_exact && m->n_starts == 1))
		return m->n_exact ? m->exact : m->starts;
	if (!m->n_exact && !m->n_starts)
		err_set(e, ERR_NOT_FOUND, "no such %s", m->kind);
	else
		err_set(e, ERR_INVALID_ARGUMENT, "more than one %s: %s", m->kind, m->ids);
	return NULL;
}

/* The word is the names with slashes between them; an absent name is NULL. */
static bool word_is(const char *word, const char *first, const char *second, const char *third)
{
	const char *names[] = { first, second, third };
	bool begun = false;

	for (size_t i = 0; i < 3; i++) {
		size_t n = names[i] ? strlen(names[i]) : 0;

		if (!names[i])
			continue;
		if (begun && *word++ != '/')
			return false;
		if (strncmp(word, names[i], n) != 0)
			return false;
		word += n;
		begun = true;
	}
	return !*word;
}

static bool pod_named(const Runtime__V1__PodSandbox *p, const char *word)
{
	return p->metadata && (word_is(word, p->metadata->name, NULL, NULL) ||
			       word_is(word, p->metadata->namespace_, p->metadata->name, NULL));
}

static bool container_named(const Runtime__V1__Container *one, const Runtime__V1__PodSandbox *pod, const char *word)
{
	const char *name = one->metadata ? one->metadata->name : "", *in_pod, *in_namespace;

	if (word_is(word, name, NULL, NULL))
		return true;
	if (!pod || !pod->metadata)
		return false;
	in_pod = pod->metadata->name;
	in_namespace = pod->metadata->namespace_;
	return word_is(word, in_namespace, in_pod, name) || word_is(word, in_pod, name, NULL) ||
	       word_is(word, in_namespace, name, NULL) || word_is(word, in_namespace, in_pod, NULL);
}

const Runtime__V1__PodSandbox *cli_find_pod_of(const Runtime__V1__ListPodSandboxResponse *pods, const char *id)
{
	for (size_t i = 0; pods && i < pods->n_items; i++)
		if (strcmp(pods->items[i]->id, id) == 0)
			return pods->items[i];
	return NULL;
}

Runtime__V1__Container *cli_find_container(struct cli *c, const char *word, struct err *e)
{
	Runtime__V1__ListContainersRequest request = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
	Runtime__V1__ListPodSandboxRequest of_pods = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__ListContainersResponse *list = cli_call(c, "ListContainers", &request, e);
	Runtime__V1__ListPodSandboxResponse *pods = NULL;
	struct match m = { .c = c, .word = word, .kind = "container" };

	if (list && strchr(word, '/'))
		pods = cli_call(c, "ListPodSandbox", &of_pods, e);
	if (!list || (strchr(word, '/') && !pods))
		return NULL;
	for (size_t i = 0; i < list->n_containers; i++) {
		Runtime__V1__Container *one = list->containers[i];

		match_consider(&m, one, one->id, container_named(one, cli_find_pod_of(pods, one->pod_sandbox_id), word),
			       one->state == RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING);
	}
	return match_decide(&m, e);
}

Runtime__V1__PodSandbox *cli_find_pod(struct cli *c, const char *word, struct err *e)
{
	Runtime__V1__ListPodSandboxRequest request = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__ListPodSandboxResponse *list = cli_call(c, "ListPodSandbox", &request, e);
	struct match m = { .c = c, .word = word, .kind = "pod" };

	if (!list)
		return NULL;
	for (size_t i = 0; i < list->n_items; i++)
		match_consider(&m, list->items[i], list->items[i]->id, pod_named(list->items[i], word),
			       list->items[i]->state == RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY);
	return match_decide(&m, e);
}

Runtime__V1__Image *cli_find_image(struct cli *c, const char *word, struct err *e)
{
	Runtime__V1__ListImagesRequest all = RUNTIME__V1__LIST_IMAGES_REQUEST__INIT;
	Runtime__V1__ImageStatusRequest request = RUNTIME__V1__IMAGE_STATUS_REQUEST__INIT;
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__ImageStatusResponse *status;
	Runtime__V1__ListImagesResponse *list;
	struct match m = { .c = c, .word = word, .kind = "image" };

	spec.image = (char *)word;
	request.image = &spec;
	status = cli_call(c, "ImageStatus", &request, e);
	if (status && status->image)
		return status->image;
	/* INVALID_ARGUMENT: the server takes the start of an id for a malformed reference. */
	if (!status && e->code != ERR_INVALID_ARGUMENT)
		return NULL;
	list = cli_call(c, "ListImages", &all, e);
	if (!list)
		return NULL;
	for (size_t i = 0; i < list->n_images; i++)
		match_consider(&m, list->images[i], list->images[i]->id, false, false);
	return match_decide(&m, e);
}

const char *cli_find_image_name(const Runtime__V1__ListImagesResponse *images, const Runtime__V1__ImageSpec *spec,
				const char *id)
{
	if (spec && *spec->user_specified_image)
		return spec->user_specified_image;
	for (size_t i = 0; images && i < images->n_images; i++) {
		const Runtime__V1__Image *image = images->images[i];

		if (strcmp(bare(image->id), bare(id)) == 0 && image->n_repo_tags)
			return image->repo_tags[0];
	}
	return spec && *spec->image ? bare(spec->image) : bare(id);
}
