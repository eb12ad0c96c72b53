/* test_http_path.c - targets of requests. */
#include "reactor/http_path.h"

#include <string.h>

#include "tests/tap.h"

static const char *path_of(const char *target)
{
	static char text[256];

	strcpy(text, target);
	return http_path_of(text) ? text : "(none)";
}

int main(void)
{
	static const char *const pairs[][2] = {
		{ "/", "/" },
		{ "/a/b?c=/../d", "/a/b" },
		{ "/a#b", "/a" },
		{ "/a%2fb%41", "/a/bA" },
		{ "/a%3fb?c", "/a?b" },
		{ "/a%", "/a%" },
		{ "/a%4", "/a%4" },
		{ "/a%zz%4Z%G1", "/a%zz%4Z%G1" },
		{ "/%00", "(none)" },
		{ "/a%00/../b", "(none)" },
		{ "/./a/./b/.", "/a/b/" },
		{ "/a/../b", "/b" },
		{ "/a/b/..", "/a/" },
		{ "/../../etc/passwd", "/etc/passwd" },
		{ "/..", "/" },
		{ "/.", "/" },
		{ "/%2e%2e/%2E./a", "/a" },
		{ "/a/.../..b/.c", "/a/.../..b/.c" },
		{ "//a//../b", "//a/b" },
		{ "http://x/a", "/a" },
		{ "HTTP://x:80?q", "/" },
		{ "https://x", "/" },
		{ "*", "(none)" },
		{ "", "(none)" },
		{ "a/b", "(none)" },
		{ "x:443", "(none)" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		is_str(path_of(pairs[i][0]), pairs[i][1]);
	return tap_end();
}
