/* utf8.c - see utf8.h. */
#include "reactor/utf8.h"

#include <stdint.h>
#include <string.h>

size_t utf8_char(const char *text, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 }; /* the smallest that needs so many bytes */
	const unsigned char *at = (const unsigned char *)text;
	size_t n;
	uint32_t c;

	if (!len)
		return 0;
	if (at[0] < 0x80)
		return 1;
	n = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	if (at[0] < 0xc2 || at[0] > 0xf4 || n > len)
		return 0;
	c = at[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (at[i] & 0x3fu);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

bool utf8_valid(const char *text, size_t len)
{
	const uint64_t high = 0x8080808080808080;

	while (len) {
		uint64_t eight = high;
		size_t n;

		if (len >= sizeof(eight))
			memcpy(&eight, text, sizeof(eight));
		n = eight & high ? utf8_char(text, len) : sizeof(eight);
		if (!n)
			return false;
		text += n;
		len -= n;
	}
	return true;
}
