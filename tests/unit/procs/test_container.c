/* test_container.c - procs/container.c: the table, records over a restart, waiters. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/container.h"
#include "procs/runtime.h"
#include "reactor/boot.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "tests/fakes/disk.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

static struct err unlisted; /* container_list_it() cannot fail here */

static struct sandbox *pod;
static char root[300], state[300];

/* The values that an empty record has. */
static void empty(const struct field *table, void *object, struct arena *a)
{
	auto_json json_t *j = json_object();
	struct err e;

	if (fields_from_json(table, object, j, a, &e) < 0)
		abort();
}

static void start_daemon(void)
{
	static struct sandboxes_config where;
	struct runtime_handler h = { .name = "runc", .type = "oci", .path = "/bin/true", .fallback = "" };
	struct runtimes_config runtimes = { &h, 1, "runc", state, NULL };
	struct sandbox_config config;
	struct arena *a = arena_new();
	struct err e;

	log_open("test", LOG_LEVEL_ERROR);
	snprintf(root, sizeof(root), "%s/root", world_dir());
	snprintf(state, sizeof(state), "%s/state", world_dir());
	mkdir(root, 0700);
	mkdir(state, 0700);
	where = (struct sandboxes_config){ root, state, "" };
	ok(runtimes_open(&runtimes, &e) == 0);
	sandboxes_open(&where);
	containers_open(root, state);
	ok(sandboxes_load(&e) == 0 && containers_load(&e) == 0);
	empty(sandbox_config_fields, &config, a);
	config.name = "pod";
	config.log_directory = "/var/log/pods/x";
	pod = sandbox_new(&config);
	pod->hidden = false;
	sandbox_set_str(pod, &pod->cgroup, "/crisp/pod1");
	arena_free(a);
}

static struct container *make(const char *name, uint32_t attempt, const char *log_path)
{
	struct container_config config;
	struct container_image image = { .id = "sha256:1",
					 .ref = "r@sha256:2",
					 .name = "busybox",
					 .working_dir = "",
					 .user = "",
					 .stop_signal = "QUIT" };
	struct arena *a = arena_new();
	struct container *c;

	empty(container_config_fields, &config, a);
	config.name = name;
	config.attempt = attempt;
	config.log_path = log_path;
	c = container_new(pod, &config, &image);
	arena_free(a);
	return c;
}

static void a_new_one(void)
{
	struct container *c = make("c1", 2, "c1/2.log");
	char want[400];

	ok(strlen(c->id) == 64 && c->state == CONTAINER_CREATED && c->created_at_ns > 0);
	is_str(c->log_path, "/var/log/pods/x//c1/2.log");
	is_str(c->runtime, "runc"); /* the name of the default handler; the pod asked for "" */
	snprintf(want, sizeof(want), "/crisp/pod1/%s", c->id);
	is_str(c->cgroup, want);
	snprintf(want, sizeof(want), "%s/containers/%s", state, c->id);
	is_str(c->bundle, want);
	ok(container_find(c->id) == NULL);         /* not listed yet */
	ok(container_named(pod, "c1", 2) == c);    /* but its name is taken */
	ok(container_named(pod, "c1", 3) == NULL);
	container_list_it(c, &unlisted);
	ok(container_find(c->id) == c);
	container_free(c);
	is_str(make("c2", 0, "")->log_path, "");
	container_free(container_named(pod, "c2", 0));
}

static void collect(void *arg, struct container *c)
{
	strcat(arg, c->config.name);
}

static void found_by_unique_prefix_and_listed_by_age(void)
{
	struct container *a = make("a", 0, ""), *b = make("b", 0, ""), *hidden = make("h", 0, "");
	char names[8] = "", prefix[ID_SIZE];

	container_list_it(b, &unlisted);
	container_list_it(a, &unlisted);
	container_each(collect, names);
	is_str(names, "ab");
	snprintf(prefix, sizeof(prefix), "%.12s", b->id);
	ok(container_find(prefix) == b);
	ok(container_find("") == NULL && container_find("zz") == NULL);
	snprintf(prefix, sizeof(prefix), "%.12s", hidden->id);
	ok(container_find(prefix) == NULL);
	container_free(hidden);
	container_free(b);
	container_free(a);
}

static void two_with_one_prefix(void)
{
	struct container *made[17];
	char prefix[2] = "";
	size_t twice = 0;

	for (size_t i = 0; i < 17; i++) { /* of 17 ids at least two begin with the same hex digit */
		made[i] = make("x", (uint32_t)i, "");
		container_list_it(made[i], &unlisted);
	}
	for (size_t i = 0; i < 17; i++)
		for (size_t j = 0; j < i; j++)
			if (made[i]->id[0] == made[j]->id[0])
				prefix[0] = made[i]->id[0], twice++;
	ok(twice > 0 && container_find(prefix) == NULL);
	for (size_t i = 0; i < 17; i++)
		container_free(made[i]);
}

struct waiter {
	struct container_wait wait;
	int calls;
};

static void on_exit_of(struct container_wait *w)
{
	container_of(w, struct waiter, wait)->calls++;
}

static void waiters_hear_once_and_not_at_once(void)
{
	struct container *c = make("w", 0, "");
	struct waiter first = { 0 }, left = { 0 }, late = { 0 };

	container_set_running(c, 42);
	container_wait(c, &first.wait, on_exit_of);
	container_wait(c, &left.wait, on_exit_of);
	world_settle();
	container_unwait(&left.wait);
	container_unwait(&left.wait);
	container_set_exited(c, 1, "Error", "", c->started_at_ns + 5);
	ok(first.calls == 0);
	world_settle();
	ok(first.calls == 1 && left.calls == 0 && c->pid == 0 && c->finished_at_ns == c->started_at_ns + 5);
	container_wait(c, &late.wait, on_exit_of);
	ok(late.calls == 0);
	world_settle();
	ok(late.calls == 1 && first.calls == 1);
	container_free(c);
}

static void a_clock_that_goes_back(void)
{
	struct container *tomorrow = make("c", 0, ""), *now, *other;
	int64_t day_ns = 86400 * (int64_t)1000000000;

	tomorrow->created_at_ns += day_ns;
	container_set_running(tomorrow, 42);
	ok(tomorrow->started_at_ns == tomorrow->created_at_ns);
	container_set_exited(tomorrow, 0, "Completed", "", tomorrow->created_at_ns - 2 * day_ns);
	ok(tomorrow->finished_at_ns == tomorrow->started_at_ns);
	now = make("c", 1, "");
	other = make("d", 0, "");
	ok(now->created_at_ns == tomorrow->created_at_ns + 1);
	ok(other->created_at_ns < tomorrow->created_at_ns);
	world_settle();
	container_free(tomorrow);
	container_free(now);
	container_free(other);
}

static void a_message_is_utf8_in_the_end(void)
{
	struct container *c = make("u", 0, "");

	container_set_exited(c, 128, "StartError", "caf\xc3\xa9 is fine", 5);
	is_str(c->message, "caf\xc3\xa9 is fine");
	container_set_exited(c, 128, "StartError", "cut caf\xc3", 5);
	is_str(c->message, "cut caf?");
	world_settle();
	container_free(c);
}

/* ---- restarts: a child process writes the records, this one reads them ---- */

static void written_by_another(void (*writes)(void))
{
	fflush(stdout);
	if (fork() == 0) {
		writes();
		fflush(stdout);
		_exit(0); /* without world_dir()'s removal */
	}
	wait(NULL);
}

static void write_records(void)
{
	struct container *c = make("kept", 7, "k.log");
	struct err e;

	c->config.envs.at = (struct pair[]){ { "A", "\xff\xfe" } };
	c->config.envs.n = 1;
	c->stop_signal = 3;
	sandbox_save(pod, &e);
	container_list_it(c, &unlisted);
	container_set_running(c, 4711);
	c = make("unlisted", 0, "");
	container_save(c, &e);
	c = make("otherboot", 0, "");
	c->boot_id = "another";
	container_set_running(c, 4712);
	c = make("ended", 0, "");
	c->state = CONTAINER_EXITED;
	container_save(c, &e);
}

/* The record `ended` as that of a container whose sandbox is gone. */
static void orphan_of_ended(const char *name)
{
	char command[2000];

	snprintf(command, sizeof(command),
		 "cd %s/containers && sed 's/\"sandbox\":\"[^\"]*\"/\"sandbox\":\"nobody\"/' "
		 "$(grep -l '\"ended\"' *.json) >%s",
		 root, name);
	ok(system(command) == 0);
}

static void put(const char *name, const char *text)
{
	char path[700];
	FILE *f;

	snprintf(path, sizeof(path), "%s/containers/%s", root, name);
	f = fopen(path, "we");
	fputs(text, f);
	fclose(f);
}

static bool there(const char *name)
{
	char path[700];

	snprintf(path, sizeof(path), "%s/containers/%s", root, name);
	return access(path, F_OK) == 0;
}

static void records_survive(void)
{
	static const char orphan[] = "0123456789012345678901234567890123456789012345678901234567890123";
	static const char removed[] = "1123456789012345678901234567890123456789012345678901234567890123.json";
	struct container *c;
	char name[100];
	struct err e;

	written_by_another(write_records);
	snprintf(name, sizeof(name), "%s.json", orphan);
	put(name, "{\"version\":1,\"sandbox\":\"nobody\"}");
	put("short.json", "{\"version\":1}");
	orphan_of_ended(removed);
	ok(there(removed));
	ok(sandboxes_load(&e) == 0 && containers_load(&e) == 0);

	c = container_named(pod, "kept", 7);
	ok(c && c->listed && c->state == CONTAINER_RUNNING && c->pid == 4711 && c->stop_signal == 3);
	ok(c->config.envs.n == 1 && strcmp(c->config.envs.at[0].value, "\xff\xfe") == 0);
	is_str(c->image.stop_signal, "QUIT");
	ok(container_find(c->id) == c && c->sandbox == pod);
	container_free(c);

	c = container_named(pod, "unlisted", 0);
	ok(c && !c->listed && container_find(c->id) == NULL);
	container_free(c);

	c = container_named(pod, "otherboot", 0);
	ok(c && c->state == CONTAINER_EXITED && c->exit_code == 255 && strcmp(c->reason, "Unknown") == 0);
	snprintf(name, sizeof(name), "%s.json", c->id);
	ok(there(name));
	container_free(c);
	ok(!there(name));

	snprintf(name, sizeof(name), "%s.json.corrupt", orphan);
	ok(there(name) && there("short.json.corrupt"));
	ok(!there(removed)); /* it had been removed but for its record */
	snprintf(name, sizeof(name), "%s.corrupt", removed);
	ok(!there(name));
}

/* The disk does not give the record, after a power cut too. */
static void a_record_that_cannot_be_read_is_left_alone(void)
{
	static const char id[] = "2123456789012345678901234567890123456789012345678901234567890123";
	char name[100];
	struct err e;

	snprintf(name, sizeof(name), "%s.json", id);
	put("../boot", "01234567-89ab-cdef-0123-456789abcdef\n");
	put(name, "{\"version\":1,\"sandbox\":\"nobody\"}");
	ok(boot_open(root, &e) == 0 && boot_is_new());
	disk_fails(name, EIO, 0);
	ok(containers_load(&e) == 0 && container_lost(id) && there(name));
	disk_fails("", 0, 0);
	ok(boot_note(&e) == 0);
}

int main(void)
{
	start_daemon();
	a_new_one();
	found_by_unique_prefix_and_listed_by_age();
	two_with_one_prefix();
	waiters_hear_once_and_not_at_once();
	a_clock_that_goes_back();
	a_message_is_utf8_in_the_end();
	records_survive();
	a_record_that_cannot_be_read_is_left_alone();
	return tap_end();
}
