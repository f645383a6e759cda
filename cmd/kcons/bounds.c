#include "kcons.h"

bool bounds_need_end(const struct kcons *k)
{
    return k->to_end || k->until_text || k->start.kind != WHEN_BEGINNING;
}

bool bounds_need_start(const struct kcons *k)
{
    return k->start.kind == WHEN_BEGINNING || k->start.kind == WHEN_FROM_END ||
           k->start.kind == WHEN_OFFSET ||
           (k->until_text && (k->until.kind == WHEN_BEGINNING || k->until.kind == WHEN_FROM_END));
}

static int first(const struct kcons *k, const struct extent *x, int64_t *from, struct kerr *e)
{
    int64_t n = k->start.value;

    switch (k->start.kind) {
    case WHEN_END:
        *from = x->end;
        return 0;
    case WHEN_FROM_END:
        *from = n > x->end - x->start ? x->start : x->end - n;
        return 0;
    case WHEN_TIME:
        *from = x->at_time < 0 ? x->end : x->at_time;
        return 0;
    case WHEN_OFFSET:
        *from = n;
        if (n >= x->start && n <= x->end)
            return 0;
        return kerr_set(e, KE_RANGE, "%s-%d has no offset %lld: it has those from %lld to %lld",
                        x->topic, x->partition, (long long)n, (long long)x->start,
                        (long long)x->end);
    default:
        *from = x->start;
        return 0;
    }
}

static int64_t last(const struct kcons *k, const struct extent *x)
{
    int64_t n = k->until.value;

    if (!k->until_text)
        return k->to_end ? x->end : INT64_MAX;
    switch (k->until.kind) {
    case WHEN_BEGINNING:
        return x->start;
    case WHEN_OFFSET:
        return n < x->end ? n : x->end;
    case WHEN_FROM_END:
        return n > x->end - x->start ? x->start : x->end - n;
    default: /* of a time: a record below it may be anywhere */
        return x->end;
    }
}

int bounds_of(const struct kcons *k, const struct extent *x, int64_t *from, int64_t *to,
              struct kerr *e)
{
    *to = last(k, x);
    return first(k, x, from, e);
}
