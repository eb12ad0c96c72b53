/* test_yaml.c - JSON as YAML: what is quoted, and how maps stand. */
#include <stdlib.h>
#include <string.h>

#include "handlers/cli/yaml.h"
#include "tests/tap.h"

static void becomes(const char *json, const char *want)
{
	struct err e;
	auto_json json_t *j = json_parse(json, strlen(json), "test", &e);
	struct buf out = { 0 };

	cli_yaml_members(&out, j, 0);
	is_str(buf_str(&out), want);
	buf_free(&out);
}

int main(void)
{
	becomes("{}", "");
	becomes("{\"root\": \"/var/lib/crisp\", \"watchdog\": 180, \"selinux\": false}",
		"root: /var/lib/crisp\nwatchdog: 180\nselinux: false\n");
	becomes("{\"cni\": {\"bin_dirs\": [\"/a\", \"/b c\"], \"none\": []}}",
		"cni:\n  bin_dirs: [/a, \"/b c\"]\n  none: []\n");
	becomes("{\"runtimes\": {\"runc\": {\"default_annotations\": {\"a\": \"b: #\"}}, \"x\": {}}}",
		"runtimes:\n  runc:\n    default_annotations:\n      a: \"b: #\"\n  x: {}\n");
	becomes("{\"a\": \"true\", \"b\": \"No\", \"c\": \"12\", \"d\": \"\", \"e\": \"~\", \"f\": \"5%\", "
		"\"g\": \"null\"}",
		"a: \"true\"\nb: \"No\"\nc: \"12\"\nd: \"\"\ne: \"~\"\nf: \"5%\"\ng: \"null\"\n");
	becomes("{\"on\": \"q\\\"u\\n\", \"l\": [{\"a\": [1, \"b\"]}, \"unix:///x\"]}",
		"\"on\": \"q\\\"u\\n\"\nl: [{a: [1, b]}, \"unix:///x\"]\n");
	return tap_end();
}
