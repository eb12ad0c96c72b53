/* test_yaml_json.c - YAML from outside as JSON. */
#include "reactor/yaml_json.h"

#include <stdio.h>
#include <string.h>

#include "reactor/own.h"
#include "tests/tap.h"

static const char *const numbers[] = { "minor", "ids", NULL };
static const char *const switches[] = { "on", NULL };
static const struct yaml_types types = { numbers, switches };

static json_t *parse(const char *text, struct err *e)
{
	return yaml_parse(text, strlen(text), &types, "f.yaml", e);
}

static void is_json(const char *text, const char *want)
{
	struct err e = { 0 };
	auto_json json_t *json = parse(text, &e);
	auto_free char *got = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : own_must(strdup(e.msg));

	is_str(got, want);
}

static void its_forms(void)
{
	is_json("a: 1\nb:\n- x\n- y: z\n", "{\"a\":\"1\",\"b\":[\"x\",{\"y\":\"z\"}]}");
	is_json("{\"a\": [1, \"b\"], \"c\": {}}", "{\"a\":[\"1\",\"b\"],\"c\":{}}");
	is_json("---\na: |\n  two\n  lines\nb: >-\n  one\n  line\n...\n",
		"{\"a\":\"two\\nlines\\n\",\"b\":\"one line\"}");
	is_json("word", "\"word\"");
}

static void a_member_decides_the_type(void)
{
	is_json("name: 0\nversion: 1.10\nanswer: no\n", "{\"name\":\"0\",\"version\":\"1.10\",\"answer\":\"no\"}");
	is_json("minor: 195\nids: [1, 0x10, 0o17, 017, -3]", "{\"minor\":195,\"ids\":[1,16,15,15,-3]}");
	is_json("minor: '195'", "{\"minor\":\"195\"}");
	is_json("minor: {a: 5}\nids: [{b: 5}]", "{\"minor\":{\"a\":\"5\"},\"ids\":[{\"b\":\"5\"}]}");
	is_json("minor: 9223372036854775808", "{\"minor\":\"9223372036854775808\"}");
	is_json("minor: 1e3", "{\"minor\":\"1e3\"}");
	is_json("ids: [0x, 08, --1, '', 0x-1, +7]", "{\"ids\":[\"0x\",\"08\",\"--1\",\"\",\"0x-1\",7]}");
	is_json("on: true\noff: true\n", "{\"on\":true,\"off\":\"true\"}");
	is_json("on: yes", "{\"on\":\"yes\"}");
	is_json("a:\nb: ~\nc: null\nd: ''", "{\"a\":null,\"b\":null,\"c\":null,\"d\":\"\"}");
	is_json("a: !!str 5", "{\"a\":\"5\"}");
}

static void what_is_refused(void)
{
	is_json("", "f.yaml: nothing is in it");
	is_json("a: 1\n---\nb: 2\n", "f.yaml: line 2: a second document");
	is_json("a: &x 1\nb: *x\n", "f.yaml: line 1: anchors (&) are not supported");
	is_json("a: *x\n", "f.yaml: line 1: aliases (*) are not supported");
	is_json("a: &x [1]\n", "f.yaml: line 1: anchors (&) and tags (!) are not supported");
	is_json("a: !!int 5\n", "f.yaml: line 1: tags (!) are not supported");
	is_json("a: 1\na: 2\n", "f.yaml: line 2: a key that was there before");
	is_json("? [1]\n: 2\n", "f.yaml: line 1: a key that is no word");
	is_json("a: \"\\0\"\n", "f.yaml: line 1: a zero byte");
	is_json("a: [1\nb: 2\n", "f.yaml: line 2: did not find expected ',' or ']'");
}

static void its_limits(void)
{
	static char text[YAML_BYTES_MAX + 2];
	struct err e;

	memset(text, '[', 65);
	ok(!parse(text, &e) && strstr(e.msg, "nested too deep"));
	memset(text, ' ', sizeof(text) - 1);
	ok(!parse(text, &e) && strstr(e.msg, "262145 bytes; 262144 are allowed"));
	text[0] = '[';
	for (size_t i = 1; i < YAML_BYTES_MAX - 1; i += 2)
		memcpy(text + i, "1,", 2);
	text[YAML_BYTES_MAX] = '\0';
	ok(!parse(text, &e) && strstr(e.msg, "too many values"));
}

int main(void)
{
	its_forms();
	a_member_decides_the_type();
	what_is_refused();
	its_limits();
	return tap_end();
}
