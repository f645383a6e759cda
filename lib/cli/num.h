/*
 * num - numbers in and out. Nothing here depends on the locale.
 */
#ifndef KCORE_CLI_NUM_H
#define KCORE_CLI_NUM_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Decimal digits with an optional sign, nothing else, in min..max. KE_INVALID says what was
 * expected: "'x' is not a number", "7 is not in 0..5". */
int num_parse(const char *text, int64_t min, int64_t max, int64_t *out, struct kerr *e);

/* Seconds, fractions allowed ("2", "0.25"), to milliseconds. */
int num_parse_seconds(const char *text, int64_t *ms, struct kerr *e);

/* For people only: "41,290,117". Returns out; 27 bytes are enough. */
#define NUM_MAX 32
const char *num_count(int64_t v, char out[NUM_MAX]);

/* For people only: "71 B", "998 MiB", "3.9 GiB". */
const char *num_size(int64_t bytes, char out[NUM_MAX]);

#endif
