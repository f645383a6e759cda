#include "os/clock.h"

#include <stddef.h>
#include <time.h>

static wall_ms real_wall(void *arg)
{
    struct timespec t;

    (void)arg;
    clock_gettime(CLOCK_REALTIME, &t);
    return (wall_ms){t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000};
}

static mono_ns real_mono(void *arg)
{
    struct timespec t;

    (void)arg;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (mono_ns){t.tv_sec * INT64_C(1000000000) + t.tv_nsec};
}

const struct os_clock *os_clock_real(void)
{
    static const struct os_clock real = {real_wall, real_mono, NULL};

    return &real;
}
