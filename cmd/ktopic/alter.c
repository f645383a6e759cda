#include "ktopic.h"

#include "client/admin.h"

static const struct column columns[] = {
    {"topic", COL_TEXT}, {"partitions", COL_NUMBER}, {"done", COL_FLAG}, {0}};

/* Brokers refuse it too, each in its own words. */
static int check(const struct client_topic *t, int64_t partitions, struct kerr *e)
{
    if (partitions > t->count)
        return 0;
    return kerr_set(e, KE_INVALID, "topic %s has %d partition%s%s; partitions can only be added",
                    t->name, t->count, t->count == 1 ? "" : "s",
                    partitions == t->count ? " already" : "");
}

static int alter_one(struct ktopic *k, struct writer *w, const char *name, struct kerr *e)
{
    struct client_topic *t;
    int32_t before;
    int rc = ktopic_topic(k, name, &t, e);

    if (rc == 0)
        rc = check(t, k->partitions, e);
    if (rc < 0)
        return rc;
    before = t->count;
    rc = admin_grow(k->client, name, (int32_t)k->partitions, k->dry_run, ktopic_left(k), e);
    if (rc < 0)
        return rc;
    ktopic_told(k, "added", "would add", "%lld to the %d partition%s of topic %s",
                (long long)k->partitions - before, before, before == 1 ? "" : "s", name);
    writer_text(w, slice_str(name));
    writer_number(w, k->partitions);
    writer_flag(w, !k->dry_run);
    writer_row(w);
    return 0;
}

static int alter(void *ctx, const struct operands *ops)
{
    struct ktopic *k = ctx;
    struct writer *w;
    struct kerr e = {0};
    int rc;

    if (k->partitions < 0)
        return cli_usage("ktopic", "alter needs -p, the number of partitions");
    rc = ktopic_connect(k, &e);
    w = ktopic_changes(k, columns);
    for (size_t i = 0; rc == 0 && i < ops->n; i++)
        rc = alter_one(k, w, ops->v[i], &e);
    return ktopic_written(w, rc, &e);
}

static const struct opt options[] = {
    {'p', "partitions", "N", "how many partitions there shall be", OPT_INT,
     .at = offsetof(struct ktopic, partitions), .min = 1, .max = INT32_MAX},
    {'n', "dry-run", NULL, "let the broker check it, change nothing", OPT_FLAG,
     .at = offsetof(struct ktopic, dry_run)},
    {0},
};

const struct opt_command alter_command = {
    "alter", "TOPIC... -p N [-n]", "add partitions", options, 1, OPT_MANY, alter, .words = "TOPIC"};
