/*
 * when - positions and times in, times out.
 *
 * beginning, end, stored, N, -N (N before the end); @SECONDS, @MILLISECONDS (13 digits or more);
 * RFC 3339 (2026-08-01, 2026-08-01T12:00, ...:30.5, with a blank for the T, Z or +hh:mm; without
 * an offset local by TZ); -2h, -30m, -7d, -10s, -2w; now, today, yesterday (their first moment).
 */
#ifndef KCORE_CLI_WHEN_H
#define KCORE_CLI_WHEN_H

#include "base/err.h"
#include "os/clock.h"

#include <stddef.h>
#include <stdint.h>

enum when_kind {
    WHEN_BEGINNING,
    WHEN_END,
    WHEN_STORED,
    WHEN_OFFSET,   /* value: the offset */
    WHEN_FROM_END, /* value: how many before the end, >= 0 */
    WHEN_TIME,     /* value: milliseconds since the epoch */
};

struct when {
    enum when_kind kind;
    int64_t value;
};

int when_parse(const char *text, wall_ms now, struct when *out, struct kerr *e);

/* RFC 3339 with milliseconds and Z, "2026-08-01T12:00:00.000Z"; "-" for negative times. Returns
 * out. */
#define WHEN_FORMAT_MAX 80
const char *when_format(int64_t ms, char out[WHEN_FORMAT_MAX]);

#endif
