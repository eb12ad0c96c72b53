/* report_page.h - the HTML page: conditions, plots, tables; no script, nothing from elsewhere. */
#ifndef BENCH_REPORT_PAGE_H
#define BENCH_REPORT_PAGE_H

#include "bench/figures.h"

struct report_paths {
	const char *html;
	const char *before, *after; /* crispd's /metrics page around the pods, for the waterfall; both NULL: none */
	const char *plots;          /* NULL, or the directory where each plot becomes a file NAME.svg too */
};

int report_page(struct figures *f, const struct report_paths *paths, const char *base, struct err *e);

#endif
