#include "ktopic.h"

#include "client/admin.h"

#include <stdlib.h>

static const struct column for_people[] = {{"topic", COL_TEXT},    {"partition", COL_NUMBER},
                                           {"start", COL_NUMBER},  {"to", COL_NUMBER},
                                           {"records", COL_COUNT}, {0}};
static const struct column for_programs[] = {{"topic", COL_TEXT},
                                             {"partition", COL_NUMBER},
                                             {"start", COL_NUMBER},
                                             {"to", COL_NUMBER},
                                             {"records", COL_COUNT},
                                             {"done", COL_FLAG},
                                             {0}};

/* What is to go: a partition each, from start to what is asked for. */
struct plan {
    struct admin_trim *v;
    int64_t *start;
    size_t n;
};

static void plan_free(struct plan *p)
{
    free(p->v);
    free(p->start);
}

static int plan_add(struct plan *p, const struct client_topic *t, int32_t partition,
                    const int64_t *ends, int64_t offset, struct kerr *e)
{
    struct admin_trim *v = reallocarray(p->v, p->n + 1, sizeof *v);
    int64_t *start;

    if (v)
        p->v = v;
    start = v ? reallocarray(p->start, p->n + 1, sizeof *start) : NULL;
    if (!start)
        return kerr_set(e, KE_NOMEM, "partitions");
    p->start = start;
    if (offset > ends[1])
        return kerr_set(e, KE_RANGE,
                        "%s-%d ends at %lld: there is nothing up to %lld to be deleted", t->name,
                        partition, (long long)ends[1], (long long)offset);
    for (size_t i = 0; i < p->n; i++)
        if (v[i].topic == t && v[i].partition == partition)
            return kerr_set(e, KE_INVALID, "%s-%d is there twice", t->name, partition);
    /* what lies before the start is gone already */
    v[p->n] = (struct admin_trim){
        .topic = t, .partition = partition, .offset = offset < ends[0] ? ends[0] : offset};
    start[p->n++] = ends[0];
    return 0;
}

/* "TOPIC[:PARTITION]=WHEN" */
static int parse(const char *arg, struct spot *spot, struct when *when, struct kerr *e)
{
    const char *sep = strchr(arg, '=');
    int rc;

    if (!sep)
        return kerr_set(e, KE_INVALID, "'%s' is no TOPIC[:PARTITION]=OFFSET", arg);
    rc = spot_parse(arg, (size_t)(sep - arg), spot, e);
    if (rc == 0)
        rc = when_parse(sep + 1, os_wall(os_clock_real()), when, e);
    if (rc == 0 && when->kind == WHEN_STORED)
        rc = kerr_set(e, KE_INVALID, "'stored' needs a group");
    return rc;
}

static int plan_one(struct ktopic *k, struct plan *p, const char *arg, struct kerr *e)
{
    struct client_topic *t;
    struct spot spot;
    struct when when;
    int64_t *ends, offset;
    int rc = parse(arg, &spot, &when, e);

    if (rc == 0)
        rc = spot_find(k, &spot, &t, &ends, e);
    if (rc < 0)
        return rc;
    for (int32_t i = 0; rc == 0 && i < t->count; i++) {
        if (spot.partition >= 0 && i != spot.partition)
            continue;
        rc = spot_offset(k, t, i, ends + 2 * i, &when, &offset, e);
        if (rc == 0)
            rc = plan_add(p, t, i, ends + 2 * i, offset, e);
    }
    free(ends);
    return rc;
}

static void show(struct ktopic *k, const struct plan *p, struct writer *w)
{
    for (size_t i = 0; i < p->n; i++) {
        int64_t to = k->dry_run ? p->v[i].offset : p->v[i].start;
        if (to < 0)
            continue; /* it failed, or it was not reached */
        writer_text(w, slice_str(p->v[i].topic->name));
        writer_number(w, p->v[i].partition);
        writer_number(w, p->start[i]);
        writer_number(w, to);
        writer_number(w, to - p->start[i]);
        if (k->json)
            writer_flag(w, !k->dry_run);
        writer_row(w);
    }
}

static int trim(void *ctx, const struct operands *ops)
{
    struct ktopic *k = ctx;
    struct plan p = {0};
    struct writer *w;
    struct kerr e = {0};
    struct spot spot;
    struct when when;
    int rc, end;

    for (size_t i = 0; i < ops->n; i++)
        if (parse(ops->v[i], &spot, &when, &e) < 0)
            return cli_usage("ktopic", "%s: %s", ops->v[i], kerr_msg(&e));
    rc = ktopic_connect(k, &e);
    /* everything is looked at before anything is deleted */
    for (size_t i = 0; rc == 0 && i < ops->n; i++)
        rc = plan_one(k, &p, ops->v[i], &e);
    if (rc < 0) {
        plan_free(&p);
        return ktopic_fail(&e);
    }
    if (!k->dry_run)
        rc = admin_trim(k->client, p.v, p.n, ktopic_left(k), &e);
    w = ktopic_writer(k, k->json ? for_programs : for_people);
    show(k, &p, w);
    end = writer_end(w, rc == 0 ? &e : NULL);
    plan_free(&p);
    if (rc == 0 && end == 0 && k->dry_run && !k->common.quiet)
        cli_say("ktopic", "nothing was deleted (-n)");
    return rc < 0 || end < 0 ? ktopic_fail(&e) : CLI_DONE;
}

static const struct opt options[] = {
    {'n', "dry-run", NULL, "show what would go, delete nothing", OPT_FLAG,
     .at = offsetof(struct ktopic, dry_run)},
    {0},
};

const struct opt_command trim_command = {"trim",
                                         "TOPIC[:PARTITION]=OFFSET... [-n]",
                                         "delete the records before an offset or a time",
                                         options,
                                         1,
                                         OPT_MANY,
                                         trim,
                                         .words = "TOPIC"};
