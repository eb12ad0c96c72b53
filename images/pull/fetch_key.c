/* fetch_key.c - see fetch.h: who shares a transfer. */
#include <inttypes.h>
#include <string.h>

#include "images/pull/fetch.h"
#include "reactor/buf.h"

/* What another registry sends, and what another image says of the blob's size, content or addresses, may be wrong or
 * slow on purpose. Files of an artifact that are one blob have a diff_id each. (ARCHITECTURE I68, I73) */
void fetch_key(const struct fetch_spec *spec, char out[DIGEST_SIZE])
{
	const struct descriptor *b = spec->blob;
	struct buf text = { 0 };

	buf_printf(&text, "%s %s %s %" PRIu64 " %s", b->digest, b->file ? "file" : "tar", spec->diff_id, b->size_bytes,
		   spec->from ? registry_domain(spec->from) : "");
	for (size_t i = 0; i < b->urls.n; i++)
		buf_printf(&text, " %zu:%s", strlen(b->urls.at[i]), b->urls.at[i]);
	digest_of(text.at, text.len, out);
	buf_free(&text);
}
