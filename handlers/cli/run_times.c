/* run_times.c - see run_times.h. */
#include "handlers/cli/run_times.h"

#include <stdio.h>
#include <string.h>

#include "reactor/json.h"
#include "reactor/loop.h"

static const char *const words[] = {
#define X(name, word) [CLI_RUN_##name] = (word),
	CLI_RUN_STAGES(X)
#undef X
};

void cli_run_times_begin(struct cli_run_times *t)
{
	*t = (struct cli_run_times){ 0 };
	t->begun_ns = t->last_ns = loop_mono_ns();
}

void cli_run_times_end_of(struct cli_run_times *t, enum cli_run_stage stage)
{
	int64_t now = loop_mono_ns();

	t->ns[stage] += now - t->last_ns;
	t->last_ns = now;
}

void cli_run_times_starting(struct cli_run_times *t)
{
	t->starting_ns = loop_mono_ns();
}

void cli_run_times_first_byte(struct cli_run_times *t)
{
	if (!t->ns[CLI_RUN_FIRST_BYTE])
		t->ns[CLI_RUN_FIRST_BYTE] = loop_mono_ns() - t->starting_ns;
}

static double ms(int64_t ns)
{
	return (double)(ns / 1000) / 1000;
}

static void print_json(const struct cli_run_times *t)
{
	auto_json json_t *j = json_object();
	char name[32];

	for (int i = 0; i < CLI_RUN_STAGES_END; i++) {
		if (!t->ns[i])
			continue;
		snprintf(name, sizeof(name), "%s_ms", words[i]);
		for (char *c = name; *c; c++)
			*c = *c == ' ' ? '_' : *c;
		json_object_set_new(j, name, json_real(ms(t->ns[i])));
	}
	json_object_set_new(j, "total_ms", json_real(ms(loop_mono_ns() - t->begun_ns)));
	json_dumpf(j, stderr, JSON_COMPACT | JSON_REAL_PRECISION(12));
	fputc('\n', stderr);
}

void cli_run_times_print(const struct cli_run_times *t, bool json)
{
	if (json)
		return print_json(t);
	for (int i = 0; i < CLI_RUN_STAGES_END; i++)
		if (t->ns[i])
			fprintf(stderr, "crisp: %-10s %9.1f ms\n", words[i], ms(t->ns[i]));
	fprintf(stderr, "crisp: %-10s %9.1f ms\n", "total", ms(loop_mono_ns() - t->begun_ns));
}
