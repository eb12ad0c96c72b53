/* test_json.c - the first object of a long text is read without the rest of it. */
#include "reactor/json.h"

#include <string.h>

#include "reactor/own.h"
#include "tests/tap.h"

/* In the texts ' stands for ". */
static json_t *early(const char *text)
{
	auto_free char *json = own_must(strdup(text));

	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	return json_parse_early(json, strlen(json), "process");
}

static void what_stands_behind_is_not_read(void)
{
	auto_json json_t *process = early("{'v':'1','n':5,'process':{'args':['a{','}'],'env':{}},'linux':{'process'");

	ok(json_array_size(json_object_get(process, "args")) == 2);
	is_str(json_string_value(json_array_get(json_object_get(process, "args"), 0)), "a{");
}

static void another_form_is_not_taken(void)
{
	static const char *const others[] = {
		"", "{", "{'v':'1'}", "{'process':", "{'process':{", "{'process':{'a':1}", "{'process':{'a':1,'a':1}}",
		"{'process':5}", "{'process':[{}]}", "['process':{}]", "{'linux':{'process':{}},'process':{}}",
		"{'list':['process'],'process':{}}", "{'processes':{}}",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		auto_json json_t *j = early(others[i]);

		/* Its own end is not looked for: the rest of the text may be anything. */
		ok((j != NULL) == (strcmp(others[i], "{'process':{'a':1}") == 0));
	}
}

/* {"v":"\"process\":{}"}: the quotes of a string are escaped. */
static void a_string_is_no_member(void)
{
	static const char text[] = "{\"v\":\"\\\"process\\\":{}\",\"process\":{\"a\":1}}";
	auto_json json_t *j = json_parse_early(text, sizeof(text) - 1, "process");

	/* The brace in the string keeps it from being read so. */
	ok(j == NULL);
}

int main(void)
{
	what_stands_behind_is_not_read();
	another_form_is_not_taken();
	a_string_is_no_member();
	return tap_end();
}
