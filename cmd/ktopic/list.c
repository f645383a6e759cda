#include "names.h"

#include <stdlib.h>

static int row(struct ktopic *k, struct writer *w, const char *name, struct kerr *e)
{
    struct client_topic *t;
    int64_t *ends, records = 0;
    int rc = ktopic_topic(k, name, &t, e);

    if (rc == KE_NOTFOUND)
        return 0; /* deleted since it was listed */
    if (rc == 0)
        rc = ktopic_ends(k, t, &ends, e);
    if (rc < 0)
        return rc;
    for (int32_t i = 0; i < t->count; i++)
        records += ends[2 * i + 1] - ends[2 * i];
    free(ends);
    writer_text(w, slice_str(name));
    writer_number(w, t->count);
    writer_number(w, records);
    writer_row(w);
    return 0;
}

static int list(void *ctx, const struct operands *ops)
{
    static const struct column columns[] = {
        {"topic", COL_TEXT}, {"partitions", COL_NUMBER}, {"records", COL_COUNT}, {0}};
    struct ktopic *k = ctx;
    struct names l;
    struct kerr e = {0};
    struct writer *w;
    int rc = ktopic_connect(k, &e), end;

    (void)ops;
    if (rc == 0)
        rc = names_load(k, k->internal, NULL, &l, &e);
    if (rc < 0)
        return ktopic_fail(&e);
    w = ktopic_writer(k, columns);
    for (size_t i = 0; rc == 0 && i < l.n; i++)
        rc = row(k, w, l.v[i], &e);
    names_free(&l);
    end = writer_end(w, rc == 0 ? &e : NULL);
    return rc < 0 || end < 0 ? ktopic_fail(&e) : CLI_DONE;
}

static const struct opt options[] = {
    {'i', "internal", NULL, "internal topics too", OPT_FLAG,
     .at = offsetof(struct ktopic, internal)},
    {0},
};

const struct opt_command list_command = {
    "list", "[-i]", "topics, their partitions and records", options, 0, 0, list, .words = NULL};
