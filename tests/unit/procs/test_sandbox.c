/* test_sandbox.c - the table of sandboxes: which are found, in which order, and what is read back from disk. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "procs/sandbox.h"
#include "reactor/boot.h"
#include "reactor/own.h"
#include "reactor/record.h"
#include "tests/fakes/disk.h"
#include "tests/tap.h"

#define A31 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
static const char id_a0[] = A31 A31 "a0", id_a1[] = A31 A31 "a1"; /* 64 digits, the last differs */

static char root[] = "/tmp/test-sandbox-XXXXXX";
static char records[64];
static struct arena *arena;

static struct sandbox *named(const char *name)
{
	struct sandbox_config c;
	struct err e;
	auto_json json_t *nothing = json_object();

	fields_from_json(sandbox_config_fields, &c, nothing, arena, &e);
	c.name = name;
	c.namespace_ = "ns";
	c.uid = "u1";
	c.attempt = 2;
	return sandbox_new(&c);
}

/* Saves the sandbox, frees it, and reads its record again as a new process would, under another id. */
static struct sandbox *restarted(struct sandbox *s, const char *id)
{
	struct err e;
	auto_json json_t *j = NULL;

	ok(sandbox_save(s, &e) == 0);
	j = record_read(records, s->id, 1, &e);
	sandbox_free(s);
	ok(record_write(records, id, 1, j, &e) == 0);
	ok(sandboxes_load(&e) == 0);
	return sandbox_named("a", "ns", "u1", 2);
}

static int count;
static const char *order[4];

static void on_each(void *arg, struct sandbox *s)
{
	(void)arg;
	order[count++] = s->config.name;
}

static int seen(void (*each)(void (*fn)(void *arg, struct sandbox *s), void *arg))
{
	count = 0;
	each(on_each, NULL);
	return count;
}

static void a_hidden_one_is_found_by_name_only(void)
{
	struct sandbox *s = named("a");

	ok(strlen(s->id) == 64 && s->hidden && s->state == SANDBOX_NOTREADY);
	ok(strncmp(s->dir, "/run/x/sandboxes/", 17) == 0);
	ok(sandbox_find(s->id) == NULL);
	ok(sandbox_named("a", "ns", "u1", 2) == s);
	ok(sandbox_named("a", "ns", "u1", 3) == NULL);
	ok(seen(sandbox_each) == 0 && seen(sandbox_each_hidden) == 1);
	s->hidden = false;
	ok(sandbox_find(s->id) == s);
	ok(seen(sandbox_each) == 1 && seen(sandbox_each_hidden) == 0);
	sandbox_free(s);
	ok(sandbox_named("a", "ns", "u1", 2) == NULL);
}

static void a_prefix_is_enough_while_it_is_unique(void)
{
	struct sandbox *s = named("a"), *t;

	s->hidden = false;
	s = restarted(s, id_a0);
	ok(sandbox_find("aaaa") == s);
	t = named("a");
	t->hidden = false;
	restarted(t, id_a1);
	ok(sandbox_find("aaaa") == NULL);
	ok(sandbox_find("") == NULL && sandbox_find("zz") == NULL);
	ok(sandbox_find(id_a0) == s);
	t = sandbox_find(id_a1);
	ok(t && t != s);
	sandbox_free(s);
	ok(sandbox_find("aaaa") == t);
	sandbox_free(t);
}

static void what_is_saved_comes_back(void)
{
	struct sandbox *s = named("a");
	const char *ips[] = { "10.1.2.3", "fd00::3" };

	s->hidden = false;
	s->state = SANDBOX_READY;
	s->made = MADE_NETWORK | MADE_PAUSE | MADE_FILES;
	s->pause_pid = 77;
	s->ips = (struct strings){ ips, 2 };
	sandbox_set_str(s, &s->netns_path, "/run/netns/crisp-1");
	sandbox_set_str(s, &s->cni_result, "{\"ips\":[]}");
	sandbox_set_str(s, &s->network_kind, "of-tomorrow");
	s = restarted(s, id_a0);
	ok(s && s->state == SANDBOX_READY && s->pause_pid == 77 && s->made == (MADE_NETWORK | MADE_PAUSE | MADE_FILES));
	ok(s && !s->hidden && s->ips.n == 2 && strcmp(s->ips.at[1], "fd00::3") == 0);
	is_str(s->netns_path, "/run/netns/crisp-1");
	is_str(s->cni_result, "{\"ips\":[]}");
	is_str(s->network_kind, "of-tomorrow");
	ok(s->config.attempt == 2 && s->created_at_ns > 0);
	sandbox_free(s);
}

static void after_a_reboot_nothing_runs(void)
{
	struct sandbox *s = named("a");

	s->state = SANDBOX_READY;
	s->made = MADE_NETWORK | MADE_PAUSE;
	s->pause_pid = 77;
	sandbox_set_str(s, &s->boot_id, "of yesterday");
	s = restarted(s, id_a0);
	ok(s && s->state == SANDBOX_NOTREADY && s->made == MADE_NETWORK && s->pause_pid == 0);
	sandbox_free(s);
}

static void the_table_is_in_order_of_creation(void)
{
	struct sandbox *a = named("a"), *b = named("b");

	a->hidden = b->hidden = false;
	a->created_at_ns = b->created_at_ns + 1;
	a = restarted(a, id_a0);
	ok(seen(sandbox_each) == 2 && strcmp(order[0], "b") == 0 && strcmp(order[1], "a") == 0);
	b->created_at_ns = a->created_at_ns + 1;
	a = restarted(a, id_a1);
	ok(seen(sandbox_each) == 2 && strcmp(order[0], "a") == 0 && strcmp(order[1], "b") == 0);
	sandbox_free(a);
	sandbox_free(b);
}

/* The kubelet takes the newest sandbox for the pod's. */
static void a_clock_that_goes_back(void)
{
	struct sandbox *tomorrow = named("a"), *now, *other;
	int64_t day_ns = 86400 * (int64_t)1000000000;

	tomorrow->created_at_ns += day_ns;
	now = named("a");
	other = named("b");
	ok(now->created_at_ns == tomorrow->created_at_ns + 1);
	ok(other->created_at_ns < tomorrow->created_at_ns);
	sandbox_free(tomorrow);
	sandbox_free(now);
	sandbox_free(other);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	fputs(text, f);
	fclose(f);
}

/* The record is empty: its pod may hold an address all the same. */
static void a_power_cut_leaves_an_id(void)
{
	char boot[80], record[200];
	struct sandbox *s;
	const char *first;
	struct err e;

	snprintf(boot, sizeof(boot), "%s/boot", root);
	snprintf(record, sizeof(record), "%s/%s.json", records, id_a0);
	put(boot, "01234567-89ab-cdef-0123-456789abcdef\n");
	put(record, "");
	ok(boot_open(root, &e) == 0 && boot_is_new() && sandboxes_load(&e) == 0 && boot_note(&e) == 0);
	s = sandbox_by_id(id_a0);
	ok(s && s->remnant && s->hidden && s->made == (MADE_NETWORK | MADE_FILES) && sandboxes_lost(&first) == 0);
	ok(s && strstr(s->files, id_a0));
	s = restarted(s, id_a1) ? NULL : sandbox_by_id(id_a1); /* until its network is given back */
	ok(s && s->remnant && s->hidden && s->made == (MADE_NETWORK | MADE_FILES));
	sandbox_free(s);
	unlink(boot);
}

/* The disk does not give the record, after a power cut too: it is neither damaged nor a remnant. */
static void a_record_that_cannot_be_read_is_left_alone(void)
{
	char boot[80], record[200], aside[220];
	const char *first;
	struct err e;

	snprintf(boot, sizeof(boot), "%s/boot", root);
	snprintf(record, sizeof(record), "%s/%s.json", records, id_a0);
	snprintf(aside, sizeof(aside), "%s.corrupt", record);
	put(boot, "01234567-89ab-cdef-0123-456789abcdef\n");
	put(record, "{\"version\":1}");
	ok(boot_open(root, &e) == 0 && boot_is_new());
	disk_fails(record, EIO, 0);
	ok(sandboxes_load(&e) == 0 && !sandbox_by_id(id_a0) && sandbox_lost(id_a0) && sandboxes_lost(&first) == 1);
	disk_fails("", 0, 0);
	ok(boot_note(&e) == 0 && access(aside, F_OK) < 0);
	ok(sandboxes_load(&e) == 0 && sandbox_by_id(id_a0) && !sandbox_by_id(id_a0)->remnant);
	sandbox_free(sandbox_by_id(id_a0));
	unlink(boot);
}

static void a_record_that_is_none_is_set_aside(void)
{
	char path[160];
	struct err e;
	auto_json json_t *j = json_pack("{s:s}", "state", "READY");

	ok(record_write(records, "not-an-id", 1, j, &e) == 0);
	ok(record_write(records, id_a0, 1, j, &e) == 0); /* a state is a number */
	ok(sandboxes_load(&e) == 0);
	ok(sandbox_named("", "", "", 0) == NULL);
	snprintf(path, sizeof(path), "%s/not-an-id.json.corrupt", records);
	ok(unlink(path) == 0);
	snprintf(path, sizeof(path), "%s/%s.json.corrupt", records, id_a0);
	ok(unlink(path) == 0);
}

static void a_full_disk_is_an_error_that_names_the_sandbox(void)
{
	struct sandbox *s = named("a");
	struct sandboxes_config gone = { .root = "/proc/nowhere", .state = "/run/x", .netns_dir = "" };
	struct sandboxes_config back = { .root = root, .state = "/run/x", .netns_dir = "" };
	struct err e;

	sandboxes_open(&gone);
	ok(sandbox_save(s, &e) < 0 && e.code == ERR_INTERNAL && strstr(e.msg, "save sandbox "));
	sandbox_set_state(s, SANDBOX_READY);
	ok(s->state == SANDBOX_READY); /* the failed save does not change memory */
	sandboxes_open(&back);
	sandbox_free(s);
}

int main(void)
{
	struct sandboxes_config cfg = { .root = root, .state = "/run/x", .netns_dir = "/run/netns" };
	struct err e;

	arena = arena_new();
	ok(mkdtemp(root) != NULL);
	snprintf(records, sizeof(records), "%s/sandboxes", root);
	sandboxes_open(&cfg);
	ok(sandboxes_load(&e) == 0);
	a_hidden_one_is_found_by_name_only();
	a_prefix_is_enough_while_it_is_unique();
	what_is_saved_comes_back();
	after_a_reboot_nothing_runs();
	the_table_is_in_order_of_creation();
	a_clock_that_goes_back();
	a_power_cut_leaves_an_id();
	a_record_that_cannot_be_read_is_left_alone();
	a_record_that_is_none_is_set_aside();
	a_full_disk_is_an_error_that_names_the_sandbox();
	ok(rmdir(records) == 0 && rmdir(root) == 0);
	arena_free(arena);
	return tap_end();
}
