/* test_log_time.c - times of log lines, and of --since. */
#include "handlers/cli/log_time.h"

#include <string.h>

#include "tests/tap.h"

static int64_t time_of(const char *text)
{
	return cli_log_time(text, strlen(text));
}

static void rfc_3339(void)
{
	ok(time_of("1970-01-01T00:00:01Z") == 1000000000);
	ok(time_of("2016-10-06T00:17:09.669794202Z") == 1475713029669794202);
	ok(time_of("2016-10-06T02:17:09.669794202+02:00") == 1475713029669794202);
	ok(time_of("2016-10-05T22:47:09.669794202-01:30") == 1475713029669794202);
	ok(time_of("2016-10-06T00:17:09.5Z") == 1475713029500000000);
	ok(time_of("2016-10-06T00:17:09.1234567891Z") == 1475713029123456789);
}

static void no_times(void)
{
	ok(time_of("") < 0);
	ok(time_of("2016-10-06T00:17:09") < 0);
	ok(time_of("2016-10-06 00:17:09Z") < 0);
	ok(time_of("2016-10-06T00:17:09Zx") < 0);
	ok(time_of("2016-10-06T00:17:09+2:00") < 0);
	ok(time_of("2016-10-06T00:17:0xZ") < 0);
	ok(time_of("1969-10-06T00:17:09Z") < 0);
}

static void since(void)
{
	int64_t now = 1000000 * INT64_C(1000000000) + 7;

	ok(cli_log_since("90s", now) == now - 90 * INT64_C(1000000000));
	ok(cli_log_since("90", now) == now - 90 * INT64_C(1000000000));
	ok(cli_log_since("1h30m", now) == now - 5400 * INT64_C(1000000000));
	ok(cli_log_since("2d", now) == now - 172800 * INT64_C(1000000000));
	ok(cli_log_since("999999999d", now) == 0);
	ok(cli_log_since("1970-01-01T00:00:01Z", now) == 1000000000);
	ok(cli_log_since("", now) < 0);
	ok(cli_log_since("m", now) < 0);
	ok(cli_log_since("5y", now) < 0);
	ok(cli_log_since("-5m", now) < 0);
	ok(cli_log_since("9999999999s", now) < 0);
}

int main(void)
{
	rfc_3339();
	no_times();
	since();
	return tap_end();
}
