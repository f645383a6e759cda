#include "config.h"

#include <stdio.h>
#include <stdlib.h>

static const struct column for_people[] = {
    {"partition", COL_NUMBER}, {"leader", COL_NUMBER}, {"replicas", COL_LIST}, {"isr", COL_LIST},
    {"start", COL_COUNT},      {"end", COL_COUNT},     {"size", COL_SIZE},     {0}};
static const struct column for_programs[] = {{"topic", COL_TEXT},       {"id", COL_TEXT},
                                             {"partition", COL_NUMBER}, {"leader", COL_NUMBER},
                                             {"replicas", COL_LIST},    {"isr", COL_LIST},
                                             {"start", COL_COUNT},      {"end", COL_COUNT},
                                             {"size", COL_SIZE},        {0}};

static void take_sizes(const struct admin_dirs *d, const struct client_topic *t, int32_t leader,
                       int64_t *sizes)
{
    for (int32_t i = 0; i < d->n; i++)
        for (int32_t k = 0; k < d->v[i].replica_count; k++) {
            const struct admin_replica *r = &d->v[i].replicas[k];
            if (slice_eq_str(r->topic, t->name) && r->partition >= 0 && r->partition < t->count &&
                t->partitions[r->partition].leader == leader)
                sizes[r->partition] = r->size;
        }
}

/* Of each partition at its leader, -1 where that does not tell: it may refuse, and the rest is
 * worth showing. */
static int64_t *find_sizes(struct ktopic *k, const struct client_topic *t)
{
    int64_t *sizes = calloc((size_t)t->count + 1, sizeof *sizes);

    for (int32_t i = 0; sizes && i < t->count; i++)
        sizes[i] = -1;
    for (int32_t i = 0; sizes && i < t->count; i++) {
        int32_t leader = t->partitions[i].leader;
        struct admin_dirs dirs;
        struct kerr e;
        bool asked = leader < 0;
        for (int32_t j = 0; !asked && j < i; j++)
            asked = t->partitions[j].leader == leader;
        if (asked)
            continue;
        if (admin_dirs(k->client, leader, t, ktopic_left(k), &dirs, &e) < 0) {
            diag(&k->diag, DIAG_WARN, "sizes on broker %d: %s", leader, kerr_msg(&e));
            continue;
        }
        take_sizes(&dirs, t, leader, sizes);
        admin_dirs_free(&dirs);
    }
    return sizes;
}

/* Those that are not what they are without anybody's doing. */
static void show_configs(struct ktopic *k, const char *name)
{
    struct admin_settings s;
    struct kerr e;

    if (admin_configs(k->client, &(struct admin_target){ADMIN_TOPIC, name}, ktopic_left(k), &s,
                      &e) < 0) {
        diag(&k->diag, DIAG_WARN, "configurations: %s", kerr_msg(&e));
        return;
    }
    for (int32_t i = 0; i < s.n; i++) {
        const struct admin_setting *v = &s.v[i];
        char shown[DIAG_ESCAPED_MAX], which[DIAG_ESCAPED_MAX];
        if (v->is.source != ADMIN_FROM_DEFAULT)
            printf("  %s=%s (%s%s)\n", diag_escape(which, sizeof which, v->is.name),
                   v->sensitive ? "(hidden)" : diag_escape(shown, sizeof shown, v->is.value),
                   config_source(v->is.source), v->idle ? ", no effect" : "");
    }
    admin_settings_free(&s);
}

static void show_replicas(struct writer *w, const struct admin_partitions *where, int32_t index)
{
    for (int32_t i = 0; i < where->n; i++) {
        const struct admin_partition *p = &where->v[i];
        if (p->index != index)
            continue;
        writer_list(w, p->replicas, (size_t)p->replica_count);
        writer_list(w, p->isr, (size_t)p->isr_count);
        return;
    }
    writer_none(w);
    writer_none(w);
}

static void show_partitions(struct ktopic *k, struct writer *w, const struct client_topic *t,
                            const struct admin_partitions *where, const int64_t *ends,
                            const int64_t *sizes)
{
    char id[UUID_TEXT];

    for (int32_t i = 0; i < t->count; i++) {
        if (k->json) {
            writer_text(w, slice_str(t->name));
            writer_text(w, slice_str(uuid_format(t->id, id)));
        }
        writer_number(w, i);
        writer_number(w, t->partitions[i].leader);
        show_replicas(w, where, i);
        writer_number(w, ends[2 * i]);
        writer_number(w, ends[2 * i + 1]);
        if (sizes && sizes[i] >= 0)
            writer_number(w, sizes[i]);
        else
            writer_none(w);
        writer_row(w);
    }
}

static int describe_one(struct ktopic *k, const char *name, struct kerr *e)
{
    struct admin_partitions where;
    struct client_topic *t;
    char id[UUID_TEXT];
    struct writer *w;
    int64_t *ends, *sizes;
    int rc = ktopic_topic(k, name, &t, e);

    if (rc == 0)
        rc = admin_partitions(k->client, name, ktopic_left(k), &where, e);
    if (rc < 0)
        return rc;
    rc = ktopic_ends(k, t, &ends, e);
    if (rc < 0) {
        admin_partitions_free(&where);
        return rc;
    }
    sizes = find_sizes(k, t);
    if (!k->json) {
        printf("%s  id %s  %d partition%s\n", name, uuid_format(t->id, id), t->count,
               t->count == 1 ? "" : "s");
        show_configs(k, name);
    }
    w = ktopic_writer(k, k->json ? for_programs : for_people);
    show_partitions(k, w, t, &where, ends, sizes);
    admin_partitions_free(&where);
    free(ends);
    free(sizes);
    return writer_end(w, e);
}

static int describe(void *ctx, const struct operands *ops)
{
    struct ktopic *k = ctx;
    struct kerr e = {0};
    int rc = ktopic_connect(k, &e);

    for (size_t i = 0; rc == 0 && i < ops->n; i++)
        rc = describe_one(k, ops->v[i], &e);
    return rc < 0 ? ktopic_fail(&e) : CLI_DONE;
}

const struct opt_command describe_command = {"describe",
                                             "TOPIC...",
                                             "a topic's id, what is set for it, its partitions",
                                             NULL,
                                             1,
                                             OPT_MANY,
                                             describe,
                                             .words = "TOPIC"};
