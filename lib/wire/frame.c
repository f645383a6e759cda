#include "wire/frame.h"

#include "base/bytes.h"

int frame_parse(struct slice s, size_t max, struct slice *body, size_t *used, size_t *want,
                struct kerr *e)
{
    int32_t n;

    *used = 0;
    *want = 4;
    if (s.n < 4)
        return 0;
    n = (int32_t)get_be32(s.p);
    if (n <= 0)
        return kerr_set(e, KE_CORRUPT, "a frame of %d bytes announced", n);
    if ((size_t)n > max)
        return kerr_set(e, KE_TOOBIG, "a frame of %d bytes announced, at most %zu allowed", n, max);
    *want = 4 + (size_t)n;
    if (s.n < *want)
        return 0;
    *body = slice_of(s.p + 4, (size_t)n);
    *used = *want;
    return 1;
}
