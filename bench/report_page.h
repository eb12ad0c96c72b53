/* report_page.h - the HTML page: conditions, plots and tables; without scripts and without external resources. */
#ifndef BENCH_REPORT_PAGE_H
#define BENCH_REPORT_PAGE_H

#include "bench/figures.h"

struct report_paths {
	const char *html;
	const char *before, *after; /* crispd's /metrics before and after the pods, for the waterfall; NULL: none */
	const char *plots;          /* a directory in which each plot is written as NAME.svg too; NULL: none */
};

int report_page(struct figures *f, const struct report_paths *paths, const char *base, struct err *e);

#endif
