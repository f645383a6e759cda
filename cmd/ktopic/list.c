#include "ktopic.h"

#include <stdlib.h>

struct names {
    char **v;
    size_t n;
    bool internal, failed;
};

static void add(void *arg, struct slice name, bool internal)
{
    struct names *l = arg;
    char **more;

    if (internal && !l->internal)
        return;
    more = realloc(l->v, (l->n + 1) * sizeof *more);
    if (more)
        l->v = more;
    if (!more || !(l->v[l->n] = strndup((const char *)name.p, name.n)))
        l->failed = true;
    else
        l->n++;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

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
    struct names l = {.internal = k->internal};
    struct kerr e = {0};
    struct writer *w;
    int rc = ktopic_connect(k, &e), end;

    (void)ops;
    if (rc == 0)
        rc = client_each_topic(k->client, ktopic_left(k), add, &l, &e);
    if (rc == 0 && l.failed)
        rc = kerr_set(&e, KE_NOMEM, "list of topics");
    if (rc < 0)
        return ktopic_fail(&e);
    qsort(l.v, l.n, sizeof *l.v, by_name);
    w = ktopic_writer(k, columns);
    for (size_t i = 0; i < l.n; i++) {
        if (rc == 0)
            rc = row(k, w, l.v[i], &e);
        free(l.v[i]);
    }
    free(l.v);
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
