/* removal.c - unpack_remove_tree(), and the removal of old ingest/ at start. One child removes up to AT_ONCE trees. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "images/config.h"
#include "images/unpack.h"
#include "images/worker.h"
#include "reactor/fault.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { AT_ONCE = 64, RETRY_MS = 5000 };

struct doomed {
	struct link link; /* queue */
	char path[];
};

static struct link queue = { &queue, &queue }; /* of struct doomed.link, oldest first */
static size_t at_work;                         /* how many from the front of the queue a child is removing */
static struct timer more;

static void on_removal_more(struct timer *t);

static void removal_drop_first(void)
{
	struct link *l = list_first(&queue);

	list_drop(l);
	free(container_of(l, struct doomed, link));
}

static void on_removal_end(void *arg, const struct err *failed, struct child_result *r)
{
	/* No keeper, no process or no descriptor: nothing was removed, and it can be tried again. */
	bool again = failed && (failed->code == ERR_UNAVAILABLE || failed->code == ERR_RESOURCE_EXHAUSTED);
	struct answer a;
	struct err e;

	(void)arg;
	if (worker_answer(failed, r, &a, &e) < 0 && !again)
		log_warn("remove_tree error=%s", log_quote(e.msg));
	for (; at_work > 0; at_work--)
		if (!again)
			removal_drop_first();
	if (!list_empty(&queue))
		timer_set(&more, again ? RETRY_MS : 0, on_removal_more);
}

static void on_removal_more(struct timer *t)
{
	struct arena *a = arena_new();
	struct worker c;

	(void)t;
	worker_open_tree(&c, a, "remove");
	list_each(l, &queue) {
		if (at_work == AT_ONCE)
			break;
		worker_add(&c, container_of(l, struct doomed, link)->path);
		at_work++;
	}
	child_start(&c.spec, on_removal_end, NULL);
	arena_free(a);
}

void unpack_remove_tree(const char *path)
{
	struct doomed *d = own_must(malloc(sizeof(*d) + strlen(path) + 1));

	d->link = (struct link){ 0 };
	strcpy(d->path, path);
	list_append(&queue, &d->link);
	if (at_work == 0 && !timer_is_set(&more))
		timer_set(&more, 0, on_removal_more);
}

/* Children of an earlier crispd may still write below ingest/. They have their directories open, so the rename does not
 * disturb them; they end when they find their pipe closed. */
static void removal_sweep(const char *root)
{
	char from[PATH_MAX], to[PATH_MAX];
	auto_dir DIR *d = NULL;

	snprintf(from, sizeof(from), "%s/ingest", root);
	snprintf(to, sizeof(to), "%s/ingest.%" PRIx64, root, (uint64_t)loop_real_ns());
	if (EFFECT(rename(from, to)) < 0 && errno != ENOENT)
		log_warn("sweep path=%s error=%s", from, log_quote(strerror(errno)));
	d = opendir(root);
	for (struct dirent *n; d && (n = readdir(d));) {
		if (strncmp(n->d_name, "ingest.", 7) != 0)
			continue;
		snprintf(to, sizeof(to), "%s/%s", root, n->d_name);
		unpack_remove_tree(to);
	}
}

void unpack_open(void)
{
	worker_setup();
	removal_sweep(images_config()->root);
}
