/* report_page.c - see report_page.h. */
#include "bench/report_page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "bench/plot.h"
#include "bench/report.h"
#include "reactor/buf.h"
#include "reactor/own.h"

/* A wide plot or table is moved inside of its own box, so that the page fits a narrow window. */
static const char head[] =
	"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>crisp-bench</title>\n"
	"<meta name=\"viewport\" content=\"width=device-width\"><style>\n"
	":root{color-scheme:light dark}\n"
	"body{font:15px/1.45 sans-serif;margin:1.5em auto;max-width:1180px;padding:0 1em;color:#222;background:#fff}\n"
	"h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em;border-bottom:1px solid #999}\n"
	"pre{font-size:12px;line-height:1.35;overflow-x:auto;background:#f6f6f6;padding:1em}\n"
	"table{border-collapse:collapse}td,th{padding:.1em 1em .1em 0;text-align:left;vertical-align:top;"
	"overflow-wrap:anywhere}td:first-child,th{overflow-wrap:normal}\n"
	".box{overflow-x:auto}.box svg{display:block;max-width:100%;height:auto}\n"
	".box svg[width=\"1140\"]{min-width:900px}\n"
	".runs{min-width:900px}.runs td:nth-child(-n+3){white-space:nowrap}\n"
	".key span{margin-right:1.2em;white-space:nowrap}\n"
	".key b{display:inline-block;width:.9em;height:.9em;margin-right:.4em;vertical-align:-.1em}\n"
	".bad{color:#b00}\n"
	"@media(prefers-color-scheme:dark){\n"
	"body{color:#ddd;background:#16181c}pre{background:#22252b}.bad{color:#ff8a80}\n"
	".box svg,.key b{filter:invert(.91) hue-rotate(180deg)}}\n"
	"</style></head><body>\n<h1>Pods, by crisp-bench</h1>\n";

struct page {
	struct buf text;
	const char *plots; /* a directory, or NULL */
};

static void escaped(struct buf *page, const char *text)
{
	for (; *text; text++) {
		if (*text == '<' || *text == '>' || *text == '&')
			buf_printf(page, "&#%d;", *text);
		else
			buf_append(page, text, 1);
	}
}

static void cell(struct buf *page, const char *tag, const char *text)
{
	buf_printf(page, "<%s>", tag);
	escaped(page, text);
	buf_printf(page, "</%s>", tag);
}

static void conditions(const struct figures *f, struct buf *page)
{
	const char *key;
	json_t *v;

	buf_puts(page, "<table>\n");
	json_object_foreach(f->conditions, key, v) {
		buf_puts(page, "<tr>");
		cell(page, "td", key);
		cell(page, "td", json_string_value(v));
		buf_puts(page, "</tr>\n");
	}
	buf_puts(page, "</table>\n");
}

static void runs(const struct figures *f, struct buf *page)
{
	static const char *const columns[] = { "scenario", "when", "load", "options", "endpoints" };
	enum { COLUMNS = sizeof(columns) / sizeof(*columns) };
	json_t *run;
	size_t i;

	if (!json_array_size(f->runs))
		return;
	buf_puts(page, "<h2 id=\"runs\">Runs</h2>\n<div class=\"box\"><table class=\"runs\"><tr>");
	for (size_t c = 0; c < COLUMNS; c++)
		cell(page, "th", columns[c]);
	buf_puts(page, "</tr>\n");
	json_array_foreach(f->runs, i, run) {
		buf_puts(page, "<tr>");
		for (size_t c = 0; c < COLUMNS; c++)
			cell(page, "td", json_get_str(f->arena, run, columns[c]));
		buf_puts(page, "</tr>\n");
	}
	buf_puts(page, "</table></div>\n");
}

static void errors(const struct figures *f, struct buf *page)
{
	json_t *line;
	size_t i;

	json_array_foreach(f->errors, i, line) {
		buf_puts(page, "<p class=\"bad\">failed: ");
		escaped(page, json_get_str(f->arena, line, "endpoint"));
		buf_puts(page, ": ");
		escaped(page, json_get_str(f->arena, line, "message"));
		buf_puts(page, "</p>\n");
	}
}

static int write_file(const char *path, struct buf *text, struct err *e)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "%s", path);
	while (text->len)
		if (buf_write(text, fd) < 0)
			return err_os(e, ERR_INTERNAL, "%s", path);
	return 0;
}

static void put_box(struct buf *page, const struct buf *svg)
{
	if (!svg->len)
		return;
	buf_puts(page, "<div class=\"box\">\n");
	buf_append(page, svg->at, svg->len);
	buf_puts(page, "</div>\n");
}

/* Adds the drawing to the page, and with --plots writes it to a file of that name. Takes the drawing. */
static int put_plot(struct page *p, const char *name, struct buf *svg, struct err *e)
{
	char path[1024];
	int rc = 0;

	put_box(&p->text, svg);
	if (p->plots && svg->len) {
		snprintf(path, sizeof(path), "%s/%s.svg", p->plots, name);
		rc = write_file(path, svg, e);
	}
	buf_free(svg);
	return rc;
}

static int waterfall(const char *before, const char *after, struct page *page, struct err *e)
{
	struct buf svg = { 0 };
	struct stage seen[STAGES_MAX];
	size_t n;
	int rc = stages_read(before, after, seen, &n, e);

	if (n) {
		buf_puts(&page->text, "<h2 id=\"waterfall\">Where a pod start's time goes</h2>\n");
		rc = plot_waterfall(seen, n, &svg, e);
		if (rc == 0)
			rc = put_plot(page, "waterfall", &svg, e);
	}
	return rc;
}

static bool first_mode(const struct figures *f, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(f->at[i].scenario, f->at[at].scenario) == 0 && strcmp(f->at[i].mode, f->at[at].mode) == 0)
			return false;
	return true;
}

static int peers(const struct figures *f, struct page *page, struct err *e)
{
	static const struct {
		const char *scenario, *name;
	} shown[] = { { "pod-start", "up" }, { "pod-start", "down" }, { "churn", "lives_per_s" }, { "exec", "exec" },
		      { "pull", "wall" },    { "restart", "serves" }, { "log", "throughput_mb_s" } };

	char name[64];

	buf_puts(&page->text, "<h2 id=\"peers\">Side by side</h2>\n");
	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
		struct buf svg = { 0 };

		snprintf(name, sizeof(name), "%s-%s", shown[i].scenario, shown[i].name);
		if (plot_peers(f, shown[i].scenario, shown[i].name, &svg, e) < 0 || put_plot(page, name, &svg, e) < 0)
			return -1;
	}
	return 0;
}

static int by_pods(const struct figures *f, struct page *page, struct err *e)
{
	static const char *const calls[] = { "list_pods",  "list_containers", "pod_status", "container_status",
					     "list_stats", "list_pod_stats",  NULL };
	static const char *const memory[] = { "uss_kib", "pss_kib", "node_per_pod_kib", NULL };
	struct buf plots[3] = { 0 };
	int rc = plot_by_pods(f, "density", calls, "latency, median", &plots[0], e);

	if (rc == 0)
		rc = plot_by_pods(f, "list", calls, "latency, median", &plots[1], e);
	if (rc == 0)
		rc = plot_by_pods(f, "density", memory, "memory of the daemons", &plots[2], e);
	if (plots[0].len || plots[1].len || plots[2].len)
		buf_puts(&page->text, "<h2 id=\"pods\">Latency and memory over the number of pods</h2>\n");
	for (size_t i = 0; i < 3; i++) {
		static const char *const names[] = { "latency-by-pods", "list-by-pods", "memory-by-pods" };

		if (rc == 0)
			rc = put_plot(page, names[i], &plots[i], e);
		buf_free(&plots[i]);
	}
	return rc;
}

static void key(const struct figures *f, struct buf *page)
{
	const char *name;

	buf_puts(page, "<p class=\"key\">");
	for (size_t i = 0; (name = figures_nth_endpoint(f, i)); i++) {
		buf_printf(page, "<span><b style=\"background:%s\"></b>", plot_colour(f, name));
		escaped(page, name);
		buf_puts(page, "</span> ");
	}
	buf_puts(page, "</p>\n");
}

static int distributions(const struct figures *f, struct buf *page, struct err *e)
{
	int rc = 0;

	buf_puts(page, "<h2 id=\"cdf\">Each call, cumulative</h2>\n");
	key(f, page);
	for (size_t i = 0; i < f->n && rc == 0; i++) {
		const struct figure *at = &f->at[i];
		struct buf svg = { 0 };

		if (!first_mode(f, i) || strcmp(at->scenario, "density") == 0 || strcmp(at->scenario, "list") == 0)
			continue;
		rc = plot_cdf(f, at->scenario, at->mode, &svg, e);
		if (svg.len) {
			buf_puts(page, "<h3>");
			escaped(page, at->scenario);
			buf_puts(page, ", ");
			escaped(page, at->mode);
			buf_puts(page, "</h3>\n");
		}
		put_box(page, &svg);
		buf_free(&svg);
	}
	return rc;
}

static int table(struct figures *f, const char *base, const char *before, const char *after, struct buf *page,
		 struct err *e)
{
	auto_free char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int rc = 0;

	if (!out)
		return err_os(e, ERR_INTERNAL, "memory stream");
	report_table(f, base, out);
	if (before)
		rc = stages_print(before, after, out, e);
	fclose(out);
	buf_puts(page, "<h2 id=\"table\">Every figure</h2>\n<pre>");
	escaped(page, text);
	buf_puts(page, "</pre>\n");
	return rc;
}

int report_page(struct figures *f, const struct report_paths *paths, const char *base, struct err *e)
{
	struct page page = { .plots = paths->plots };
	int rc;

	buf_puts(&page.text, head);
	conditions(f, &page.text);
	runs(f, &page.text);
	errors(f, &page.text);
	rc = peers(f, &page, e);
	if (rc == 0 && paths->before)
		rc = waterfall(paths->before, paths->after, &page, e);
	if (rc == 0)
		rc = by_pods(f, &page, e);
	if (rc == 0)
		rc = distributions(f, &page.text, e);
	if (rc == 0)
		rc = table(f, base, paths->before, paths->after, &page.text, e);
	buf_puts(&page.text, "</body></html>\n");
	if (rc == 0)
		rc = write_file(paths->html, &page.text, e);
	buf_free(&page.text);
	return rc;
}
