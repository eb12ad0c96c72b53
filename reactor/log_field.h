/* log_field.h - reads the text of a log line (log.h) word by word. */
#ifndef REACTOR_LOG_FIELD_H
#define REACTOR_LOG_FIELD_H

#include <stdbool.h>
#include <stddef.h>

struct log_field {
	const char *key;   /* NULL: a word without "=" */
	const char *value; /* the word, or what follows "=", without its quotes; both point into the text */
	size_t key_len, value_len;
	bool quoted; /* the value has the escapes of log_quote() */
};

/* The word at *at, which moves behind it. false: there is none left. */
bool log_field_next(const char **at, struct log_field *field);

/* Is this the field's key? */
bool log_field_is(const struct log_field *field, const char *key);

/* Has the text a field of this key? */
bool log_field_find(const char *text, const char *key, struct log_field *field);

/* The value's bytes without its escapes, with a NUL behind them; at most `size` with it. The result is their number. */
size_t log_field_text(const struct log_field *field, char *out, size_t size);

#endif
