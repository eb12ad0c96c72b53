/* import_rows.h - what the keys of containerd and of CRI-O are in crisp's configuration. */
#ifndef HANDLERS_CLI_IMPORT_ROWS_H
#define HANDLERS_CLI_IMPORT_ROWS_H

#include "reactor/json.h"

/* A new reference: the value for crisp. NULL: it cannot be expressed. */
typedef json_t *import_convert(const json_t *value);

/* The plugin of a containerd key is called "cri" or "nri" (both plugins of version 3 are "cri"). */
struct import_row {
	const char *from; /* components between dots, * for any one; its place in `to` is the * there */
	const char *to;   /* a key of crisp; NULL: there is no counterpart, and `note` says why */
	import_convert *convert; /* NULL, with `to`: it is the table of a runtime and no value */
	const char *note; /* printed with `to` too, when there is something to do; NULL: nothing */
};

extern const struct import_row import_containerd[], import_crio[]; /* ended by an empty row */

/* Keys that are put together once all are read: "runtimes.*.%type" and so on. */
#define IMPORT_TYPE "%type"
#define IMPORT_BINARY "%binary"
#define IMPORT_PATH "%path"
#define IMPORT_SANDBOXER "%sandboxer"

#endif
