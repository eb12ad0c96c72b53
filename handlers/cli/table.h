/* table.h - tables for a terminal: aligned columns, short ids, ages and sizes. */
#ifndef HANDLERS_CLI_TABLE_H
#define HANDLERS_CLI_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include "reactor/arena.h"

struct cli_table;

/* Headings end with NULL. The column STATE has colours on a terminal, unless $NO_COLOR is set. */
struct cli_table *cli_table_new(struct arena *arena, ...) __attribute__((sentinel));

/* As many cells as headings, then NULL. Cells are borrowed; control characters in them are shown as '?'. */
void cli_table_row(struct cli_table *table, ...) __attribute__((sentinel));
void cli_table_print(const struct cli_table *table, FILE *to);

enum { CLI_SHORT_ID = 12 };
const char *cli_table_id(struct arena *arena, const char *id);   /* the first 12 digits, without "sha256:" */
const char *cli_table_age(struct arena *arena, int64_t at_ns);   /* "42s", "5m", "3h", "12d" since then; "-" for 0 */
const char *cli_table_size(struct arena *arena, uint64_t bytes); /* "1.2 MB": decimal units, as in registries */

#endif
