/* http_peer.h - an HTTP/1.1 server on the test's own loop; the path chooses a correct or a broken answer:
 *
 *   /hello      200, "hello"                          /short    10 of 100 bytes, then the end of the connection
 *   /echo       200, the request as it came           /reset    10 of 100 bytes, then a reset
 *   /bytes/N    200, N bytes, byte i is i * 7 % 251   /stall    10 of 100 bytes, then nothing
 *   /chunked/N  the same in chunks, with a trailer    /silent   nothing at all
 *   /status/N   N with Location and two challenges    /rubbish  no HTTP
 *   /continue   100, 103, then 200 "hello"            /slow     10 of 100 bytes, one more each 10 ms
 *   /gzip       200, "hello" coded as gzip            /coded    200, bytes that are no gzip, though it says so */
#ifndef TESTS_HTTP_PEER_H
#define TESTS_HTTP_PEER_H

#include <stddef.h>

struct http_peer_stats {
	int accepted, open, requests;
	size_t sent_bytes; /* of bodies */
	char last_request[4096];
};
extern struct http_peer_stats http_peer;

int http_peer_open(void); /* the port on 127.0.0.1 */
void http_peer_hang_up(void); /* all connections */
void http_peer_close(void);

#endif
