/*
 * clock - the two times, as two types that cannot be mixed up.
 *
 * wall_ms stamps records and decides retention; it may jump, and is never used for a time-out.
 * mono_ns is for everything else. A struct os_clock is handed to whoever needs one, so that a test
 * can own the time.
 */
#ifndef KCORE_OS_CLOCK_H
#define KCORE_OS_CLOCK_H

#include <stdint.h>

typedef struct {
    int64_t ms; /* since 1970-01-01 UTC */
} wall_ms;

typedef struct {
    int64_t ns; /* since an unknown moment */
} mono_ns;

struct os_clock {
    wall_ms (*wall)(void *arg);
    mono_ns (*mono)(void *arg);
    void *arg;
};

/* The kernel's clocks. */
const struct os_clock *os_clock_real(void);

static inline wall_ms os_wall(const struct os_clock *c)
{
    return c->wall(c->arg);
}

static inline mono_ns os_mono(const struct os_clock *c)
{
    return c->mono(c->arg);
}

static inline mono_ns mono_add_ms(mono_ns t, int64_t ms)
{
    return (mono_ns){t.ns + ms * 1000000};
}

/* later - earlier, in milliseconds, rounded down. */
static inline int64_t mono_diff_ms(mono_ns later, mono_ns earlier)
{
    return (later.ns - earlier.ns) / 1000000;
}

#endif
