/* test_record.c - reactor/: fields, json, record on a real directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/buf.h"
#include "reactor/fields.h"
#include "reactor/log.h"
#include "reactor/record.h"
#include "tests/fakes/disk.h"
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

static bool same_as_text(const struct field *table, const void *object)
{
	auto_json json_t *j = fields_to_json(table, object), *again = NULL;
	struct buf text = { 0 };
	struct err e;

	fields_to_text(&text, table, object);
	again = json_parse((char *)text.at, text.len, "own text", &e);
	buf_free(&text);
	return again && json_equal(j, again);
}

static bool is_joined(const struct field *table, const void *object)
{
	struct arena *a = arena_new();
	json_t *again;
	auto_json json_t *head = json_pack("{s:s}", "first", "}");
	auto_json json_t *expected = json_pack("{s:s, s:o}", "first", "}", "last", fields_to_json(table, object));
	const char *text = fields_join_text(a, head, "last", table, object);
	struct err e;
	bool same;

	again = json_parse(text, strlen(text), "own text", &e);
	same = again && json_equal(again, expected);
	json_decref(again);
	arena_free(a);
	return same;
}

static void text_is_the_same_as_the_tree(void)
{
	static const char *words[] = { "quote \" backslash \\ \n tab \t \x01 \x7f", "\xc3\xa4", "\xff", "" };
	struct animal odd = { .name = "", .tail = { "\"", INT32_MIN }, .foods = { words, 4 } };
	struct animal nothing = { .name = "" };

	ok(same_as_text(animal_fields, &goat));
	ok(is_joined(animal_fields, &goat));
	ok(same_as_text(animal_fields, &odd));
	ok(same_as_text(animal_fields, &nothing));
}

static void a_copy_is_deep(void)
{
	struct arena *a = arena_new();
	struct pair changed[] = { { "k", "v" }, { "k", "\xff\xfe raw" }, { "k3", "five" } };
	struct animal copy, other = goat, nothing = { .name = NULL };

	fields_copy(animal_fields, &copy, &goat, a);
	ok(fields_equal(animal_fields, &copy, &goat));
	ok(copy.name != goat.name && copy.labels.at != goat.labels.at);
	ok(copy.labels.at[0].key != goat.labels.at[0].key);
	ok(copy.legs.at != goat.legs.at && copy.sizes.at != goat.sizes.at && copy.foods.at != goat.foods.at);
	other.labels.at = changed;
	ok(!fields_equal(animal_fields, &copy, &other));
	other = goat;
	other.legs.n = 1;
	ok(!fields_equal(animal_fields, &copy, &other));
	fields_copy(animal_fields, &copy, &nothing, a);
	is_str(copy.name, "");
	is_str(copy.tail.name, "");
	ok(fields_equal(animal_fields, &copy, &nothing));
	arena_free(a);
}

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

/* "[U,U,...]" of n units. */
static bool list_parses(const char *unit, size_t n, struct err *e)
{
	struct buf b = { 0 };
	json_t *j, *own;

	buf_puts(&b, "[");
	for (size_t i = 0; i < n; i++) {
		buf_puts(&b, i ? "," : "");
		buf_puts(&b, unit);
	}
	buf_puts(&b, "]");
	j = json_parse((char *)b.at, b.len, "list", e);
	own = json_parse_own((char *)b.at, b.len, "own", e);
	ok(own != NULL);
	json_decref(own);
	if (!j)
		j = json_parse((char *)b.at, b.len, "list", e); /* for the message */
	buf_free(&b);
	json_decref(j);
	return j != NULL;
}

static void json_that_costs_too_much_is_refused(void)
{
	struct err e;

	ok(list_parses("\"A=1\"", 60000, &e));
	ok(list_parses("\"[,{:\\\",:\"", 60000, &e));
	ok(list_parses("{}", 32000, &e));
	ok(!list_parses("{}", 40000, &e));
	is_str(e.msg, "list: more than 65536 values");
	ok(!list_parses("{\"a\":1}", 30000, &e));
	ok(!list_parses("[]", 40000, &e) && !list_parses("1", 70000, &e));
	ok(!list_parses("{}", 2800000, &e));
	is_str(e.msg, "list: 8400001 bytes; 2097152 are allowed");
}

static int seen;

static int on_record(void *arg, const char *name, struct record *r, struct err *e)
{
	static const struct field fields[] = { { "n", FIELD_I64, 0, NULL, 0 }, F_END };
	struct arena *a = arena_new();
	int64_t n;

	(void)arg;
	seen++;
	if (strcmp(name, "refused") == 0) {
		arena_free(a);
		return err_set(e, ERR_INTERNAL, "no");
	}
	ok(strcmp(name, "one") == 0 && record_fields(r, fields, &n, a, e) == 0 && n == 1);
	arena_free(a);
	return 0;
}

/* The animal that was read, and its owner. */
static struct animal animal;
static struct arena *animal_arena;
static char owner[40];
static struct err animal_err;

static int on_animal(void *arg, const char *name, struct record *r, struct err *e)
{
	bool owned = arg;
	const char *word = owned ? record_word(r, "owner", e) : "";

	(void)name;
	snprintf(owner, sizeof(owner), "%s", word ? word : "(none)");
	if (word && record_fields(r, animal_fields, &animal, animal_arena, e) == 0)
		return 0;
	animal_err = *e;
	return -1;
}

static char lost[256]; /* names, sorted, a blank behind each */
static enum record_loss how_lost; /* the last one */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void on_lost(void *arg, const char *name, enum record_loss how)
{
	static char names[8][32], *sorted[8];
	static size_t n;
	char *to = lost;

	(void)arg;
	how_lost = how;
	if (!lost[0])
		n = 0;
	snprintf(names[n], sizeof(names[n]), "%s", name);
	n++;
	for (size_t i = 0; i < n; i++)
		sorted[i] = names[i];
	qsort(sorted, n, sizeof(*sorted), by_text);
	for (size_t i = 0; i < n; i++)
		to += sprintf(to, "%s ", sorted[i]);
}

static void forget_lost(void)
{
	lost[0] = '\0';
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

static void a_record_of_fields(void)
{
	char dir[] = "/tmp/test_record.XXXXXX";
	struct arena *a = arena_new();
	struct animal back;
	json_t *j;
	struct err e;

	ok(mkdtemp(dir) != NULL);
	ok(record_write_fields(dir, "goat", 1, animal_fields, &goat, &(struct pair){ "owner", "me" }, &e) == 0);
	j = record_read(dir, "goat", 1, &e);
	ok(j && fields_from_json(animal_fields, &back, j, a, &e) == 0 && fields_equal(animal_fields, &back, &goat));
	is_str(json_get_str(a, j, "owner"), "me");
	json_decref(j);
	animal_arena = a;
	ok(record_each(dir, 1, on_animal, NULL, dir, &e) == 0 && fields_equal(animal_fields, &animal, &goat));
	is_str(owner, "me");
	ok(record_write_fields(dir, "goat", 1, animal_fields, &(struct animal){ .name = "" }, NULL, &e) == 0);
	ok(record_each(dir, 1, on_animal, NULL, NULL, &e) == 0 && *animal.name == '\0' && animal.legs.n == 0);
	j = record_read(dir, "goat", 1, &e);
	ok(j && json_object_size(j) == 1);
	json_decref(j);
	record_remove(dir, "goat");
	ok(rmdir(dir) == 0);
	arena_free(a);
}

static bool parses(const char *text)
{
	return fields_parse(text, strlen(text), animal_fields, &animal, animal_arena);
}

/* The text of fields_to_text() and nothing else: other JSON is left to jansson. */
static void a_text_of_fields_is_parsed(void)
{
	static const char *const others[] = {
		"", "{", "}", "{}x", "{ }", "[]", "{\"x\":1}", "{\"name\":\"a\",}", "{\"name\":\"a\"\"wild\":true}",
		"{\"wild\":true,\"name\":\"a\"}", "{\"name\":\"a\",\"name\":\"b\"}", "{\"name\":1}", "{\"name\":\"a",
		"{\"name\":\"\\", "{\"name\":\"\\u0000\"}", "{\"name\":\"\\u0080\"}", "{\"name\":\"\\n\"}",
		"{\"name\":\"\xff\"}", "{\"name\":\"a\nb\"}", "{\"name\":\"\\u000\"}", "{\"wild\":false}",
		"{\"born_ns\":01}", "{\"born_ns\":-}", "{\"born_ns\":9223372036854775808}", "{\"born_ns\":1.5}",
		"{\"foods\":[]}", "{\"foods\":[\"a\",]}", "{\"foods\":[\"a\"}", "{\"labels\":[[\"a\"]]}",
		"{\"sizes\":[\"a\"]}", "{\"tail\":{\"toes\":2147483648}}", "{\"legs\":[{\"toes\":1}",
		"{\"labels\":[[\"k\",{\"base64\":\"/w==\"}]]}", NULL,
	};
	struct animal odd = goat;
	struct pair plain[] = { { "", "quote \" and \\ and \x01\x1f\x7f and \xc3\xa9" } };
	struct buf text = { 0 };

	animal_arena = arena_new();
	odd.labels = (struct pairs){ plain, 1 };
	odd.born_ns = INT64_MIN;
	odd.name = plain[0].value;
	fields_to_text(&text, animal_fields, &odd);
	ok(fields_parse((const char *)text.at, text.len, animal_fields, &animal, animal_arena));
	ok(fields_equal(animal_fields, &animal, &odd));
	for (size_t n = 0; n < text.len; n++)
		if (fields_parse((const char *)text.at, n, animal_fields, &animal, animal_arena))
			ok(!"a part of it is not parsed");
	buf_free(&text);
	ok(parses("{}") && *animal.name == '\0' && animal.sizes.n == 0);
	for (const char *const *t = others; *t; t++)
		if (parses(*t)) {
			printf("# %s\n", *t);
			ok(!"it is not parsed");
		}
	arena_free(animal_arena);
}

/* Written by hand, or torn: jansson reads it, or names the fault. */
static void a_record_that_was_edited(void)
{
	char dir[] = "/tmp/test_record.XXXXXX", path[64];
	struct err e;

	animal_arena = arena_new();
	ok(mkdtemp(dir) != NULL);
	put(dir, "a.json", "{\"version\":1,\"owner\":\"me\", \"wild\":false,\"name\":\"a\"}\n");
	ok(record_each(dir, 1, on_animal, NULL, dir, &e) == 0);
	is_str(animal.name, "a");
	is_str(owner, "me");
	put(dir, "a.json", "{\"owner\":\"you\",\"version\":1,\"name\":\"b\"}");
	ok(record_each(dir, 1, on_animal, NULL, dir, &e) == 0);
	is_str(animal.name, "b");
	is_str(owner, "you");
	for (const char *const *text = (const char *const[]){
		     "{\"version\":1,\"name\":\"b\"}", "{\"version\":1,\"owner\":\"me\",\"name\":\"b",
		     "{\"version\":11,\"owner\":\"me\"}", "{\"version\":1,\"owner\":\"me\",\"name\":1}", NULL };
	     *text; text++) {
		put(dir, "a.json", *text);
		ok(record_each(dir, 1, on_animal, NULL, dir, &e) == 0 && exists(dir, "a.json.corrupt"));
		snprintf(path, sizeof(path), "%s/a.json.corrupt", dir);
		unlink(path);
	}
	is_str(animal_err.msg, "name: not of the expected type");
	ok(rmdir(dir) == 0);
	arena_free(animal_arena);
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
	ok(record_read(dir, "one", 2, &e) == NULL && e.code == ERR_DATA_LOSS);
	ok(record_read(dir, "none", 1, &e) == NULL && e.code == ERR_NOT_FOUND);
	put(dir, "torn.json", "{\"n\":");
	put(dir, "empty.json", "");
	put(dir, "refused.json", "{\"version\":1}");
	put(dir, "half.json.tmp", "{");
	ok(record_each(dir, 1, on_record, on_lost, NULL, &e) == 0);
	ok(seen == 2);
	is_str(lost, "empty refused torn ");
	forget_lost();
	ok(record_each(dir, 1, on_record, on_lost, NULL, &e) == 0);
	is_str(lost, "empty refused torn "); /* until somebody removes the files */
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

/* A record that cannot be read now is as good as before when it can be read again. */
static void an_error_of_reading_is_no_damage(void)
{
	char dir[] = "/tmp/test_record.XXXXXX";
	auto_json json_t *j = json_pack("{s:i}", "n", 1);
	struct rlimit was, none;
	struct err e;

	ok(mkdtemp(dir) != NULL && record_write(dir, "one", 1, j, &e) == 0);
	forget_lost();
	seen = 0;
	for (size_t given = 0; given <= 8; given += 8) { /* nothing of it, and the first of two pages */
		disk_fails("one.json", EIO, given);
		forget_lost();
		ok(record_each(dir, 1, on_record, on_lost, NULL, &e) == 0 && seen == 0);
		is_str(lost, "one ");
		ok(how_lost == RECORD_UNREAD);
		ok(exists(dir, "one.json") && !exists(dir, "one.json.corrupt"));
	}
	disk_fails("one.json", ENOMEM, 0);
	ok(record_each(dir, 1, on_record, on_lost, NULL, &e) < 0 && e.code == ERR_RESOURCE_EXHAUSTED);
	disk_interrupts("one.json");
	ok(record_each(dir, 1, on_record, on_lost, NULL, &e) == 0 && seen == 1);
	seen = 0;
	getrlimit(RLIMIT_NOFILE, &was);
	none = was;
	none.rlim_cur = (rlim_t)dup(0) + 1; /* the fd that opendir(3) takes is the last one */
	close((int)none.rlim_cur - 1);
	setrlimit(RLIMIT_NOFILE, &none);
	ok(record_each(dir, 1, on_record, on_lost, NULL, &e) < 0 && e.code == ERR_RESOURCE_EXHAUSTED);
	setrlimit(RLIMIT_NOFILE, &was);
	ok(exists(dir, "one.json") && seen == 0);
	ok(record_each(dir, 1, on_record, on_lost, NULL, &e) == 0 && seen == 1);
	record_remove(dir, "one");
	ok(rmdir(dir) == 0);
}

static int on_refused(void *arg, const char *name, struct record *r, struct err *e)
{
	enum err_code *code = arg;

	(void)name;
	(void)r;
	return err_set(e, *code, "not now");
}

/* Nor is an error of the one that takes the record up. */
static void nor_is_an_error_of_its_reader(void)
{
	enum err_code code = ERR_UNAVAILABLE;
	char dir[] = "/tmp/test_record.XXXXXX";
	auto_json json_t *j = json_pack("{s:i}", "n", 1);
	struct err e;

	ok(mkdtemp(dir) != NULL && record_write(dir, "one", 1, j, &e) == 0);
	forget_lost();
	ok(record_each(dir, 1, on_refused, on_lost, &code, &e) == 0);
	is_str(lost, "one ");
	ok(how_lost == RECORD_UNREAD && exists(dir, "one.json"));
	code = ERR_RESOURCE_EXHAUSTED;
	ok(record_each(dir, 1, on_refused, on_lost, &code, &e) < 0 && exists(dir, "one.json"));
	code = ERR_INTERNAL;
	ok(record_each(dir, 1, on_refused, on_lost, &code, &e) == 0);
	ok(how_lost == RECORD_DAMAGED && exists(dir, "one.json.corrupt"));
	record_remove(dir, "one");
	ok(rmdir(dir) == 0);
}

/* Reads a record, and removes the other one of "one" and "two". */
static int on_first(void *dir, const char *name, struct record *r, struct err *e)
{
	(void)r;
	(void)e;
	record_remove(dir, strcmp(name, "one") == 0 ? "two" : "one");
	return 0;
}

/* Its name was read with the directory, and then it was removed: it is neither damaged nor lost. */
static void a_record_that_goes_meanwhile(void)
{
	char dir[] = "/tmp/test_record.XXXXXX";
	struct err e;

	ok(mkdtemp(dir) != NULL);
	put(dir, "one.json", "{\"version\":1,\"n\":1}");
	put(dir, "two.json", "{\"version\":1,\"n\":1}");
	forget_lost();
	ok(record_each(dir, 1, on_first, on_lost, dir, &e) == 0);
	is_str(lost, "");
	ok(exists(dir, "one.json") != exists(dir, "two.json"));
	record_remove(dir, "one");
	record_remove(dir, "two");
	ok(rmdir(dir) == 0);
}

/* What lies beside a record goes only where it is known that nobody needs it. */
static void older_generations(void)
{
	char dir[] = "/tmp/test_record.XXXXXX";
	struct err e;

	ok(mkdtemp(dir) != NULL);
	put(dir, "one.json", "{");
	put(dir, "one.json.old", "{\"version\":1,\"n\":1}");
	for (int i = 0; i < 2; i++) {
		forget_lost();
		ok(record_each(dir, 1, on_record, on_lost, NULL, &e) == 0);
		is_str(lost, "one ");
		ok(exists(dir, "one.json.corrupt") && exists(dir, "one.json.old")); /* for an operator */
	}
	record_remove(dir, "one");
	put(dir, "one.json.old", "{\"version\":1,\"n\":1}");
	disk_fails("one.json", EIO, 0);
	forget_lost();
	ok(record_each(dir, 1, on_record, on_lost, NULL, &e) == 0 && exists(dir, "one.json.old"));
	disk_fails("", 0, 0);
	ok(record_each(dir, 1, on_record, on_lost, NULL, &e) == 0 && !exists(dir, "one.json.old"));
	is_str(lost, "");
	ok(rmdir(dir) == 0);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	text_is_the_same_as_the_tree();
	a_copy_is_deep();
	struct_survives_both_ways();
	absent_is_empty_never_null();
	wrong_type_is_named();
	hostile_json_is_refused();
	json_that_costs_too_much_is_refused();
	a_record_of_fields();
	a_text_of_fields_is_parsed();
	a_record_that_was_edited();
	directory_of_records();
	an_error_of_reading_is_no_damage();
	nor_is_an_error_of_its_reader();
	older_generations();
	a_record_that_goes_meanwhile();
	return tap_end();
}
