/* plot.c - see plot.h. Writes a gnuplot script that contains its data; gnuplot reads it from standard input. */
#include "bench/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "reactor/own.h"

extern char **environ;

static unsigned serial;

/* Distinct on white, and on black when a dark page inverts lightness and keeps the hue. */
static const char *const colours[] = { "#0b62a4", "#e08e0b", "#2fa84f", "#d1495b", "#7d4fa8", "#12a0b5",
				       "#8c5a2b", "#d667b0", "#7f7f00", "#555555", "#1b3a8a", "#00695c" };
enum { COLOURS = sizeof(colours) / sizeof(*colours), TICS = 4 };

static void plot_begin(struct buf *script, int width, int height)
{
	buf_printf(script,
		   "set terminal svg size %d,%d name \"p%u\" background \"#ffffff\" font \"sans,13\"\n"
		   "set encoding utf8\nset grid\nset tics nomirror\nset border 3\n"
		   "set format '%%.10g'\n",
		   width, height, ++serial);
	for (size_t i = 0; i < COLOURS; i++)
		buf_printf(script, "set linetype %zu lc rgb '%s' lw 2\n", i + 1, colours[i]);
}

/* The line type of an endpoint, from 1 on: its place among the endpoints of all files, so that it has one colour in
 * every plot. */
static size_t line_type(const struct figures *f, const char *endpoint)
{
	const char *name;
	size_t place = 0;

	while ((name = figures_nth_endpoint(f, place)) && strcmp(name, endpoint) != 0)
		place++;
	return place % COLOURS + 1;
}

const char *plot_colour(const struct figures *f, const char *endpoint)
{
	return colours[line_type(f, endpoint) - 1];
}

/* At the left end, where a narrow window shows it. */
#define TITLE(text) "set tmargin 3\nset label 1 '" text "' at character 1,graph 1 offset 0,1.2 left noenhanced\n"

/* Tics from 0 on, TICS steps at the most: 1, 2 or 5 times a power of ten. gnuplot's own choice can be so many that the
 * labels of a narrow plot touch. */
static void set_tics(struct buf *script, char axis, double max)
{
	double least = max / TICS, step;

	buf_printf(script, "set %ctics autofreq\n", axis); /* not those of the panel before */
	if (!(max > 0) || !isfinite(max))
		return;
	step = pow(10, floor(log10(least)));
	if (step < least)
		step *= step * 2 >= least ? 2 : step * 5 >= least ? 5 : 10;
	buf_printf(script, "set %ctics 0,%g\n", axis, step);
}

/* An anonymous file with the bytes, its offset at the beginning. */
static int memory_file(const char *name, const void *bytes, size_t len)
{
	auto_fd int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return take_fd(&fd);
}

static int run_gnuplot(int in, int out, int words, struct err *e)
{
	char *const argv[] = { (char *)"gnuplot", NULL };
	posix_spawn_file_actions_t actions;
	int rc, status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, words, 2);
	rc = posix_spawnp(&pid, "gnuplot", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc)
		return err_set(e, ERR_FAILED_PRECONDITION, "gnuplot: %s (install gnuplot-nox)", strerror(rc));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status ? err_set(e, ERR_INTERNAL, "gnuplot failed") : 0;
}

static void read_all(int fd, struct buf *to)
{
	lseek(fd, 0, SEEK_SET);
	while (buf_read(to, fd, 65536) > 0)
		;
}

/* The script's drawing without the XML prologue. */
static int plot_draw(struct buf *script, struct buf *svg, struct err *e)
{
	auto_fd int in = memory_file("script", script->at, script->len), out = memory_file("svg", "", 0),
		    words = memory_file("words", "", 0);
	struct buf text = { 0 };
	const char *at;
	int rc;

	if (in < 0 || out < 0 || words < 0)
		return err_os(e, ERR_INTERNAL, "memory file");
	rc = run_gnuplot(in, out, words, e);
	read_all(rc < 0 ? words : out, &text);
	at = buf_str(&text);
	if (rc < 0 && e->code == ERR_INTERNAL)
		err_set(e, ERR_INTERNAL, "gnuplot: %.300s", at);
	else if (rc == 0 && (at = strstr(at, "<svg")))
		buf_puts(svg, at);
	else if (rc == 0)
		rc = err_set(e, ERR_INTERNAL, "gnuplot drew nothing");
	buf_free(&text);
	return rc;
}

/* ---- cumulative distributions ---- */

static void cdf_data(struct buf *script, struct figure *f, size_t id)
{
	samples_quantile(&f->samples, 1); /* sorts */
	buf_printf(script, "$d%zu << EOD\n", id);
	for (size_t i = 0; i < f->samples.n; i++)
		buf_printf(script, "%.6g %.6g\n", f->samples.v[i], 100.0 * (double)(i + 1) / (double)f->samples.n);
	buf_puts(script, "EOD\n");
}

static bool belongs(const struct figure *f, const char *scenario, const char *mode)
{
	return strcmp(f->scenario, scenario) == 0 && strcmp(f->mode, mode) == 0 &&
	       strcmp(figure_unit(f->name), "ms") == 0 && f->samples.n > 1;
}

static bool first_of_name(const struct figures *f, size_t at, const char *scenario, const char *mode)
{
	for (size_t i = 0; i < at; i++)
		if (belongs(&f->at[i], scenario, mode) && strcmp(f->at[i].name, f->at[at].name) == 0)
			return false;
	return true;
}

static void cdf_panel(const struct figures *f, const char *scenario, const char *mode, const char *name,
		      struct buf *script)
{
	bool first = true;
	double max = 0;

	for (size_t i = 0; i < f->n; i++)
		if (belongs(&f->at[i], scenario, mode) && strcmp(f->at[i].name, name) == 0)
			max = fmax(max, samples_quantile(&f->at[i].samples, 1));
	set_tics(script, 'x', max);
	buf_printf(script, "set title '%s' noenhanced\nplot", name);
	for (size_t i = 0; i < f->n; i++) {
		if (!belongs(&f->at[i], scenario, mode) || strcmp(f->at[i].name, name) != 0)
			continue;
		buf_printf(script, "%s $d%zu using 1:2 with steps lt %zu title '%s' noenhanced", first ? "" : ",", i,
			   line_type(f, f->at[i].endpoint), f->at[i].endpoint); /* a browser shows the title */
		first = false;
	}
	buf_puts(script, "\n");
}

int plot_cdf(const struct figures *f, const char *scenario, const char *mode, struct buf *svg, struct err *e)
{
	struct buf script = { 0 };
	size_t panels = 0, columns, rows;
	int rc;

	for (size_t i = 0; i < f->n; i++)
		panels += belongs(&f->at[i], scenario, mode) && first_of_name(f, i, scenario, mode);
	columns = panels < 3 ? panels : 3;
	rows = columns ? (panels + columns - 1) / columns : 0;
	if (!panels)
		return 0;
	plot_begin(&script, (int)(columns * 380), (int)(rows * 280 + 20));
	for (size_t i = 0; i < f->n; i++)
		if (belongs(&f->at[i], scenario, mode))
			cdf_data(&script, &f->at[i], i);
	buf_printf(&script,
		   "set multiplot layout %zu,%zu\nunset key\nset xrange [0:*]\nset yrange [0:100]\nset xlabel "
		   "'ms'\nset format y '%%.0f%%%%'\nset ytics 0,25\n",
		   rows, columns);
	for (size_t i = 0; i < f->n; i++)
		if (belongs(&f->at[i], scenario, mode) && first_of_name(f, i, scenario, mode))
			cdf_panel(f, scenario, mode, f->at[i].name, &script);
	buf_puts(&script, "unset multiplot\n");
	rc = plot_draw(&script, svg, e);
	buf_free(&script);
	return rc;
}

/* ---- over the number of pods ---- */

static long pods_of(const char *mode)
{
	char *end;
	long n = strtol(mode, &end, 10);

	return strcmp(end, " pods") == 0 ? n : -1;
}

static bool at_pods(const struct figure *f, const char *scenario, const char *name)
{
	return strcmp(f->scenario, scenario) == 0 && strcmp(f->name, name) == 0 && pods_of(f->mode) >= 0;
}

static bool first_of_endpoint(const struct figures *f, size_t at, const char *scenario, const char *name)
{
	for (size_t i = 0; i < at; i++)
		if (at_pods(&f->at[i], scenario, name) && strcmp(f->at[i].endpoint, f->at[at].endpoint) == 0)
			return false;
	return true;
}

static void pods_panel(const struct figures *f, const char *scenario, const char *name, size_t panel,
		       struct buf *script)
{
	struct buf plots = { 0 };
	double most = 0, pods = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (!at_pods(&f->at[i], scenario, name))
			continue;
		most = fmax(most, samples_quantile(&f->at[i].samples, 0.5));
		pods = fmax(pods, (double)pods_of(f->at[i].mode));
	}
	set_tics(script, 'x', pods);
	set_tics(script, 'y', most);
	for (size_t i = 0; i < f->n; i++) {
		if (!at_pods(&f->at[i], scenario, name) || !first_of_endpoint(f, i, scenario, name))
			continue;
		buf_printf(script, "$p%zu_%zu << EOD\n", panel, i);
		for (size_t k = i; k < f->n; k++)
			if (at_pods(&f->at[k], scenario, name) && strcmp(f->at[k].endpoint, f->at[i].endpoint) == 0)
				buf_printf(script, "%ld %.6g\n", pods_of(f->at[k].mode),
					   samples_quantile(&f->at[k].samples, 0.5));
		buf_puts(script, "EOD\n");
		buf_printf(&plots, "%s $p%zu_%zu using 1:2 with linespoints lt %zu pt 7 ps 0.5 title '%s' noenhanced",
			   plots.len ? "," : "", panel, i, line_type(f, f->at[i].endpoint), f->at[i].endpoint);
	}
	buf_printf(script, "set title '%s' noenhanced\nset ylabel '%s'\nset yrange [0:*]\nplot%s\n", name,
		   figure_unit(name), buf_str(&plots));
	buf_free(&plots);
}

static bool has_name(const struct figures *f, const char *scenario, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (at_pods(&f->at[i], scenario, name))
			return true;
	return false;
}

int plot_by_pods(const struct figures *f, const char *scenario, const char *const *names, const char *title,
		 struct buf *svg, struct err *e)
{
	struct buf script = { 0 };
	size_t panels = 0, columns, rows, at = 0, endpoints = 0;
	int rc;

	for (size_t i = 0; names[i]; i++)
		panels += has_name(f, scenario, names[i]);
	while (figures_nth_endpoint(f, endpoints))
		endpoints++; /* each is a line of the key below a panel */
	if (!panels)
		return 0;
	columns = panels < 3 ? panels : 3;
	rows = (panels + columns - 1) / columns;
	plot_begin(&script, (int)(columns * 380), (int)(rows * (260 + 18 * endpoints) + 40));
	buf_printf(&script,
		   "set multiplot layout %zu,%zu title '%s'\nset key below\nset xrange [0:*]\nset xlabel 'pods'\n",
		   rows, columns, title);
	for (size_t i = 0; names[i]; i++)
		if (has_name(f, scenario, names[i]))
			pods_panel(f, scenario, names[i], at++, &script);
	buf_puts(&script, "unset multiplot\n");
	rc = plot_draw(&script, svg, e);
	buf_free(&script);
	return rc;
}

/* ---- peers side by side ---- */

/* A row: place, median, both ends of the whisker, line type. */
static void peers_row(const struct figures *f, struct figure *at, size_t row, struct buf *script, struct buf *tics)
{
	struct samples *s = &at->samples;
	bool enough = samples_enough(s->n, 0.9);

	buf_printf(script, "%zu %.6g %.6g %.6g %zu\n", row, samples_quantile(s, 0.5),
		   enough ? samples_quantile(s, 0.1) : s->v[0], samples_quantile(s, enough ? 0.9 : 1),
		   line_type(f, at->endpoint));
	buf_printf(tics, "%s'%s, %s (%zu)' %zu", row ? ", " : "", at->endpoint, at->mode, s->n, row);
}

int plot_peers(const struct figures *f, const char *scenario, const char *name, struct buf *svg, struct err *e)
{
	struct buf script = { 0 }, tics = { 0 };
	size_t rows = 0;
	int rc;

	plot_begin(&script, 1140, 60);
	buf_puts(&script, "$d << EOD\n");
	for (size_t i = 0; i < f->n; i++) {
		struct figure *at = &f->at[i];

		if (strcmp(at->scenario, scenario) == 0 && strcmp(at->name, name) == 0 && at->samples.n)
			peers_row(f, at, rows++, &script, &tics);
	}
	buf_printf(&script,
		   "EOD\nset terminal svg size 1140,%d\n"
		   TITLE("%s: %s, median (n); whiskers p10 to p90, all when n < 30")
		   "set xlabel '%s'\n"
		   "unset key\nset xrange [0:*]\nset yrange [%.1f:-0.6]\nset ytics (%s) noenhanced\nset style fill "
		   "solid 0.8\n"
		   "plot $d using ($2/2):1:($2/2):(0.35):5 with boxxyerror lc variable title 'median', $d using "
		   "2:1:3:4 with xerrorbars lc rgb '#222222' pt 0 title 'whiskers'\n",
		   (int)(rows * 28 + 110), scenario, name, figure_unit(name), (double)rows - 0.4, buf_str(&tics));
	rc = rows ? plot_draw(&script, svg, e) : 0;
	buf_free(&script);
	buf_free(&tics);
	return rc;
}

/* ---- waterfall ---- */

int plot_waterfall(const struct stage *stage, size_t n, struct buf *svg, struct err *e)
{
	struct buf script = { 0 }, tics = { 0 };
	size_t rows = 0;
	double at = 0;
	int rc;

	plot_begin(&script, 1140, 60);
	buf_puts(&script, "$d << EOD\n");
	for (size_t i = 0; i < n; i++) {
		double ms = histogram_mean(&stage[i].seconds) * 1e3;

		if (!stage[i].of_start)
			continue;
		buf_printf(&script, "%zu %.6g %.6g %.3f\n", rows, at, at + ms, ms);
		buf_printf(&tics, "%s'%s: %s' %zu", rows ? ", " : "", stage[i].rpc, stage[i].name, rows);
		at += ms;
		rows++;
	}
	buf_printf(&script,
		   "EOD\nset terminal svg size 1140,%d\n"
		   TITLE("a pod start inside crispd: mean of each stage, one after the other")
		   "set xlabel 'ms'\nunset key\n"
		   "set xrange [0:%.6g]\nset yrange [%.1f:-0.6]\nset ytics (%s) noenhanced\nset style fill solid 0.8\n"
		   "plot $d using (($2+$3)/2):1:(($3-$2)/2):(0.35) with boxxyerror lc 1 title 'mean', $d using "
		   "3:1:(sprintf('  %%.2f', $4)) with labels left title 'ms'\n",
		   (int)(rows * 30 + 120), at * 1.12, (double)rows - 0.4, buf_str(&tics));
	rc = rows ? plot_draw(&script, svg, e) : 0;
	buf_free(&script);
	buf_free(&tics);
	return rc;
}
