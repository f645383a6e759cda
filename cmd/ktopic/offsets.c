#include "ktopic.h"

#include "cli/num.h"
#include "cli/when.h"
#include "client/offsets.h"

#include <stdlib.h>

static const struct column columns[] = {
    {"topic", COL_TEXT}, {"partition", COL_NUMBER}, {"offset", COL_NUMBER}, {0}};
static const struct column both[] = {{"topic", COL_TEXT},
                                     {"partition", COL_NUMBER},
                                     {"start", COL_NUMBER},
                                     {"end", COL_NUMBER},
                                     {0}};

/* "TOPIC" or "TOPIC:PARTITION"; a name cannot have a colon in it. */
static int parse(const char *arg, char name[256], int64_t *partition, struct kerr *e)
{
    const char *colon = strrchr(arg, ':');
    size_t n = colon ? (size_t)(colon - arg) : strlen(arg);

    if (n == 0 || n > 249)
        return kerr_set(e, KE_INVALID, "'%s' is no TOPIC[:PARTITION]", arg);
    memcpy(name, arg, n);
    name[n] = 0;
    *partition = -1;
    return colon ? num_parse(colon + 1, 0, INT32_MAX, partition, e) : 0;
}

/* The offset that --at means in one partition; ends are its start and end. */
static int resolve(struct ktopic *k, struct client_topic *t, int32_t p, const int64_t *ends,
                   const struct when *at, int64_t *out, struct kerr *e)
{
    struct offset_query q = {.topic = t, .partition = p, .at = at->value};
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
        rc = client_offsets(k->client, &q, 1, false, k->common.timeout_ms, e);
        *out = q.offset < 0 ? ends[1] : q.offset;
        break;
    case WHEN_OFFSET:
        *out = at->value;
        break;
    default:
        rc = kerr_set(e, KE_INVALID, "--at stored needs a group");
    }
    return rc;
}

static int show(struct ktopic *k, struct writer *w, const char *arg, const struct when *at,
                struct kerr *e)
{
    struct client_topic *t;
    int64_t partition, *ends;
    char name[256];
    int rc = parse(arg, name, &partition, e);

    if (rc == 0)
        rc = ktopic_topic(k, name, &t, e);
    if (rc == 0 && partition >= t->count)
        rc = kerr_set(e, KE_NOTFOUND, "topic %s has no partition %lld", name, (long long)partition);
    if (rc == 0)
        rc = ktopic_ends(k, t, &ends, e);
    if (rc < 0)
        return rc;
    for (int32_t i = 0; rc == 0 && i < t->count; i++) {
        int64_t offset = 0;
        if (partition >= 0 && i != partition)
            continue;
        if (at && (rc = resolve(k, t, i, ends + 2 * i, at, &offset, e)) < 0)
            break;
        writer_text(w, slice_str(name));
        writer_number(w, i);
        writer_number(w, at ? offset : ends[2 * i]);
        if (!at)
            writer_number(w, ends[2 * i + 1]);
        writer_row(w);
    }
    free(ends);
    return rc;
}

static int offsets(void *ctx, const struct operands *ops)
{
    struct ktopic *k = ctx;
    struct kerr e = {0};
    struct when at;
    struct writer *w;
    int rc = k->at ? when_parse(k->at, os_wall(os_clock_real()), &at, &e) : 0, end;

    if (rc < 0)
        return cli_usage("ktopic", "--at %s: %s", k->at, kerr_msg(&e));
    rc = ktopic_connect(k, &e);
    if (rc < 0)
        return ktopic_fail(&e);
    w = ktopic_writer(k, k->at ? columns : both);
    for (size_t i = 0; rc == 0 && i < ops->n; i++)
        rc = show(k, w, ops->v[i], k->at ? &at : NULL, &e);
    end = writer_end(w, rc == 0 ? &e : NULL);
    return rc < 0 || end < 0 ? ktopic_fail(&e) : CLI_DONE;
}

static const struct opt options[] = {
    {0, "at", "WHEN", "the offset there: beginning, end, N, -N, a time", OPT_TEXT,
     .at = offsetof(struct ktopic, at)},
    {0},
};

const struct opt_command offsets_command = {"offsets",
                                            "TOPIC[:PARTITION]... [--at WHEN]",
                                            "where partitions begin and end, or what was when",
                                            options,
                                            1,
                                            OPT_MANY,
                                            offsets};
