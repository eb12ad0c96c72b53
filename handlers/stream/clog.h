/* clog.h - how many bytes of a port-forward client its ports have not taken, and when the client is not read. Both
 * protocols use it: forward.c and forward_ws.c. (ARCHITECTURE R16) */
#ifndef HANDLERS_STREAM_CLOG_H
#define HANDLERS_STREAM_CLOG_H

#include <stdbool.h>
#include <stddef.h>

struct clog { /* of all ports of one client; zeroed at the start */
	size_t clogged; /* ports */
	size_t untaken; /* bytes */
	bool all_clogged;
};

struct port_clog { /* of one port; zeroed at the start */
	size_t untaken; /* bytes from the client that the port has not taken */
	bool clogged;
};

/* n bytes more wait for the port; the port has taken n bytes. True: the client is not to be read now. */
bool clog_given(struct clog *all, struct port_clog *port, size_t n);
bool clog_taken(struct clog *all, struct port_clog *port, size_t n);

#endif
