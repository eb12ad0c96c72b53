/* test_recover.c - handlers/recover.c: what the start of crispd makes of a container whose bundle it cannot see. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handlers/recover.h"
#include "images/config.h"
#include "procs/container.h"
#include "procs/sandbox.h"
#include "reactor/json.h"
#include "reactor/log.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

static int recovered;
static struct container *found;

static void on_recovered(void *arg)
{
	(void)arg;
	recovered++;
}

static void open_both(void)
{
	static char root[300], state[300], bundles[320];
	static struct sandboxes_config where = { root, state, "" };
	static struct images_config images = { .root = root };

	snprintf(root, sizeof(root), "%s/root", world_dir());
	snprintf(state, sizeof(state), "%s/state", world_dir());
	snprintf(bundles, sizeof(bundles), "%s/containers", state);
	mkdir(root, 0700);
	mkdir(state, 0700);
	mkdir(bundles, 0700);
	sandboxes_open(&where);
	containers_open(root, state);
	images_configure(&images);
}

static void empty(const struct field *table, void *object)
{
	static struct arena *a;
	auto_json json_t *j = json_object();
	struct err e;

	if (!a)
		a = arena_new();
	ok(fields_from_json(table, object, j, a, &e) == 0);
}

/* An earlier crispd has made a container, and its bundle is a link to itself. */
static void the_life_before(void)
{
	struct sandbox_config of_sandbox;
	struct container_config of_container;
	struct container_image image = {
		.id = "sha256:1", .ref = "r", .name = "busybox", .working_dir = "", .user = "", .stop_signal = ""
	};
	struct sandbox *s;
	struct container *c;
	struct err e;

	open_both();
	empty(sandbox_config_fields, &of_sandbox);
	empty(container_config_fields, &of_container);
	of_sandbox.name = "p";
	of_container.name = "c";
	s = sandbox_new(&of_sandbox);
	s->hidden = false;
	c = container_new(s, &of_container, &image);
	if (sandboxes_load(&e) < 0 || containers_load(&e) < 0 || sandbox_save(s, &e) < 0 ||
	    container_list_it(c, &e) < 0 || symlink(c->bundle, c->bundle) < 0)
		_exit(1);
	_exit(0);
}

static void see(void *arg, struct container *c)
{
	(void)arg;
	found = c;
}

/* It is there for all that is known: only ENOENT tells that the bundle is gone. */
static void a_bundle_that_cannot_be_seen_is_not_gone(void)
{
	char state[300];
	struct err e;
	int status;
	pid_t pid;

	snprintf(state, sizeof(state), "%s/state", world_dir());
	pid = fork();
	if (pid == 0)
		the_life_before();
	ok(waitpid(pid, &status, 0) == pid && status == 0);
	log_open("test", LOG_LEVEL_ERROR);
	open_both();
	ok(recover_start(state, on_recovered, NULL, &e) == 0);
	world_settle();
	container_each(see, NULL);
	ok(recovered == 1 && found);
	if (!found)
		return;
	ok(access(found->bundle, F_OK) < 0 && errno == ELOOP);
	ok(found->state == CONTAINER_CREATED);
}

int main(void)
{
	a_bundle_that_cannot_be_seen_is_not_gone();
	return tap_end();
}
