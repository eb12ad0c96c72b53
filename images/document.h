/* document.h - JSON that others wrote and a digest fixes: indexes, manifests, configs of images. */
#ifndef IMAGES_DOCUMENT_H
#define IMAGES_DOCUMENT_H

#include <stddef.h>

#include "reactor/err.h"
#include "reactor/json.h"

/* As json_parse(), which see for the limits. But what RFC 8259 allows and jansson does not take is no fault: a number
 * out of range becomes null, an escape that is no character (a NUL, half of a surrogate pair) becomes U+FFFD. Such
 * things stand in annotations and labels that nobody here reads. INVALID_ARGUMENT. */
json_t *document_parse(const char *text, size_t len, const char *what, struct err *e);

#endif
