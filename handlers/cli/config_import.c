/* config_import.c - see config_import.h. */
#include "handlers/cli/config_import.h"

#include <stdio.h>

#include "handlers/cli/import.h"
#include "handlers/cli/program.h"
#include "handlers/cli/yaml.h"
#include "reactor/own.h"
#include "reactor/small_file.h"

enum { FILE_MAX = 1 << 20 };

struct source {
	struct cli *cli;
	const char *file;
};

static void on_import_note(void *arg, int line, const char *what, const char *words)
{
	const struct source *s = arg;
	struct arena *a = s->cli->arena;

	cli_print_plainly(arena_printf(a, "%s%s: %s\n", line ? arena_printf(a, "%s:%d: ", s->file, line) : "", what,
				       words), stderr);
}

static int files_read(struct import *im, struct source *s, const struct strings *files, struct err *e)
{
	for (size_t i = 0; i < files->n; i++) {
		auto_free char *text = NULL;
		size_t len;

		s->file = files->at[i];
		text = small_file_read(s->file, FILE_MAX, &len, ERR_INVALID_ARGUMENT, e);
		if (!text || import_add(im, text, len, s->file, e) < 0)
			return -1;
	}
	return 0;
}

int cli_config_import(struct cli *c, const struct strings *files)
{
	struct source source = { c, "" };
	struct import im = { .arena = c->arena, .tell = on_import_note, .arg = &source };
	struct buf out = { 0 };
	struct err e;
	int failed;

	import_open(&im);
	failed = files_read(&im, &source, files, &e);
	if (!failed) {
		import_end(&im, cli_program);
		for (size_t i = 0; i < files->n; i++)
			buf_printf(&out, "# from %s\n", files->at[i]);
		cli_yaml_members(&out, im.config, 0);
		cli_print_plainly(buf_str(&out), stdout);
	}
	import_close(&im);
	buf_free(&out);
	return failed ? cli_fail(c, &e, "config import") : 0;
}
