/* http.h - servers in memory behind reactor/http_client.h: a function of the test answers each request. */
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
	size_t cut;              /* > 0: the connection is reset after this many bytes of the body */
	bool untrusted;          /* with status 0: the certificate is not trusted */
	bool nameless;           /* with status 0: the name of the host does not resolve */
	bool stall;              /* no answer; the test cancels it */
};

/* Fills `out` (zeroed) for one request. */
typedef void fake_server(const struct http_request *q, struct fake_answer *out);
void fake_http_serve(fake_server *fn); /* and forgets the earlier requests */

/* A blob as registries serve it: 206 and the part that Range names, else 200 and the whole blob. */
void fake_http_blob(const struct http_request *q, struct fake_answer *out, const void *p, size_t n);

const char *fake_header(const struct http_request *q, const char *name); /* of a request; "" where absent */

/* The requests in order: "GET https://host/path auth range", with "-" for an absent header. */
int fake_http_asked(void);
const char *fake_http_line(int i);
int fake_http_count(const char *part); /* requests whose line has that part */
int fake_http_open(void);              /* transfers in flight */

extern size_t fake_http_piece; /* bytes a callback; 0: all at once */

#endif
