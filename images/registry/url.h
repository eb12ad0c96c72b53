/* url.h - the parts of RFC 3986 that are needed to follow a registry's redirects. http and https only. */
#ifndef IMAGES_REGISTRY_URL_H
#define IMAGES_REGISTRY_URL_H

#include <stdbool.h>

#include "reactor/arena.h"

/* The URL of the header `Location: location` in an answer to a request for `base` (section 5.2). NULL: it is neither
 * http nor https, or is not a URL. */
char *url_resolve(const char *base, const char *location, struct arena *a);

bool url_same_origin(const char *x, const char *y); /* scheme, host and port */
bool url_same_name(const char *x, const char *y);   /* host */
bool url_is_https(const char *url);
char *url_host(const char *url, struct arena *a);      /* "host:5000", without user and password */
char *url_no_query(const char *url, struct arena *a);  /* for messages: a query may have signatures and tokens */
char *url_escape(const char *s, struct arena *a);      /* every character that is not unreserved as %XX */

#endif
