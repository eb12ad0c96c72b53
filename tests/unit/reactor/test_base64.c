/* test_base64.c - padding, blanks, and what is no base64. */
#include "reactor/base64.h"

#include <string.h>

#include "tests/tap.h"

static char out[32];

/* The decoded text with its end marked, or NULL. */
static const char *decoded(const char *text)
{
	ssize_t n = base64_decode(out, text, strlen(text));

	if (n < 0)
		return NULL;
	out[n] = '\0';
	return out;
}

static void rfc_4648_section_10(void)
{
	is_str(decoded(""), "");
	is_str(decoded("Zg=="), "f");
	is_str(decoded("Zm8="), "fo");
	is_str(decoded("Zm9v"), "foo");
	is_str(decoded("Zm9vYg=="), "foob");
	is_str(decoded("Zm9vYmFy"), "foobar");
}

static void blanks_around_it(void)
{
	is_str(decoded(" Zm8=\r\n"), "fo");
	is_str(decoded("\n"), "");
}

static void no_base64(void)
{
	ok(!decoded("Zg") && !decoded("Zg=") && !decoded("Z===") && !decoded("====") && !decoded("="));
	ok(!decoded("Zm9v!mFy") && !decoded("Zm 9vYg="));
	ok(base64_decode(out, "Zm9\0", 4) == -1);
	ok(base64_decode(out, "Zm9v\0", 5) == -1);
}

int main(void)
{
	rfc_4648_section_10();
	blanks_around_it();
	no_base64();
	return tap_end();
}
