#include "ktopic.h"

#include <stdlib.h>

static const struct column columns[] = {
    {"topic", COL_TEXT}, {"partition", COL_NUMBER}, {"offset", COL_NUMBER}, {0}};
static const struct column both[] = {{"topic", COL_TEXT},
                                     {"partition", COL_NUMBER},
                                     {"start", COL_NUMBER},
                                     {"end", COL_NUMBER},
                                     {0}};

static int show(struct ktopic *k, struct writer *w, const char *arg, const struct when *at,
                struct kerr *e)
{
    struct client_topic *t;
    struct spot spot;
    int64_t *ends;
    int rc = spot_parse(arg, strlen(arg), &spot, e);

    if (rc == 0)
        rc = spot_find(k, &spot, &t, &ends, e);
    if (rc < 0)
        return rc;
    for (int32_t i = 0; rc == 0 && i < t->count; i++) {
        int64_t offset = 0;
        if (spot.partition >= 0 && i != spot.partition)
            continue;
        if (at && (rc = spot_offset(k, t, i, ends + 2 * i, at, &offset, e)) < 0)
            break;
        writer_text(w, slice_str(spot.name));
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

    if (rc == 0 && k->at && at.kind == WHEN_STORED)
        rc = kerr_set(&e, KE_INVALID, "'stored' needs a group");
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
                                            offsets,
                                            .words = "TOPIC"};
