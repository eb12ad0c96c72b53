/* h2_peer.h - an HTTP/2 client that the test controls: any headers, bytes and window; it reads only when told to. */
#ifndef TESTS_FAKES_H2_PEER_H
#define TESTS_FAKES_H2_PEER_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct h2_answer { /* of the stream asked last, unless it says otherwise */
	int status, grpc_status; /* -1: not there */
	char message[256], accept_encoding[32], allow[16];
	size_t data;             /* bytes of DATA */
	int headers_frames;      /* 1: trailers-only */
	bool ended;              /* END_STREAM came */
	int resets, refused;     /* RST_STREAM of any stream, and those of them with REFUSED_STREAM */
	uint32_t reset_code;
	int pings, goaways;      /* PING acks, GOAWAY frames */
	uint32_t goaway_code;
	int32_t goaway_last;
	size_t last_read;        /* bytes of the read that brought the end of the stream */
};

struct h2_peer {
	int fd;
	nghttp2_session *h2;
	bool closed;             /* the server closed the connection */
	int32_t stream;          /* asked last */
	struct h2_answer answer;
	size_t reading;          /* size of the read being taken apart */
};

/* window: for each stream and for the connection; bytes are given back by h2_peer_allow() only. */
void h2_peer_open(struct h2_peer *p, const char *path, int32_t window);
void h2_peer_close(struct h2_peer *p);
void h2_peer_allow(struct h2_peer *p, int32_t bytes);

/* Extra header fields as "name: value" strings, ended by NULL; one with a default's name replaces it, an empty value
 * drops it. */
int32_t h2_peer_ask(struct h2_peer *p, const char *path, const char *const *fields, const void *body, size_t len,
		    bool end);

bool h2_peer_write(struct h2_peer *p); /* writes until the socket is full; false: bytes are left */
void h2_peer_read(struct h2_peer *p);  /* reads the bytes that are there */
void h2_peer_turn(struct h2_peer *p);  /* write, one turn of the loop, read */

#endif
