/* test_capture.c - the bound of what a child prints. */
#include "handlers/cli/capture.h"

#include <string.h>

#include "tests/tap.h"

static int print_lines(void *arg, FILE *out)
{
	fputs(arg, out);
	return 0;
}

static void prints(const char *text, size_t max, bool end, const char *want)
{
	const struct capture capture = { print_lines, (void *)text, max, end, 60000 };
	struct buf out = { 0 }, problems = { 0 };

	capture_run(&capture, &out, &problems);
	is_str(buf_str(&out), want);
	ok((problems.len > 0) == (!end && strlen(text) > max));
	buf_free(&out);
	buf_free(&problems);
}

/* What is left of a line that is cut in front has lost the name of its value: a secret in it would not be known. */
static void the_end_begins_with_a_line(void)
{
	prints("a=1\npassword=hunter2\nc=3\n", 100, true, "a=1\npassword=hunter2\nc=3\n");
	prints("a=1\npassword=hunter2\nc=3\n", 12, true, "c=3\n");
	prints("a=1\npassword=hunter2", 10, true, "");
}

static void the_start_ends_anywhere(void)
{
	prints("a=1\nb=2\n", 6, false, "a=1\nb=");
}

int main(void)
{
	the_end_begins_with_a_line();
	the_start_ends_anywhere();
	return tap_end();
}
