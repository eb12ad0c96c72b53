/* url.h - the little of RFC 3986 that following a registry's redirects needs. http and https only. */
#ifndef IMAGES_REGISTRY_URL_H
#define IMAGES_REGISTRY_URL_H

#include <stdbool.h>

#include "reactor/arena.h"

/* What `location` means in an answer to `base` (section 5.2). NULL: neither http nor https, or not a URL. */
char *url_resolve(const char *base, const char *location, struct arena *a);

bool url_same_origin(const char *x, const char *y); /* scheme, host and port */
bool url_is_https(const char *url);
char *url_host(const char *url, struct arena *a);      /* "host:5000", without user and password */
char *url_no_query(const char *url, struct arena *a);  /* for messages: signatures and tokens stand in queries */
char *url_escape(const char *s, struct arena *a);      /* all but unreserved characters as %XX */

#endif
