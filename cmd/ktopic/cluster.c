#include "ktopic.h"

#include "client/admin.h"
#include "wire/error.h"

#include <stdio.h>

static const struct column for_people[] = {
    {"broker", COL_NUMBER}, {"address", COL_TEXT},      {"rack", COL_TEXT},
    {"dir", COL_TEXT},      {"partitions", COL_NUMBER}, {"size", COL_SIZE},
    {"free", COL_SIZE},     {"total", COL_SIZE},        {0}};
static const struct column for_programs[] = {
    {"cluster", COL_TEXT},  {"controller", COL_NUMBER}, {"features", COL_TEXT},
    {"broker", COL_NUMBER}, {"address", COL_TEXT},      {"rack", COL_TEXT},
    {"dir", COL_TEXT},      {"partitions", COL_NUMBER}, {"size", COL_SIZE},
    {"free", COL_SIZE},     {"total", COL_SIZE},        {0}};

struct view {
    struct ktopic *k;
    struct writer *w;
    struct admin_cluster cluster;
    struct buf features; /* "metadata.version 29, ..."; empty: none */
};

/* A Unix listener's host begins with unix: and its port says nothing. */
static void put_address(struct buf *b, const struct admin_broker *broker)
{
    buf_put_slice(b, broker->host);
    if (broker->host.n < 5 || memcmp(broker->host.p, "unix:", 5) != 0)
        buf_printf(b, ":%d", broker->port);
}

static void begin_row(struct view *v, const struct admin_broker *b)
{
    struct buf address = {0};

    if (v->k->json) {
        writer_text(v->w, v->cluster.id);
        writer_number(v->w, v->cluster.controller);
        writer_text(v->w, v->features.n ? buf_slice(&v->features) : (struct slice){NULL, 0});
    }
    put_address(&address, b);
    writer_number(v->w, b->id);
    writer_text(v->w, buf_slice(&address));
    writer_text(v->w, b->rack);
    buf_free(&address);
}

static void number_or_none(struct writer *w, bool known, int64_t v)
{
    if (known)
        writer_number(w, v);
    else
        writer_none(w);
}

static void show_dir(struct view *v, const struct admin_broker *b, const struct admin_dir *d)
{
    bool works = d->error == 0;
    int64_t size = 0;

    for (int32_t i = 0; i < d->replica_count; i++)
        size += d->replicas[i].size;
    if (!works) {
        char path[DIAG_ESCAPED_MAX];
        diag(&v->k->diag, DIAG_WARN, "broker %d: %s: %s", b->id,
             diag_escape(path, sizeof path, d->path), wire_error_text(d->error));
    }
    begin_row(v, b);
    writer_text(v->w, d->path);
    number_or_none(v->w, works, d->replica_count);
    number_or_none(v->w, works, size);
    number_or_none(v->w, works && d->usable >= 0, d->usable);
    number_or_none(v->w, works && d->total >= 0, d->total);
    writer_row(v->w);
}

/* A broker that does not answer has its row, too. */
static int show_broker(struct view *v, const struct admin_broker *b, struct kerr *e)
{
    struct admin_dirs dirs;
    int rc = admin_dirs(v->k->client, b->id, NULL, ktopic_left(v->k), &dirs, e);

    for (int32_t i = 0; rc == 0 && i < dirs.n; i++)
        show_dir(v, b, &dirs.v[i]);
    if (rc == 0) {
        admin_dirs_free(&dirs);
        return 0;
    }
    begin_row(v, b);
    for (size_t i = 0; i < 5; i++)
        writer_none(v->w);
    writer_row(v->w);
    return kerr_ctx(e, rc, "broker %d", b->id);
}

/* The cluster's, so any broker's. */
static int learn_features(struct view *v, struct kerr *e)
{
    struct admin_versions versions;
    int rc = v->cluster.broker_count == 0
                 ? 0
                 : admin_versions(v->k->client, CLIENT_ANY, ktopic_left(v->k), &versions, e);

    if (rc < 0 || v->cluster.broker_count == 0)
        return rc;
    for (int32_t i = 0; i < versions.feature_count; i++) {
        buf_put_str(&v->features, i ? ", " : "");
        buf_put_slice(&v->features, versions.features[i].name);
        buf_printf(&v->features, " %d", versions.features[i].level);
    }
    admin_versions_free(&versions);
    return 0;
}

static void head(const struct view *v)
{
    char id[DIAG_ESCAPED_MAX], features[DIAG_ESCAPED_MAX];

    printf("cluster %s  controller %d  %d broker%s\n", diag_escape(id, sizeof id, v->cluster.id),
           v->cluster.controller, v->cluster.broker_count, v->cluster.broker_count == 1 ? "" : "s");
    if (v->features.n > 0)
        printf("  features: %s\n", diag_escape(features, sizeof features, buf_slice(&v->features)));
}

static int cluster(void *ctx, const struct operands *ops)
{
    struct ktopic *k = ctx;
    struct view v = {.k = k};
    struct kerr e = {0}, first = {0};
    int rc = ktopic_connect(k, &e), end;

    (void)ops;
    if (rc == 0)
        rc = admin_cluster(k->client, ktopic_left(k), &v.cluster, &e);
    if (rc < 0)
        return ktopic_fail(&e);
    rc = learn_features(&v, &e);
    if (rc == 0 && !k->json)
        head(&v);
    v.w = ktopic_writer(k, k->json ? for_programs : for_people);
    for (int32_t i = 0; rc == 0 && i < v.cluster.broker_count; i++)
        if (show_broker(&v, &v.cluster.brokers[i], &e) < 0 && !first.code)
            first = e;
    end = writer_end(v.w, rc == 0 && !first.code ? &e : NULL);
    buf_free(&v.features);
    admin_cluster_free(&v.cluster);
    if (first.code)
        return ktopic_fail(&first);
    return rc < 0 || end < 0 ? ktopic_fail(&e) : CLI_DONE;
}

const struct opt_command cluster_command = {
    "cluster", "",           "brokers, their directories and how much is in them", NULL, 0, 0,
    cluster,   .words = NULL};
