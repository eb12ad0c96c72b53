/* record_keep.c - see record_keep.h.
 *
 *   nothing to do --a record is written--> a second --> a child syncs up to BATCH records --> nothing to do
 *                                             ^                       |
 *                                             +--more, or it failed---+
 *
 * A second: the three to ten writes of a pod's start are synced once, and a pod that is gone by then costs nothing. A
 * failure (no keeper, an error of the disk) loses nothing while the machine runs: the older generations stay, and the
 * next try comes after RETRY_MS.
 * Waits on: the timer; the child. */
#include "handlers/record_keep.h"

#include <stdbool.h>

#include "images/unpack.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/record_sync.h"

enum { DELAY_MS = 1000, RETRY_MS = 5000, BATCH = 256 };

static struct timer timer;
static bool failing; /* the last try failed: it was logged */
static int64_t begun_ns;

static void on_record_keep_time(struct timer *t);

static void record_keep_soon(void)
{
	if (!timer_is_set(&timer))
		timer_set(&timer, DELAY_MS, on_record_keep_time);
}

static void on_record_keep_synced(void *arg, const struct err *e)
{
	(void)arg;
	if (e && !failing)
		log_warn("record_sync error=%s", log_quote(e->msg));
	else if (!e)
		log_debug("records_synced took_ms=%.1f", (double)(loop_mono_ns() - begun_ns) / 1e6);
	failing = e != NULL;
	record_sync_done(!e);
	if (record_sync_waits())
		timer_set(&timer, e ? RETRY_MS : DELAY_MS, on_record_keep_time);
}

static void on_record_keep_time(struct timer *t)
{
	const char *paths[BATCH + 1];
	size_t n = record_sync_take(paths, BATCH);

	(void)t;
	paths[n] = NULL;
	begun_ns = loop_mono_ns();
	if (n > 0)
		unpack_sync_files(paths, on_record_keep_synced, NULL);
}

void record_keep_open(void)
{
	record_sync_on_ring(record_keep_soon);
}
