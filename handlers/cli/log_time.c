/* log_time.c - see log_time.h. */
#include "handlers/cli/log_time.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

static const int64_t SECOND_NS = 1000000000;

/* `pattern`: 0 stands for a digit, all else for itself. */
static bool looks_like(const char *text, const char *pattern)
{
	for (; *pattern; text++, pattern++)
		if (*pattern == '0' ? *text < '0' || *text > '9' : *text != *pattern)
			return false;
	return true;
}

static int number_at(const char *text, int digits)
{
	int v = 0;

	while (digits--)
		v = v * 10 + (*text++ - '0');
	return v;
}

/* The fraction behind the seconds; *at moves behind it. */
static int64_t fraction_ns(const char **at, const char *end)
{
	int64_t ns = 0, unit = SECOND_NS / 10;

	if (*at == end || **at != '.')
		return 0;
	for (++*at; *at < end && **at >= '0' && **at <= '9'; ++*at) {
		ns += (**at - '0') * unit;
		unit /= 10;
	}
	return ns;
}

int64_t cli_log_time(const char *text, size_t len)
{
	char day[sizeof("2006-01-02T15:04:05")], zone[sizeof("+00:00")] = "";
	const char *at = text + sizeof(day) - 1, *end = text + len;
	struct tm tm = { 0 };
	int64_t s, ns;

	if (len < sizeof(day))
		return -1;
	memcpy(day, text, sizeof(day) - 1);
	day[sizeof(day) - 1] = '\0';
	if (!looks_like(day, "0000-00-00T00:00:00"))
		return -1;
	tm = (struct tm){ .tm_year = number_at(day, 4) - 1900, .tm_mon = number_at(day + 5, 2) - 1,
			  .tm_mday = number_at(day + 8, 2), .tm_hour = number_at(day + 11, 2),
			  .tm_min = number_at(day + 14, 2), .tm_sec = number_at(day + 17, 2) };
	s = timegm(&tm);
	ns = fraction_ns(&at, end);
	if (s < 0 || at == end)
		return -1;
	if (*at == 'Z')
		return at + 1 == end ? s * SECOND_NS + ns : -1;
	if (end - at != sizeof(zone) - 1)
		return -1;
	memcpy(zone, at, sizeof(zone) - 1);
	if ((zone[0] != '+' && zone[0] != '-') || !looks_like(zone + 1, "00:00"))
		return -1;
	s -= (zone[0] == '-' ? -60 : 60) * (number_at(zone + 1, 2) * 60 + number_at(zone + 4, 2));
	return s < 0 ? -1 : s * SECOND_NS + ns;
}

static int64_t seconds_of(char unit)
{
	return unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : unit == 'd' ? 86400 : 0;
}

int64_t cli_log_since(const char *word, int64_t now_ns)
{
	int64_t ago_s = 0, at = cli_log_time(word, strlen(word));

	if (at >= 0)
		return at;
	if (!*word)
		return -1;
	while (*word) {
		size_t digits = strspn(word, "0123456789");
		int64_t unit = word[digits] ? seconds_of(word[digits]) : 1;

		if (!digits || digits > 9 || !unit)
			return -1;
		ago_s += number_at(word, (int)digits) * unit;
		word += digits + (word[digits] != '\0');
	}
	at = now_ns / SECOND_NS - ago_s;
	return at > 0 ? at * SECOND_NS + now_ns % SECOND_NS : 0;
}
