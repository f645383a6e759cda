#include "broker/stats.h"

#include "broker/dispatch.h"
#include "broker/sessions.h"

#include <stdlib.h>

const char *const stats_close_reasons[NET_CLOSE_REASONS] = {
    [NET_CLOSED_BY_PEER] = "peer",
    [NET_CLOSED_BY_US] = "broker",
    [NET_CLOSED_ERROR] = "error",
    [NET_CLOSED_MALFORMED] = "malformed",
    [NET_CLOSED_IDLE] = "idle",
    [NET_CLOSED_SLOW_IN] = "slow_request",
    [NET_CLOSED_SLOW_OUT] = "slow_reader",
};
const char *const stats_connection_refusals[CONNECTION_REFUSALS] = {
    [CONNECTION_OVER_MAX] = "max.connections",
    [CONNECTION_PEER_LIMIT] = "peer_limit",
    [CONNECTION_NO_MEMORY] = "memory",
};
const char *const stats_request_refusals[REQUEST_REFUSALS] = {
    [REQUEST_MALFORMED] = "malformed",
    [REQUEST_UNSUPPORTED] = "unsupported",
    [REQUEST_NO_MEMORY] = "memory",
};

/* ---- reactors ---- */

static void add_all(int64_t *sum, const counter *more, int n)
{
    for (int i = 0; i < n; i++)
        sum[i] += counter_read(&more[i]);
}

static void add_api(struct stats_api *sum, const struct api_stats *s)
{
    /* what ends meanwhile must not be more than what has begun */
    int64_t done = counter_read(&s->done);

    sum->requests += done;
    sum->waiting += counter_read(&s->begun) - done;
    sum->errors += counter_read(&s->errors);
    sum->bytes_in += counter_read(&s->bytes_in);
    sum->bytes_out += counter_read(&s->bytes_out);
    sum->ns += counter_read(&s->ns);
    add_all(sum->bucket, s->bucket, STAT_BUCKETS);
}

static void take_reactors(struct broker *b, struct stats *out)
{
    for (size_t k = 0; k < out->api_count; k++)
        out->apis[k].key = api_table[k].key;
    for (int i = 0; i < b->reactor_count; i++) {
        const struct reactor *r = b->reactors[i];
        for (size_t k = 0; k < out->api_count; k++)
            add_api(&out->apis[k], &r->stats[k]);
        out->accepted += counter_read(&r->conns.accepted);
        add_all(out->refused, r->conns.refused, CONNECTION_REFUSALS);
        add_all(out->closed, r->conns.closed, NET_CLOSE_REASONS);
        add_all(out->refused_requests, r->conns.refused_requests, REQUEST_REFUSALS);
    }
}

/* ---- partitions ---- */

static void take_partition(struct stats *out, const struct catalog_topic *t, struct partition *p)
{
    struct stats_partition *s = &out->partitions[out->partition_count++];
    struct plog_stats l;
    struct plog_ends ends;

    plog_ends(p->log, &ends);
    plog_stats(p->log, &l);
    *s = (struct stats_partition){
        .topic = t->name,
        .partition = p->index,
        .bytes_in = l.bytes,
        .records_in = l.records,
        .bytes_out = atomic_load_explicit(&p->bytes_out, memory_order_relaxed),
        .flushes = l.flushes,
        .flush_ns = l.flush_ns,
        .lag_ns = l.lag_ns,
        .log_start = ends.log_start,
        .stable = ends.stable,
        .high_watermark = ends.high_watermark,
        .end = ends.end,
        .size = ends.size,
        .producer_ids = l.producer_ids,
    };
    out->producer_ids += l.producer_ids;
}

/* One at a time, so that nobody who adds or removes one has to wait for all. */
static bool take_partitions(struct broker *b, struct stats *out)
{
    const struct catalog_image *image = out->image;
    size_t n = 0;

    out->topics = image->topic_count;
    for (int32_t i = 0; i < image->topic_count; i++)
        n += (size_t)image->topics[i]->partition_count;
    out->partitions = calloc(n ? n : 1, sizeof *out->partitions);
    if (!out->partitions)
        return false;
    for (int32_t i = 0; i < image->topic_count; i++)
        for (int32_t k = 0; k < image->topics[i]->partition_count; k++) {
            struct partition *p = partitions_get(&b->partitions, image->topics[i]->id, k);
            if (!p)
                continue;
            take_partition(out, image->topics[i], p);
            partition_release(&b->partitions, p);
        }
    return true;
}

/* ---- the whole ---- */

bool stats_take(struct broker *b, struct stats *out)
{
    struct sessions_stats sessions;

    *out = (struct stats){.started_ms = b->started.ms,
                          .connections = atomic_load(&b->connections),
                          .memory = atomic_load(&b->budget.used),
                          .memory_max = b->budget.max,
                          .api_count = api_count(),
                          .image = catalog_image(b->catalog)};
    out->apis = calloc(out->api_count, sizeof *out->apis);
    if (!out->apis || !take_partitions(b, out)) {
        stats_free(out);
        return false;
    }
    take_reactors(b, out);
    sessions_stats(b->sessions, &sessions);
    out->sessions = sessions.sessions;
    out->session_partitions = sessions.partitions;
    out->sessions_evicted = sessions.evicted;
    return true;
}

void stats_free(struct stats *s)
{
    free(s->apis);
    free(s->partitions);
    catalog_image_release(s->image);
    *s = (struct stats){0};
}
