/* conditions.c - see conditions.h. Specs: proc_cpuinfo(5), proc_loadavg(5), sysinfo(2), uname(2). */
#include "bench/conditions.h"

#include <string.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>

#include <linux/magic.h>

#include "api.pb-c.h"
#include "bench/cri_call.h"
#include "reactor/buf.h"
#include "reactor/own.h"

/* ---- writing ---- */

/* The rest of the first line of a file that begins with `key`, without the blanks and the colon; "" without such a
 * line. `line` is freed by the caller. */
static const char *line_of(const char *path, const char *key, char **line)
{
	auto_file FILE *in = fopen(path, "re");
	size_t size = 0;

	while (in && getline(line, &size, in) > 0) {
		if (strncmp(*line, key, strlen(key)) != 0)
			continue;
		(*line)[strcspn(*line, "\n")] = '\0';
		return *line + strlen(key) + strspn(*line + strlen(key), " \t:");
	}
	return "";
}

static const char *cgroup_version(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/cgroup", &fs) < 0)
		return "none";
	return fs.f_type == CGROUP2_SUPER_MAGIC ? "version 2" : "version 1";
}

static json_t *machine(void)
{
	auto_free char *cpu = NULL;
	const char *model = line_of("/proc/cpuinfo", "model name", &cpu);
	struct utsname name = { 0 };
	struct sysinfo info = { 0 };

	uname(&name);
	sysinfo(&info);
	return json_pack("{ss, ss, si, ss, sI, ss}", "kind", "conditions", "kernel", name.release, "cpus", get_nprocs(),
			 "cpu", *model ? model : name.machine, "memory_mib",
			 (json_int_t)((uint64_t)info.totalram * info.mem_unit >> 20), "cgroup", cgroup_version());
}

static void put_version(const struct endpoint *ep, struct buf *text)
{
	static const struct cri_method version = { "/runtime.v1.RuntimeService/Version",
						   &runtime__v1__version_response__descriptor };
	Runtime__V1__VersionRequest r = RUNTIME__V1__VERSION_REQUEST__INIT;
	const Runtime__V1__VersionResponse *answer;
	struct arena *a = arena_new();
	struct err e;

	answer = cri_ask(ep->client, &version, &r, a, NULL, &e);
	if (answer)
		buf_printf(text, "%s %s", answer->runtime_name, answer->runtime_version);
	else
		buf_printf(text, "no version: %s", e.msg);
	arena_free(a);
}

/* "crisp-runc is crisp 0.1.0 with the handler runc; floor is a program" */
static void put_endpoints(const struct bench *b, struct buf *text)
{
	for (size_t i = 0; i < b->endpoints; i++) {
		const struct endpoint *ep = &b->endpoint[i];

		buf_printf(text, "%s%s is ", i ? "; " : "", ep->name);
		if (ep->client)
			put_version(ep, text);
		else
			buf_puts(text, "a program");
		if (*ep->pods.runtime_handler)
			buf_printf(text, " with the handler %s", ep->pods.runtime_handler);
	}
}

void conditions_write(const struct bench *b, const char *options)
{
	auto_free char *load_line = NULL;
	const char *load = line_of("/proc/loadavg", "", &load_line);
	struct buf endpoints = { 0 };
	time_t now = time(NULL);
	char when[32];
	struct tm utc;

	strftime(when, sizeof(when), "%FT%TZ", gmtime_r(&now, &utc));
	put_endpoints(b, &endpoints);
	bench_write(b, machine());
	bench_write(b, json_pack("{ss, ss, ss, ss#, ss, ss}", "kind", "run", "scenario", b->scenario, "when", when,
				 "load", load, (int)strcspn(load, " "), "options", options, "endpoints",
				 buf_str(&endpoints)));
	buf_free(&endpoints);
}

/* ---- printing ---- */

void conditions_print(const struct figures *f, FILE *out)
{
	const char *key;
	json_t *v, *run;
	size_t i;

	if (!json_object_size(f->conditions) && !json_array_size(f->runs))
		fputs("the files say nothing of the conditions\n", out);
	json_object_foreach(f->conditions, key, v)
		fprintf(out, "%-12s %s\n", key, json_string_value(v));
	json_array_foreach(f->runs, i, run)
		fprintf(out, "%s, %s, load %s: %s\n    %s\n", json_get_str(f->arena, run, "scenario"),
			json_get_str(f->arena, run, "when"), json_get_str(f->arena, run, "load"),
			json_get_str(f->arena, run, "options"), json_get_str(f->arena, run, "endpoints"));
}

void conditions_compare(const struct figures *before, const struct figures *now, FILE *out)
{
	const char *key;
	json_t *v;

	if (!json_object_size(before->conditions) || !json_object_size(now->conditions)) {
		fprintf(out, "the %s run says nothing of its conditions\n",
			json_object_size(before->conditions) ? "new" : "old");
		return;
	}
	fputs("conditions that differ, old -> new:\n", out);
	json_object_foreach(before->conditions, key, v) {
		const json_t *is = json_object_get(now->conditions, key);

		if (!is || !json_equal(v, is))
			fprintf(out, "  %-12s %s -> %s\n", key, json_string_value(v),
				is ? json_string_value(is) : "not known");
	}
	json_object_foreach(now->conditions, key, v)
		if (!json_object_get(before->conditions, key))
			fprintf(out, "  %-12s not known -> %s\n", key, json_string_value(v));
}
