/* report_page.h - the HTML page: conditions, plots, tables; no script, nothing from elsewhere. */
#ifndef BENCH_REPORT_PAGE_H
#define BENCH_REPORT_PAGE_H

#include "bench/figures.h"

/* before, after: crispd's /metrics page around the pods, for the waterfall; both NULL: none. */
int report_page(struct figures *f, const char *base, const char *before, const char *after, const char *path,
		struct err *e);

#endif
