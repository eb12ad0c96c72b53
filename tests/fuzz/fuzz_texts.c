/* fuzz_texts.c - short texts from outside: an image's StopSignal, and the answer of crisp-unpack, whose inner half a
 * layer may have taken over. The first byte selects. */
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/worker.h"
#include "procs/stop_signal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void stop_signal(const char *text)
{
	int n = stop_signal_parse(text);

	must(n >= 0 && n <= 64);
	must(!stop_signal_cri(n) || stop_signal_from_cri(stop_signal_cri(n)) == n);
}

static void answer(const char *text, int status)
{
	struct child_result r = { .status = status, .out = text, .out_len = strlen(text), .err = "" };
	struct answer a;
	struct err e = { 0 };

	if (worker_answer(NULL, &r, &a, &e) == 0)
		must(a.bytes <= INT64_MAX && a.inodes <= INT64_MAX);
	else
		must(e.code != ERR_OK && memchr(e.msg, '\0', sizeof(e.msg)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	if (data[0] & 1)
		stop_signal(text);
	else
		answer(text, data[0] & 2 ? 256 : 0);
	free(text);
	return 0;
}
