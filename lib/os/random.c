#include "os/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void os_random(void *p, size_t n)
{
    uint8_t *to = p;

    while (n > 0) {
        ssize_t k = getrandom(to, n, 0);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            abort();
        to += k;
        n -= (size_t)k;
    }
}
