/*
 * random - unpredictable bytes from the kernel (getrandom). Never fails once the system is up;
 * where the kernel has none the process ends, because nothing safe can be done without.
 */
#ifndef KCORE_OS_RANDOM_H
#define KCORE_OS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void os_random(void *p, size_t n);

static inline uint64_t os_random_u64(void)
{
    uint64_t v;
    os_random(&v, sizeof v);
    return v;
}

#endif
