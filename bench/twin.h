/* twin.h - a program that takes turns as an endpoint: it does the work of a server without being one (bench/floor).
 *
 * It reads one word a line ("up", "exec", "down") from standard input and answers each with a line: a JSON object of
 * numbers in milliseconds, which go into the sample as they are. */
#ifndef BENCH_TWIN_H
#define BENCH_TWIN_H

#include "reactor/err.h"
#include "reactor/json.h"

struct twin;

#define TWIN_SCHEME "exec:" /* the address of such an endpoint: exec:/PATH ARGUMENT... */

/* Starts the program; text is "/PATH ARGUMENT...", separated by blanks. NULL and INTERNAL: it cannot be started. */
struct twin *twin_open(const char *text, struct err *e);
void twin_close(struct twin *twin); /* ends its input and waits for its end */

/* `answer` is borrowed. INTERNAL: the program has ended, or the answer is no JSON object. */
typedef void twin_done(void *arg, const struct err *e, json_t *answer);

/* `done` runs exactly once, never inside the call, and never after twin_close(). One question at a time. */
void twin_ask(struct twin *twin, const char *word, twin_done *done, void *arg);

#endif
