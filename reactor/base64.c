/* base64.c - see base64.h. EVP_DecodeBlock() counts the padding as decoded bytes, so the padding is subtracted. */
#include "reactor/base64.h"

#include <limits.h>
#include <stdbool.h>

#include <openssl/evp.h>

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

ssize_t base64_decode(void *out, const char *text, size_t len)
{
	size_t pad = 0;
	int n;

	while (len && blank(text[len - 1]))
		len--;
	for (; len && blank(*text); len--)
		text++;
	while (pad < len && text[len - 1 - pad] == '=')
		pad++;
	if (len % 4 || pad > 2 || len > INT_MAX)
		return -1;
	n = len ? EVP_DecodeBlock(out, (const unsigned char *)text, (int)len) : 0;
	return n < 0 ? -1 : n - (ssize_t)pad;
}
