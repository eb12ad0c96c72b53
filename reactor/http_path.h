/* http_path.h - the path of a request's target. */
#ifndef REACTOR_HTTP_PATH_H
#define REACTOR_HTTP_PATH_H

#include <stdbool.h>

/* Turns target ("/a/b?query", "http://host/a/b") into its path, in place: no query, %XX decoded, no dot segments.
 * false: it has none (such as "*"), or %00 is in it; target is of no use then.
 *
 * Spec: RFC 9112, section 3.2 "Request Target"; RFC 3986, section 5.2.4 "Remove Dot Segments". */
bool http_path_of(char *target);

#endif
