#include "ktopic.h"

#include "cli/num.h"
#include "client/offsets.h"

#include <stdlib.h>

/* A topic's name cannot have a colon in it. */
int spot_parse(const char *arg, size_t n, struct spot *out, struct kerr *e)
{
    const char *colon = memchr(arg, ':', n);
    size_t name = colon ? (size_t)(colon - arg) : n;
    char number[16];

    if (name == 0 || name > 249 || (colon && n - name > sizeof number))
        return kerr_set(e, KE_INVALID, "'%.*s' is no TOPIC[:PARTITION]", (int)n, arg);
    memcpy(out->name, arg, name);
    out->name[name] = 0;
    out->partition = -1;
    if (!colon)
        return 0;
    memcpy(number, colon + 1, n - name - 1);
    number[n - name - 1] = 0;
    return num_parse(number, 0, INT32_MAX, &out->partition, e);
}

int spot_find(struct ktopic *k, const struct spot *at, struct client_topic **t, int64_t **ends,
              struct kerr *e)
{
    int rc = ktopic_topic(k, at->name, t, e);

    if (rc == 0 && at->partition >= (*t)->count)
        rc = kerr_set(e, KE_NOTFOUND, "topic %s has no partition %lld", at->name,
                      (long long)at->partition);
    return rc == 0 ? ktopic_ends(k, *t, ends, e) : rc;
}

int spot_offset(struct ktopic *k, struct client_topic *t, int32_t partition, const int64_t *ends,
                const struct when *at, int64_t *out, struct kerr *e)
{
    struct offset_query q = {.topic = t, .partition = partition, .at = at->value};
    int rc = 0;

    switch (at->kind) {
    case WHEN_BEGINNING:
        *out = ends[0];
        break;
    case WHEN_END:
        *out = ends[1];
        break;
    case WHEN_FROM_END:
        *out = ends[1] - at->value < ends[0] ? ends[0] : ends[1] - at->value;
        break;
    case WHEN_TIME:
        rc = client_offsets(k->client, &q, 1, false, ktopic_left(k), e);
        *out = q.offset < 0 ? ends[1] : q.offset;
        break;
    case WHEN_OFFSET:
        *out = at->value;
        break;
    default:
        rc = kerr_set(e, KE_INVALID, "'stored' needs a group");
    }
    return rc;
}
