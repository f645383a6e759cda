#include "ktopic.h"

#include "client/admin.h"

#include <string.h>

static const struct column columns[] = {{"topic", COL_TEXT}, {"done", COL_FLAG}, {0}};

static int delete_one(struct ktopic *k, struct writer *w, const char *name, struct kerr *e)
{
    struct client_topic *t;
    int rc = ktopic_topic(k, name, &t, e);

    if (rc < 0 && strpbrk(name, "*?[]|()^$+\\"))
        return kerr_set(e, KE_NOTFOUND, "no topic is named '%s' (names are literal)", name);
    if (rc < 0)
        return rc;
    if (!k->dry_run)
        rc = admin_delete(k->client, name, ktopic_left(k), e);
    if (rc < 0)
        return rc;
    ktopic_told(k, "deleted", "would delete", "topic %s", name);
    writer_text(w, slice_str(name));
    writer_flag(w, !k->dry_run);
    writer_row(w);
    return 0;
}

static int delete (void *ctx, const struct operands *ops)
{
    struct ktopic *k = ctx;
    struct writer *w = ktopic_changes(k, columns);
    struct kerr e = {0};
    int rc = ktopic_connect(k, &e);

    for (size_t i = 0; rc == 0 && i < ops->n; i++)
        rc = delete_one(k, w, ops->v[i], &e);
    return ktopic_written(w, rc, &e);
}

static const struct opt options[] = {
    {'n', "dry-run", NULL, "say what would be deleted", OPT_FLAG,
     .at = offsetof(struct ktopic, dry_run)},
    {0},
};

const struct opt_command delete_command = {
    "delete", "TOPIC... [-n]", "delete topics and their records", options, 1, OPT_MANY,
    delete,   .words = "TOPIC"};
