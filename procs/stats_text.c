/* stats_text.c - see stats_text.h. Nothing is read behind the NUL that ends every text. */
#include "procs/stats_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *next_line(const char *at)
{
	const char *nl = strchr(at, '\n');

	return nl ? nl + 1 : at + strlen(at);
}

/* Digits only; *at moves behind them. A number of more than 64 bits becomes UINT64_MAX. */
static bool take_number(const char **at, uint64_t *out)
{
	const char *s = *at;
	uint64_t v = 0;

	if (!isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s); s++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			v = UINT64_MAX;
	*at = s;
	*out = v;
	return true;
}

bool stats_number(const char *text, uint64_t *out)
{
	if (strncmp(text, "max", 3) == 0 && (text[3] == '\n' || !text[3])) {
		*out = UINT64_MAX;
		return true;
	}
	return take_number(&text, out);
}

void stats_flat(const char *text, const struct stats_want *want, size_t n)
{
	for (; *text; text = next_line(text)) {
		size_t len = strcspn(text, " \n");
		const char *value = text + len + 1;

		if (text[len] != ' ')
			continue;
		for (size_t i = 0; i < n; i++)
			if (strncmp(want[i].name, text, len) == 0 && !want[i].name[len])
				take_number(&value, want[i].value);
	}
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0"; no locale is ever set, so sscanf() takes the point. */
void stats_pressure(const char *text, struct pressure *out)
{
	for (; *text; text = next_line(text)) {
		struct pressure_line l;
		unsigned long long total;
		char which[5];

		if (sscanf(text, "%4s avg10=%lf avg60=%lf avg300=%lf total=%llu", which, &l.avg10, &l.avg60, &l.avg300,
			   &total) != 5)
			continue;
		l.total_us = total;
		if (strcmp(which, "some") == 0)
			out->some = l;
		else if (strcmp(which, "full") == 0)
			out->full = l;
		else
			continue;
		out->set = true;
	}
}

/* "253:0 ": the entry of that device, made at its first line. NULL: no device number, or no room. */
static struct io_device *take_device(const char **at, struct io_devices *out)
{
	uint64_t major, minor;
	const char *s = *at;

	if (!take_number(&s, &major) || *s++ != ':' || !take_number(&s, &minor) || *s != ' ' || major > UINT32_MAX ||
	    minor > UINT32_MAX)
		return NULL;
	*at = s + 1;
	for (size_t i = 0; i < out->n; i++)
		if (out->at[i].major == major && out->at[i].minor == minor)
			return &out->at[i];
	if (out->n == IO_DEVICES_MAX)
		return NULL;
	out->at[out->n] = (struct io_device){ .major = (unsigned)major, .minor = (unsigned)minor };
	return &out->at[out->n++];
}

/* "253:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0" */
void stats_io_v2(const char *text, struct io_devices *out)
{
	for (; *text; text = next_line(text)) {
		const char *at = text;
		struct io_device *d = take_device(&at, out);

		while (d && *at && *at != '\n') {
			size_t len = strcspn(at, "= \n");
			const char *value = at + len + 1;
			uint64_t n;

			if (at[len] == '=' && take_number(&value, &n)) {
				if (len == 6 && strncmp(at, "rbytes", len) == 0)
					d->read_bytes = n;
				else if (len == 6 && strncmp(at, "wbytes", len) == 0)
					d->write_bytes = n;
				else if (len == 4 && strncmp(at, "rios", len) == 0)
					d->reads = n;
				else if (len == 4 && strncmp(at, "wios", len) == 0)
					d->writes = n;
			}
			at += strcspn(at, " \n");
			at += *at == ' ';
		}
	}
}

/* "253:0 Read 4096"; then "Write", "Sync", "Async", "Discard", "Total"; a last line "Total 4096" has no device. */
void stats_io_v1(const char *text, bool operations, struct io_devices *out)
{
	for (; *text; text = next_line(text)) {
		const char *at = text;
		struct io_device *d = take_device(&at, out);
		uint64_t n;

		if (d && strncmp(at, "Read ", 5) == 0 && (at += 5) && take_number(&at, &n))
			*(operations ? &d->reads : &d->read_bytes) = n;
		else if (d && strncmp(at, "Write ", 6) == 0 && (at += 6) && take_number(&at, &n))
			*(operations ? &d->writes : &d->write_bytes) = n;
	}
}

/* "  eth0: 1 2 3 …": eight columns received, eight sent; of each bytes, packets, errs, drop. */
static bool net_line(const char *at, struct net_usage *out)
{
	uint64_t column[16];
	size_t len;

	at += strspn(at, " ");
	len = strcspn(at, ": \n");
	if (at[len] != ':' || len == 0 || len >= sizeof(out->name))
		return false;
	*out = (struct net_usage){ 0 };
	memcpy(out->name, at, len);
	at += len + 1;
	for (size_t i = 0; i < 16; i++) {
		at += strspn(at, " ");
		if (!take_number(&at, &column[i]))
			return false;
	}
	out->rx_bytes = column[0];
	out->rx_packets = column[1];
	out->rx_errors = column[2];
	out->rx_dropped = column[3];
	out->tx_bytes = column[8];
	out->tx_packets = column[9];
	out->tx_errors = column[10];
	out->tx_dropped = column[11];
	return true;
}

size_t stats_net_dev(const char *text, struct net_usage *out, size_t max)
{
	size_t n = 0;

	for (; *text && n < max; text = next_line(text))
		if (net_line(text, &out[n]) && strcmp(out[n].name, "lo") != 0)
			n++;
	return n;
}
