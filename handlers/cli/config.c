/* config.c - the command config: the default configuration, the one in use, how they differ, whether a file is a good
 * one, which only crispd knows (`crispd --check`), and what another runtime's file is for crisp. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crisp.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/config_default.h"
#include "handlers/cli/config_import.h"
#include "handlers/cli/ready_config.h"
#include "handlers/cli/yaml.h"
#include "reactor/beside.h"
#include "reactor/own.h"
#include "reactor/places.h"

enum { ASK_MS = 5000 };

static Crisp__V1__ConfigurationResponse *config_ask(struct cli *c, struct err *e)
{
	Crisp__V1__ConfigurationRequest request = CRISP__V1__CONFIGURATION_REQUEST__INIT;

	return cli_call(c, "Configuration", &request, e);
}

/* A new reference. stateDir is another name of `state`, for critest. */
static json_t *config_object(const char *text, struct err *e)
{
	json_t *j = json_parse(text, strlen(text), "the answer", e);

	if (j)
		json_object_del(j, "stateDir");
	return j;
}

static void config_print(const struct cli *c, const json_t *j)
{
	struct buf out = { 0 };
	auto_free char *text = c->json ? own_must(json_dumps(j, JSON_INDENT(2))) : NULL;

	if (c->json)
		buf_printf(&out, "%s\n", text);
	else
		cli_yaml_members(&out, j, 0);
	cli_print_plainly(buf_str(&out), stdout);
	buf_free(&out);
}

static int config_dump(struct cli *c)
{
	auto_json json_t *j = NULL;
	Crisp__V1__ConfigurationResponse *r;
	struct err e;

	r = config_ask(c, &e);
	j = r ? config_object(r->used, &e) : NULL;
	if (!j)
		return cli_fail(c, &e, "config dump");
	for (size_t i = 0; !c->json && i < r->n_files; i++)
		cli_print_plainly(arena_printf(c->arena, "# %s\n", r->files[i]), stdout);
	config_print(c, j);
	return 0;
}

/* ---- diff ---- */

static void diff_line(struct buf *out, char sign, const char *key, const json_t *value)
{
	if (!value)
		return;
	buf_printf(out, "%c %s: ", sign, key);
	cli_yaml_value(out, value);
	buf_puts(out, "\n");
}

/* prefix: the keys above, as crisp-config(5) has them: "cni". Sections are maps in both; a runtime that only one of
 * them has is a line of its own. */
static void diff_maps(struct cli *c, struct buf *out, json_t *list, const char *prefix, const json_t *used,
		      const json_t *defaults)
{
	auto_json json_t *keys = json_object();
	const char *name;
	json_t *any;

	json_object_update(keys, (json_t *)defaults);
	json_object_update(keys, (json_t *)used);
	json_object_foreach(keys, name, any) {
		const json_t *is = json_object_get(used, name), *was = json_object_get(defaults, name);
		const char *key = arena_printf(c->arena, "%s%s%s", prefix, *prefix ? "." : "", name);

		if (is && was && json_equal((json_t *)is, (json_t *)was))
			continue;
		if (json_is_object(is) && json_is_object(was)) {
			diff_maps(c, out, list, key, is, was);
			continue;
		}
		diff_line(out, '-', key, was);
		diff_line(out, '+', key, is);
		json_object_set_new(list, key, json_pack("{s:O?, s:O?}", "default", was, "used", is));
	}
}

static int config_diff(struct cli *c)
{
	auto_json json_t *used = NULL, *defaults = NULL, *list = json_object();
	Crisp__V1__ConfigurationResponse *r;
	struct buf out = { 0 };
	struct err e;

	r = config_ask(c, &e);
	used = r ? config_object(r->used, &e) : NULL;
	defaults = used ? config_object(r->defaults, &e) : NULL;
	if (!defaults)
		return cli_fail(c, &e, "config diff");
	diff_maps(c, &out, list, "", used, defaults);
	if (c->json)
		config_print(c, list);
	else
		cli_print_plainly(buf_str(&out), stdout);
	buf_free(&out);
	return 0;
}

/* ---- check ---- */

/* ready: the path of config.ready, a copy whose first line names the file. */
static const char *file_of(struct cli *c, const char *ready)
{
	const char *slash = strrchr(ready, '/'), *file = NULL;
	struct err none;

	if (slash)
		json_decref(cli_ready_config(arena_strndup(c->arena, ready, (size_t)(slash - ready)), &file, c->arena,
					     &none));
	return file ? file : DEFAULT_CONFIG;
}

/* What the crispd that serves holds is no fault: it is told by its copy. Without one the addresses must be free. file
 * NULL: its own. */
static int config_check(struct cli *c, const char *file)
{
	static char crispd[BESIDE_SIZE];
	const char *argv[] = { beside_find(crispd, "crispd"), "--check", "--config", file, NULL, NULL, NULL };
	Crisp__V1__ConfigurationResponse *r;
	struct err e;

	if (!argv[0]) {
		err_set(&e, ERR_INTERNAL, "crispd is not found beside this program");
		return cli_fail(c, &e, "config check");
	}
	c->timeout_ms = c->timeout_ms ? c->timeout_ms : ASK_MS;
	r = config_ask(c, &e);
	if (r && access(r->ready, R_OK) == 0) {
		argv[4] = "--running";
		argv[5] = r->ready;
	}
	if (!file)
		argv[3] = r ? file_of(c, r->ready) : DEFAULT_CONFIG;
	execv(argv[0], (char *const *)argv);
	err_os(&e, ERR_INTERNAL, "execute %s", argv[0]);
	return cli_fail(c, &e, "config check");
}

static int config(struct cli *c, const struct cli_args *args)
{
	const struct strings *words = &args->operands;
	const char *verb = words->n ? words->at[0] : "";

	if (strcmp(verb, "default") == 0 && words->n == 1)
		return fputs(cli_config_default, stdout) < 0;
	if (strcmp(verb, "dump") == 0 && words->n == 1)
		return config_dump(c);
	if (strcmp(verb, "diff") == 0 && words->n == 1)
		return config_diff(c);
	if (strcmp(verb, "check") == 0 && words->n <= 2)
		return config_check(c, words->n == 2 ? words->at[1] : NULL);
	if (strcmp(verb, "import") == 0 && words->n >= 2)
		return cli_config_import(c, &(struct strings){ words->at + 1, words->n - 1 });
	return cli_misuse("config", "expected: `default`, `dump`, `diff`, `check [FILE]` or `import FILE...`");
}

const struct cli_command cli_config = {
	.name = "config",
	.operands = "default | dump | diff | check [FILE] | import FILE...",
	.summary = "show the configuration, try a file, or make one of another runtime's",
	.most = -1,
	.run = config,
	.more = "default prints the file with all keys as comments; it asks no daemon.\n"
		"dump prints all keys that crispd runs with, with their values, as YAML or, with --json, as JSON.\n"
		"The files that were read stand above as comments. It can be used as a configuration.\n"
		"diff prints the keys that have another value than by default: - the default, + the value.\n"
		"check tries a file, by default that of the crispd that serves, or " DEFAULT_CONFIG ", with the\n"
		"directory beside it, as a reload would. The exit code is 0 when it is good, and 78 when not.\n"
		"import makes a configuration of containerd's config.toml (version 1 to 3) or of CRI-O's crio.conf\n"
		"and its further files, in their order, and tells on stderr, by file and line, what has no\n"
		"counterpart.\n\n"
		"Examples:\n"
		"  crisp config diff\n"
		"  crisp config check ./config.yaml\n"
		"  crisp config import /etc/containerd/config.toml >/etc/crisp/config.d/10-imported.yaml\n"
		"  crisp config import /etc/crio/crio.conf /etc/crio/crio.conf.d/*\n"
		"  crisp config dump --json | jq .runtimes\n",
};
