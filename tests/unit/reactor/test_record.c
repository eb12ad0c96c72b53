/* test_record.c - reactor/: fields, json, record on a real directory. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/fields.h"
#include "reactor/log.h"
#include "reactor/record.h"
#include "tests/tap.h"

struct leg {
	const char *name;
	int32_t toes;
};

struct animal {
	const char *name;
	bool wild;
	int64_t born_ns;
	uint64_t big;
	struct strings foods;
	struct pairs labels;
	struct ints sizes;
	struct leg tail;
	struct { struct leg *at; size_t n; } legs;
};

static const struct field leg_fields[] = { F_STR(struct leg, name), F_I32(struct leg, toes), F_END };
static const struct field animal_fields[] = {
	F_STR(struct animal, name),
	F_BOOL(struct animal, wild),
	F_I64(struct animal, born_ns),
	F_U64(struct animal, big),
	F_STRINGS(struct animal, foods),
	F_PAIRS(struct animal, labels),
	F_INTS(struct animal, sizes),
	F_STRUCT(struct animal, tail, leg_fields),
	F_ARRAY(struct animal, legs, leg_fields),
	F_END,
};

static const char *foods[] = { "hay", "" };
static struct pair labels[] = { { "k", "v" }, { "k", "\xff\xfe raw" }, { "k3", "four" } };
static int64_t sizes[] = { -1, INT64_MAX };
static struct leg legs[] = { { "front", 2 }, { "back", INT32_MIN } };
static const struct animal goat = {
	"goat",        true,         1234567890123456789, UINT64_MAX,  { foods, 2 },
	{ labels, 3 }, { sizes, 2 }, { "t", 0 },          { legs, 2 },
};

static void struct_survives_both_ways(void)
{
	struct arena *a = arena_new();
	struct animal back;
	struct err e;
	auto_json json_t *j = fields_to_json(animal_fields, &goat);

	ok(fields_from_json(animal_fields, &back, j, a, &e) == 0);
	ok(fields_equal(animal_fields, &goat, &back));
	is_str(back.labels.at[1].value, "\xff\xfe raw");
	is_str(back.foods.at[1], "");
	is_str(pairs_get(&back.labels, "k3"), "four");
	ok(pairs_get(&back.labels, "none") == NULL);
	ok(back.big == UINT64_MAX && back.born_ns == goat.born_ns && back.legs.at[1].toes == INT32_MIN);
	arena_free(a);
}

static void absent_is_empty_never_null(void)
{
	struct arena *a = arena_new();
	auto_json json_t *j = json_object();
	struct animal back;
	struct err e;

	memset(&back, 0x5a, sizeof(back));
	ok(fields_from_json(animal_fields, &back, j, a, &e) == 0);
	is_str(back.name, "");
	is_str(back.tail.name, "");
	ok(back.legs.n == 0 && back.labels.n == 0 && !back.wild);
	arena_free(a);
}

static void wrong_type_is_named(void)
{
	struct arena *a = arena_new();
	struct animal back;
	struct err e;
	auto_json json_t *j = json_parse("{\"legs\":[{\"toes\":\"x\"}]}", 23, "test", &e);

	ok(fields_from_json(animal_fields, &back, j, a, &e) < 0);
	is_str(e.msg, "legs: toes: not of the expected type");
	arena_free(a);
}

static void hostile_json_is_refused(void)
{
	char deep[400];
	struct err e;

	memset(deep, '[', 100);
	memset(deep + 100, ']', 100);
	ok(json_parse(deep, 200, "deep", &e) == NULL && strstr(e.msg, "64 levels"));
	ok(json_parse("{\"a\":1,\"a\":2}", 13, "twice", &e) == NULL);
	ok(json_parse("{\"a\":", 5, "cut", &e) == NULL && strstr(e.msg, "cut: line 1"));
}

static int seen;

static int on_record(void *arg, const char *name, const json_t *j, struct err *e)
{
	(void)arg;
	seen++;
	if (strcmp(name, "refused") == 0)
		return err_set(e, ERR_INTERNAL, "no");
	ok(strcmp(name, "one") == 0 && json_get_int(j, "n") == 1);
	return 0;
}

static bool exists(const char *dir, const char *file)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return access(path, F_OK) == 0;
}

static void put(const char *dir, const char *file, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

static void directory_of_records(void)
{
	char dir[] = "/tmp/test_record.XXXXXX", cmd[64];
	auto_json json_t *j = json_pack("{s:i}", "n", 1);
	auto_json json_t *back = NULL;
	struct err e;

	ok(mkdtemp(dir) != NULL);
	ok(record_write(dir, "one", 1, j, &e) == 0);
	back = record_read(dir, "one", 1, &e);
	ok(json_get_int(back, "n") == 1);
	ok(record_read(dir, "one", 2, &e) == NULL && e.code == ERR_INTERNAL);
	ok(record_read(dir, "none", 1, &e) == NULL && e.code == ERR_NOT_FOUND);
	put(dir, "torn.json", "{\"n\":");
	put(dir, "empty.json", "");
	put(dir, "refused.json", "{\"version\":1}");
	put(dir, "half.json.tmp", "{");
	ok(record_each(dir, 1, on_record, NULL, &e) == 0);
	ok(seen == 2);
	ok(exists(dir, "one.json") && exists(dir, "torn.json.corrupt") && exists(dir, "empty.json.corrupt"));
	ok(exists(dir, "refused.json.corrupt") && !exists(dir, "half.json.tmp"));
	record_remove(dir, "one");
	record_remove(dir, "one");
	ok(!exists(dir, "one.json"));
	snprintf(cmd, sizeof(cmd), "%s/gone/deeper", dir);
	ok(record_write(cmd, "x", 1, j, &e) < 0 && e.code == ERR_INTERNAL);
	put(dir, "z", "");
	for (const char *const *f = (const char *const[]){ "torn.json.corrupt", "empty.json.corrupt",
							   "refused.json.corrupt", "z", NULL };
	     *f; f++) {
		snprintf(cmd, sizeof(cmd), "%s/%s", dir, *f);
		unlink(cmd);
	}
	ok(rmdir(dir) == 0);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	struct_survives_both_ways();
	absent_is_empty_never_null();
	wrong_type_is_named();
	hostile_json_is_refused();
	directory_of_records();
	return tap_end();
}
