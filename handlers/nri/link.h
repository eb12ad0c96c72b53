/* link.h - private to handlers/nri/: the connection of a plugin, which carries two connections of ttrpc.
 *
 * Spec: github.com/containerd/nri, pkg/net/multiplex. Channel 1: the plugin serves crispd; channel 2: crispd serves the
 * plugin. */
#ifndef HANDLERS_NRI_LINK_H
#define HANDLERS_NRI_LINK_H

#include "reactor/ttrpc.h"

struct nri_link; /* owned by its user until nri_link_close() */

struct nri_link_events {
	/* As in struct ttrpc_events. */
	void (*serve)(void *arg, struct ttrpc_request *request, const char *service, const char *method,
		      const uint8_t *body, size_t len);
	/* The plugin has closed the connection, does not read, or has broken a protocol. No event follows; calls that
	 * are under way do not all end. */
	void (*gone)(void *arg, const struct err *e);
};

struct nri_link *nri_link_open(int fd, const struct nri_link_events *events, void *arg); /* takes fd */
struct ttrpc *nri_link_asks(struct nri_link *link); /* for calls to the plugin; borrowed */
void nri_link_close(struct nri_link *link);	    /* not inside an event */

#endif
