/* test_log_json.c - reactor/log_json.c and log_field.c: a line of the log, word by word, and as one JSON object. */
#include <stdlib.h>

#include "reactor/json.h"
#include "reactor/log_field.h"
#include "reactor/log_json.h"
#include "reactor/own.h"
#include "tests/tap.h"

static const char *object(const char *text)
{
	static char out[4096];

	log_json(out, sizeof(out), "T", "info", "crispd", text);
	return out;
}

#define HEAD "{\"time\":\"T\",\"level\":\"info\",\"program\":\"crispd\",\"event\":"

static void fields_are_members(void)
{
	is_str(object("rpc_failed method=RunPodSandbox took_us=12 error=\"a \\\"b\\\" c=d\" pod=\"n/p\""),
	       HEAD "\"rpc_failed\",\"method\":\"RunPodSandbox\",\"took_us\":12,\"error\":\"a \\\"b\\\" c=d\","
		    "\"pod\":\"n/p\"}");
	is_str(object("ready"), HEAD "\"ready\"}");
	is_str(object(""), HEAD "\"\"}");
	is_str(object("keeper start pid=7 state=/run"), HEAD "\"keeper start\",\"pid\":7,\"state\":\"/run\"}");
}

static void the_key_says_what_is_a_number(void)
{
	is_str(object("e container=123456789012 took_ms=1.5 pid=-1 exit_code=0 age_ms=007 port=x count=1."),
	       HEAD "\"e\",\"container\":\"123456789012\",\"took_ms\":1.5,\"pid\":-1,\"exit_code\":0,"
		    "\"age_ms\":\"007\",\"port\":\"x\",\"count\":\"1.\"}");
	is_str(object("e pid=\"7\""), HEAD "\"e\",\"pid\":\"7\"}");
}

static void words_belong_to_what_stands_before(void)
{
	is_str(object("bus_lost error=No such file pid=3 holds its lock"),
	       HEAD "\"bus_lost\",\"error\":\"No such file\",\"pid\":\"3 holds its lock\"}");
}

static void no_key_is_twice(void)
{
	is_str(object("e a=1 a=2 program=x event=3 level=l time=t"),
	       HEAD "\"e\",\"a\":\"1\",\"program_\":\"x\",\"event_\":\"3\",\"level_\":\"l\",\"time_\":\"t\"}");
}

/* The escapes of the text are undone, and JSON's own are made: no byte of it is other than printable ASCII. */
static void bytes_of_all_kinds(void)
{
	is_str(object("e v=\"\\x0a\\xc3\\xa4\\xf0\\x9f\\x98\\x80\\xff\\\\x41 \\x1b\\x7f\" w=\\x0a"),
	       HEAD "\"e\",\"v\":\"\\u000a\\u00e4\\ud83d\\ude00\\\\xff\\\\x41 \\u001b\\u007f\",\"w\":\"\\\\x0a\"}");
}

static void what_is_cut_is_an_object(void)
{
	char text[2100], out[600];

	for (size_t n = 1; n < sizeof(text) - 1; n++) {
		const char *quote = n % 3 ? "\"" : "";
		struct err e;
		auto_json json_t *j = NULL;

		snprintf(text, sizeof(text), "event a=1 b=%s", quote);
		memset(text + strlen(text), n % 2 ? '\\' : 'x', n < sizeof(text) - 20 ? n : sizeof(text) - 20);
		text[n < sizeof(text) - 20 ? n + 12 : sizeof(text) - 8] = '\0';
		j = json_parse(out, log_json(out, sizeof(out), "T", "info", "p", text), "line", &e);
		if (!j || strlen(out) >= sizeof(out))
			ok(!"an object");
	}
	ok(true);
}

static void a_text_is_read_word_by_word(void)
{
	const char *at = "ev a=1  b=\"x y\" c= \"z\" =d";
	struct log_field f;
	char text[8];

	ok(log_field_next(&at, &f) && !f.key && f.value_len == 2);
	ok(log_field_next(&at, &f) && log_field_is(&f, "a") && !log_field_is(&f, "ab") && f.value_len == 1);
	ok(log_field_next(&at, &f) && log_field_is(&f, "b") && f.quoted && log_field_text(&f, text, sizeof(text)) == 3);
	is_str(text, "x y");
	ok(log_field_text(&f, text, 3) == 2);
	ok(log_field_next(&at, &f) && log_field_is(&f, "c") && f.value_len == 0);
	ok(log_field_next(&at, &f) && !f.key && log_field_next(&at, &f) && !f.key && !log_field_next(&at, &f));
	ok(log_field_find("e x=\"a=1\" a=2", "a", &f) && *f.value == '2' && !log_field_find("e x=\"a=1\"", "a", &f));
	at = "a=\"";
	ok(log_field_next(&at, &f) && f.value_len == 0 && f.quoted && !log_field_next(&at, &f));
}

int main(void)
{
	fields_are_members();
	the_key_says_what_is_a_number();
	words_belong_to_what_stands_before();
	no_key_is_twice();
	bytes_of_all_kinds();
	what_is_cut_is_an_object();
	a_text_is_read_word_by_word();
	return tap_end();
}
