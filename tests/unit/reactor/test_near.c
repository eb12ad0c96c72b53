/* test_near.c - mistyped words and the known ones that they were meant to be. */
#include <string.h>

#include "reactor/near.h"
#include "tests/tap.h"

static const char *near_of(const char *word)
{
	static const char *const known[] = { "root", "state", "network", "netns_dir", "netns_pool", "log" };
	struct near_word n = { .word = word };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		near_try(&n, known[i]);
	return n.found ? n.found : "";
}

int main(void)
{
	char longest[64];

	is_str(near_of("rooot"), "root");
	is_str(near_of("sttae"), "state");
	is_str(near_of("netwrk"), "network");
	is_str(near_of("netns_dri"), "netns_dir");
	is_str(near_of("lgo"), "log");
	is_str(near_of("colour"), "");
	is_str(near_of("lo"), "log");
	is_str(near_of("xy"), "");
	is_str(near_of(""), "");
	memset(longest, 'a', sizeof(longest));
	longest[63] = '\0';
	is_str(near_of(longest), "");
	return tap_end();
}
