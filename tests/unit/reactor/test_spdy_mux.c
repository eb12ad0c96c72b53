/* test_spdy_mux.c - streams of a connection: opening, ending, windows, and peers that break the rules. */
#include "reactor/spdy_mux.h"

#include <stdlib.h>
#include <time.h>

#include "tests/tap.h"

/* A record of the frames that the mux sent and of the events that its user got. */
static struct {
	struct spdy_mux *mux;
	struct spdy_reader *reader;
	struct spdy_writer *writer;
	struct buf to_mux;
	char sent[1024], told[1024];
	size_t data_sent;
	bool reset_in_data;
} w;

static const struct pairs none;

static void note(char *text, const char *what, uint32_t n)
{
	size_t len = strlen(text);

	snprintf(text + len, sizeof(w.sent) - len, "%s%u ", what, n);
}

static void on_frame(void *arg, const struct spdy_frame *f)
{
	static const char *const names[] = { "data", "syn",  "reply",  "reset",   "settings",
					     "",     "ping", "goaway", "headers", "window" };

	(void)arg;
	if (f->type == SPDY_DATA)
		w.data_sent += f->len;
	if (f->type == SPDY_DATA && f->fin)
		note(w.sent, "fin", f->stream);
	else if (f->type == SPDY_DATA)
		note(w.sent, f->len ? "data" : "", f->stream);
	else
		note(w.sent, names[f->type], f->type == SPDY_PING || f->type == SPDY_GOAWAY ? f->value : f->stream);
}

static void on_send(void *arg, const void *p, size_t n)
{
	struct err e;

	(void)arg;
	ok(spdy_read(w.reader, p, n, on_frame, NULL, &e) == 0);
}

static void on_open(void *arg, uint32_t stream, const struct pairs *headers)
{
	(void)arg;
	(void)headers;
	note(w.told, "open", stream);
}

static void on_data(void *arg, uint32_t stream, const void *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
	note(w.told, "data", stream);
	if (w.reset_in_data)
		spdy_mux_reset(w.mux, stream, SPDY_CANCEL);
}

static void on_fin(void *arg, uint32_t stream)
{
	(void)arg;
	note(w.told, "fin", stream);
}

static void on_reset(void *arg, uint32_t stream)
{
	(void)arg;
	note(w.told, "reset", stream);
}

static void on_room(void *arg, uint32_t stream)
{
	(void)arg;
	note(w.told, "room", stream);
}

static void begin(void)
{
	static const struct spdy_mux_events events = { on_send, on_open, on_data, on_fin, on_reset, on_room };

	memset(&w, 0, sizeof(w));
	w.mux = spdy_mux_new(&events, NULL);
	w.reader = spdy_reader_new();
	w.writer = spdy_writer_new();
}

static void end(void)
{
	spdy_mux_free(w.mux);
	spdy_reader_free(w.reader);
	spdy_writer_free(w.writer);
	buf_free(&w.to_mux);
}

static int deliver(void)
{
	struct err e;
	int rc = spdy_mux_read(w.mux, w.to_mux.at, w.to_mux.len, &e);

	buf_free(&w.to_mux);
	return rc;
}

static void peer_opens(uint32_t stream, bool fin)
{
	spdy_put_headers(w.writer, &w.to_mux, SPDY_SYN_STREAM, stream, fin, &none);
	ok(deliver() == 0);
}

static void peer_updates(uint32_t stream, uint32_t delta)
{
	spdy_put_window_update(&w.to_mux, stream, delta);
	ok(deliver() == 0);
}

static void is_all(const char *told, const char *sent)
{
	is_str(w.told, told);
	is_str(w.sent, sent);
	w.told[0] = w.sent[0] = '\0';
}

static void a_life(void)
{
	begin();
	peer_opens(1, false);
	is_all("open1 ", "reply1 ");
	spdy_put_data(&w.to_mux, 1, false, "abc", 3);
	spdy_put_data(&w.to_mux, 1, true, "", 0);
	ok(deliver() == 0);
	is_all("data1 fin1 ", "");
	spdy_mux_write(w.mux, 1, "xyz", 3);
	spdy_mux_fin(w.mux, 1);
	is_all("", "data1 fin1 ");
	spdy_mux_write(w.mux, 1, "more", 4); /* it is gone */
	spdy_mux_fin(w.mux, 1);
	spdy_mux_reset(w.mux, 1, SPDY_CANCEL);
	is_all("", "");
	end();
}

static void opened_and_ended_at_once(void)
{
	begin();
	peer_opens(1, true);
	is_all("open1 fin1 ", "reply1 ");
	spdy_put_data(&w.to_mux, 1, false, "late", 4); /* after its end: dropped */
	ok(deliver() == 0);
	is_all("", "");
	spdy_mux_fin(w.mux, 1);
	is_all("", "fin1 ");
	end();
}

static void resets(void)
{
	begin();
	peer_opens(1, false);
	peer_opens(3, false);
	spdy_put_reset(&w.to_mux, 1, SPDY_CANCEL);
	ok(deliver() == 0);
	is_all("open1 open3 reset1 ", "reply1 reply3 ");
	spdy_mux_reset(w.mux, 3, SPDY_INTERNAL_ERROR);
	spdy_put_data(&w.to_mux, 3, true, "crossed", 7); /* was under way when the stream was reset */
	ok(deliver() == 0);
	is_all("", "reset3 ");
	end();
}

static void reset_inside_an_event(void)
{
	begin();
	peer_opens(1, false);
	w.reset_in_data = true;
	spdy_put_data(&w.to_mux, 1, true, "x", 1);
	ok(deliver() == 0);
	is_all("open1 data1 ", "reply1 reset1 ");
	end();
}

static void pings_are_echoed_answers_are_not(void)
{
	begin();
	spdy_put_ping(&w.to_mux, 5);
	spdy_put_ping(&w.to_mux, 6);
	ok(deliver() == 0);
	is_all("", "ping5 ");
	end();
}

static void a_peer_without_windows_gets_all(void)
{
	static char big[3 * SPDY_WINDOW];

	begin();
	peer_opens(1, false);
	spdy_mux_write(w.mux, 1, big, sizeof(big));
	ok(w.data_sent == sizeof(big) && spdy_mux_waiting(w.mux, 1) == 0);
	end();
}

static void a_peer_with_windows(void)
{
	/* 4096 */
	static const uint8_t settings[] = { 0x80, 3, 0, 4, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0x10, 0 };
	static char big[SPDY_WINDOW];

	begin();
	buf_append(&w.to_mux, settings, sizeof(settings));
	ok(deliver() == 0);
	peer_opens(1, false);
	spdy_mux_write(w.mux, 1, big, 10000);
	spdy_mux_fin(w.mux, 1);
	ok(w.data_sent == 4096 && spdy_mux_waiting(w.mux, 1) == 5904);
	peer_updates(1, 5000);
	ok(w.data_sent == 9096);
	is_all("open1 ", "reply1 data1 data1 ");
	peer_updates(1, 5000);
	ok(w.data_sent == 10000 && spdy_mux_waiting(w.mux, 1) == 0);
	is_all("room1 ", "data1 fin1 ");
	end();
}

static void the_window_of_the_connection(void)
{
	static char big[SPDY_WINDOW];

	begin();
	peer_opens(1, false);
	peer_opens(3, false);
	peer_updates(1, 1);
	spdy_mux_write(w.mux, 1, big, 60000);
	spdy_mux_write(w.mux, 3, big, 60000);
	ok(w.data_sent == SPDY_WINDOW && spdy_mux_waiting(w.mux, 3) == 120000 - SPDY_WINDOW);
	peer_updates(0, 100000);
	ok(w.data_sent == 120000);
	end();
}

static void what_the_user_took_is_told(void)
{
	static char big[SPDY_WINDOW];

	begin();
	peer_opens(1, false);
	spdy_put_data(&w.to_mux, 1, false, big, sizeof(big));
	ok(deliver() == 0);
	is_all("open1 data1 ", "reply1 ");
	spdy_mux_taken(w.mux, 1, 1000);
	is_all("", "");
	spdy_mux_taken(w.mux, 1, sizeof(big) - 1000);
	is_all("", "window0 window1 ");
	end();
}

static void too_many_streams(void)
{
	begin();
	for (uint32_t i = 0; i < SPDY_STREAMS_MAX; i++)
		spdy_put_headers(w.writer, &w.to_mux, SPDY_SYN_STREAM, 2 * i + 1, false, &none);
	ok(deliver() == 0);
	w.told[0] = w.sent[0] = '\0';
	peer_opens(2 * SPDY_STREAMS_MAX + 1, false);
	is_all("", "reset4097 ");
	end();
}

static int64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads of 64 KiB with the smallest frames of each kind, while there are as many streams as there can be. Their ids are
 * 128 apart, which once made one chain of a table. */
static void many_small_frames(void (*put)(void))
{
	int64_t before;

	begin();
	for (uint32_t i = 0; i < SPDY_STREAMS_MAX; i++)
		spdy_put_headers(w.writer, &w.to_mux, SPDY_SYN_STREAM, 128 * i + 1, false, &none);
	ok(deliver() == 0);
	while (w.to_mux.len < 64 * 1024)
		put();
	before = cpu_ms();
	ok(deliver() == 0);
	ok(cpu_ms() - before < 10);
	printf("# %lld ms\n", (long long)(cpu_ms() - before));
	end();
}

enum { LAST = 128 * (SPDY_STREAMS_MAX - 1) + 1 };

static void empty_data(void) { spdy_put_data(&w.to_mux, LAST, false, "", 0); }
static void small_update(void) { spdy_put_window_update(&w.to_mux, 0, 1); }
static void late_reset(void) { spdy_put_reset(&w.to_mux, LAST + 2, SPDY_CANCEL); }
static void small_settings(void)
{
	static const uint8_t frame[] = { 0x80, 3, 0, 4, 0, 0, 0, 12, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0x10, 0 };

	buf_append(&w.to_mux, frame, sizeof(frame));
}

static void after_goaway_none_is_taken(void)
{
	begin();
	peer_opens(1, false);
	spdy_mux_goaway(w.mux);
	spdy_mux_goaway(w.mux);
	peer_opens(3, false);
	is_all("open1 ", "reply1 goaway0 reset3 ");
	end();
}

static void breaks(void (*how)(void))
{
	begin();
	peer_opens(5, false);
	w.told[0] = w.sent[0] = '\0';
	how();
	ok(deliver() < 0);
	is_all("", "goaway1 ");
	spdy_put_ping(&w.to_mux, 1); /* not read any more */
	ok(deliver() == 0);
	is_all("", "");
	end();
}

static void even_id(void) { spdy_put_headers(w.writer, &w.to_mux, SPDY_SYN_STREAM, 8, false, &none); }
static void lower_id(void) { spdy_put_headers(w.writer, &w.to_mux, SPDY_SYN_STREAM, 3, false, &none); }
static void same_id(void) { spdy_put_headers(w.writer, &w.to_mux, SPDY_SYN_STREAM, 5, false, &none); }
static void unopened(void) { spdy_put_data(&w.to_mux, 9, false, "x", 1); }
static void zero_update(void) { spdy_put_window_update(&w.to_mux, 5, 0); }
static void huge_update(void) { spdy_put_window_update(&w.to_mux, 5, INT32_MAX); }
static void garbage(void) { buf_puts(&w.to_mux, "\x80\x02 not SPDY"); }

int main(void)
{
	a_life();
	opened_and_ended_at_once();
	resets();
	reset_inside_an_event();
	pings_are_echoed_answers_are_not();
	a_peer_without_windows_gets_all();
	a_peer_with_windows();
	the_window_of_the_connection();
	what_the_user_took_is_told();
	too_many_streams();
	many_small_frames(empty_data);
	many_small_frames(small_update);
	many_small_frames(late_reset);
	many_small_frames(small_settings);
	after_goaway_none_is_taken();
	breaks(even_id);
	breaks(lower_id);
	breaks(same_id);
	breaks(unopened);
	breaks(zero_update);
	breaks(huge_update);
	breaks(garbage);
	return tap_end();
}
