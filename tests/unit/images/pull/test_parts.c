/* test_parts.c - a layer that comes in parts, from registries that do odd things with ranges. */
#include <fcntl.h>

#include "tests/unit/images/pull/fetch_story.h"

static const char long_layer[] =
	"0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789ABCDEF0123456789abcdef01234";
static enum { GOOD, NO_RANGES, OTHER_SIZE, NO_SIZE, TOO_LONG, TOO_SHORT, LATER_WHOLE, FAILS, BENT, HANGS } oddity;

/* Parts from byte 8 on are odd in the way that `oddity` says; NO_RANGES, OTHER_SIZE and NO_SIZE are odd from the first
 * byte on. */
static void odd_server(const struct http_request *q, struct fake_answer *out)
{
	unsigned long long from = 0, to = 0;
	bool part = sscanf(fake_header(q, "Range"), "bytes=%llu-%llu", &from, &to) == 2, later = part && from >= 8;
	static const struct http_request whole;
	static char bent[] = "????????????????";

	if (oddity == NO_RANGES || (oddity == LATER_WHOLE && later))
		return fake_http_blob(&whole, out, long_layer, strlen(long_layer));
	serve(q, out);
	if (oddity == OTHER_SIZE && part)
		out->headers[0] = arena_printf(arena, "Content-Range: bytes %llu-%llu/99", from, to);
	if (oddity == NO_SIZE && part)
		out->headers[0] = arena_printf(arena, "Content-Range: bytes %llu-%llu/*", from, to);
	if (oddity == TOO_LONG && later)
		out->len = strlen(long_layer) - (size_t)from;
	if (oddity == TOO_SHORT && later)
		out->len = 3;
	if (oddity == FAILS && later)
		*out = (struct fake_answer){ .status = 403 };
	out->stall = oddity == HANGS && later;
	if (oddity == BENT && later)
		out->body = bent;
}

static void in_parts(struct registry *s)
{
	struct result r;

	fresh_registry();
	fake_http_piece = 3;
	begin(s, long_layer, &r);
	clock_run();
	ok(in_place(&r, long_layer));
	ok(fake_http_asked() == 11 && fake_http_count("bytes=0-7") == 1 && fake_http_count("bytes=80-84") == 1);
	ok(fake_http_open() == 0);
	cfg.parallel_downloads = 1; /* one after the other */
	begin(s, long_layer, &r);
	clock_run();
	ok(in_place(&r, long_layer) && fake_http_asked() == 22);
	cfg.parallel_downloads = 6;
	begin(s, "not longer than", &r);
	clock_run();
	ok(in_place(&r, "not longer than") && fake_http_asked() == 23 && fake_http_count("- -") == 1);
}

/* Whatever the registry does, the layer is right, or the pull fails as it does without parts. */
static void odd_parts(struct registry *s)
{
	for (oddity = NO_RANGES; oddity <= FAILS; oddity++) {
		struct result r;

		fresh_registry();
		fake_http_serve(odd_server);
		for (fake_http_piece = 0; fake_http_piece < 12; fake_http_piece += 5) {
			begin(s, long_layer, &r);
			clock_run();
			printf("# oddity %d, %zu bytes a callback\n", oddity, fake_http_piece);
			ok(in_place(&r, long_layer) && fake_http_open() == 0);
		}
	}
}

/* Bytes that came in parts and are damaged are fetched once more, in one piece. */
static void bent_parts(struct registry *s)
{
	struct result r;

	oddity = BENT;
	fresh_registry();
	fake_http_serve(odd_server);
	begin(s, long_layer, &r);
	clock_run();
	ok(in_place(&r, long_layer) && fake_http_count("- -") == 1);
}

/* What is behind a hole is not believed. */
static void parts_of_an_earlier_life(struct registry *s)
{
	struct result r;
	int fd;

	fresh_registry();
	put_partial(long_layer, "01234567");
	fd = open(partial_of(long_layer), O_RDWR | O_CLOEXEC);
	ok(ftruncate(fd, 80) == 0 && pwrite(fd, "01234", 5, 80) == 5 && close(fd) == 0);
	begin(s, long_layer, &r);
	clock_run();
	ok(in_place(&r, long_layer));
}

static void parts_are_cancelled(struct registry *s)
{
	struct result r;
	struct fetch *f;

	fresh_registry();
	fake_http_serve(odd_server);
	oddity = HANGS;
	f = begin(s, long_layer, &r);
	clock_run();
	ok(fake_http_open() == 4 && fetch_bytes(f) == 8);
	fetch_cancel(f);
	ok(r.calls == 0 && fake_http_open() == 0 && fake_unpack_running == 0);
	fake_http_serve(serve);
	begin(s, long_layer, &r);
	clock_run();
	ok(in_place(&r, long_layer) && fake_http_count("bytes=8-15") == 1);
}

static void parts_and_a_slow_disk(struct registry *s)
{
	struct result r;

	fresh_registry();
	fake_http_piece = 2;
	clock_step_ms = 30;
	begin(s, long_layer, &r);
	clock_advance(60000);
	clock_step_ms = 0;
	ok(in_place(&r, long_layer) && fake_http_open() == 0);
	ok(fake_http_count("bytes=12-") + fake_http_count("bytes=6-") + fake_http_count("bytes=8-") > 0);
}

int main(void)
{
	struct registry *s;

	arena = arena_new();
	cfg.root = mkdtemp(root);
	cfg.min_free = "0";
	opened();
	s = session("r.example/a:v1");
	cfg.split_bytes = 16;
	in_parts(s);
	odd_parts(s);
	bent_parts(s);
	parts_of_an_earlier_life(s);
	parts_are_cancelled(s);
	parts_and_a_slow_disk(s);
	registry_release(s);
	ok(system(arena_printf(arena, "rm -rf %s", root)) == 0);
	arena_free(arena);
	return tap_end();
}
