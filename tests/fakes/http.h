/* http.h - servers in memory behind reactor/http_client.h: the test answers each request from a function of its own. */
#ifndef TESTS_HTTP_H
#define TESTS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/http_client.h"

struct fake_answer {
	int status;              /* 0: no connection */
	const char *headers[12]; /* "Name: value" */
	const void *body;        /* borrowed until the transfer ended */
	size_t len;
	size_t cut;              /* > 0: reset after so many bytes of the body */
	bool untrusted;          /* status 0, and its certificate is the reason */
	bool stall;              /* nothing comes until it is cancelled */
};

/* Fills `out` (zeroed) for one request. */
typedef void fake_server(const struct http_request *q, struct fake_answer *out);
void fake_http_serve(fake_server *fn); /* and forgets what was asked so far */

/* A blob as registries serve it: 206 and the part that Range asks for, else 200 and all of it. */
void fake_http_blob(const struct http_request *q, struct fake_answer *out, const void *p, size_t n);

const char *fake_header(const struct http_request *q, const char *name); /* of a request; "" where absent */

/* What was asked, in order: "GET https://host/path auth range", with "-" for an absent header. */
int fake_http_asked(void);
const char *fake_http_line(int i);
int fake_http_count(const char *part); /* requests whose line has it */
int fake_http_open(void);              /* transfers in flight */

extern size_t fake_http_piece; /* bytes a callback; 0: all at once */

#endif
