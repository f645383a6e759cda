#include "broker/metrics.h"

#include "wire/api.h"

#include <inttypes.h>
#include <stddef.h>

enum metric_type { COUNTER, GAUGE, HISTOGRAM };

/* A metric: what it is called, and where its number lies in the struct that it is of. */
struct metric {
    const char *name;
    enum metric_type type;
    size_t at;
    enum { AS_IT_IS, NS, MS } unit; /* of the number; times are written in seconds */
    const char *help;
};

#define OF(type, member) offsetof(struct type, member)

static const struct metric of_broker[] = {
    {"kcore_start_time_seconds", GAUGE, OF(stats, started_ms), MS,
     "When the broker was started, seconds since 1970."},
    {"kcore_connections", GAUGE, OF(stats, connections), AS_IT_IS, "Connections that are open."},
    {"kcore_connections_accepted_total", COUNTER, OF(stats, accepted), AS_IT_IS,
     "Connections taken into service."},
    {"kcore_request_memory_bytes", GAUGE, OF(stats, memory), AS_IT_IS,
     "Memory that requests take at this moment."},
    {"kcore_request_memory_limit_bytes", GAUGE, OF(stats, memory_max), AS_IT_IS,
     "How much of it they may take (queued.max.request.bytes)."},
    {"kcore_fetch_sessions", GAUGE, OF(stats, sessions), AS_IT_IS, "Fetch sessions that are kept."},
    {"kcore_fetch_session_partitions", GAUGE, OF(stats, session_partitions), AS_IT_IS,
     "Partitions in all fetch sessions."},
    {"kcore_fetch_sessions_evicted_total", COUNTER, OF(stats, sessions_evicted), AS_IT_IS,
     "Fetch sessions that have made room for others."},
    {"kcore_topics", GAUGE, OF(stats, topics), AS_IT_IS, "Topics."},
    {"kcore_partitions", GAUGE, OF(stats, partition_count), AS_IT_IS, "Partitions served here."},
    {"kcore_producer_ids", GAUGE, OF(stats, producer_ids), AS_IT_IS,
     "Producer ids remembered, summed over partitions."},
};

static const struct metric of_api[] = {
    {"kcore_requests_total", COUNTER, OF(stats_api, requests), AS_IT_IS,
     "Requests that have ended."},
    {"kcore_request_errors_total", COUNTER, OF(stats_api, errors), AS_IT_IS,
     "Of these, those answered with an error code, or by closing the connection."},
    {"kcore_requests_waiting", GAUGE, OF(stats_api, waiting), AS_IT_IS,
     "Requests under way: waiting for records, a flush, a disk or the catalog."},
    {"kcore_request_bytes_total", COUNTER, OF(stats_api, bytes_in), AS_IT_IS,
     "Bytes of requests, with their lengths."},
    {"kcore_response_bytes_total", COUNTER, OF(stats_api, bytes_out), AS_IT_IS,
     "Bytes of answers, with their lengths."},
};

static const struct metric of_time = {
    "kcore_request_seconds", HISTOGRAM, 0, NS,
    "From a request that was read whole to its answer. Fetch: waiting for records, too."};

static const struct metric of_partition[] = {
    {"kcore_partition_in_bytes_total", COUNTER, OF(stats_partition, bytes_in), AS_IT_IS,
     "Bytes of batches appended."},
    {"kcore_partition_in_records_total", COUNTER, OF(stats_partition, records_in), AS_IT_IS,
     "Records appended."},
    {"kcore_partition_out_bytes_total", COUNTER, OF(stats_partition, bytes_out), AS_IT_IS,
     "Bytes of batches given to readers."},
    {"kcore_partition_flushes_total", COUNTER, OF(stats_partition, flushes), AS_IT_IS,
     "Completed flushes to stable storage."},
    {"kcore_partition_flush_seconds_total", COUNTER, OF(stats_partition, flush_ns), NS,
     "Time that these took."},
    {"kcore_partition_flush_lag_seconds", GAUGE, OF(stats_partition, lag_ns), NS,
     "How long the oldest batch that is not stable has waited; 0: all are, or flush=os."},
    {"kcore_partition_log_start_offset", GAUGE, OF(stats_partition, log_start), AS_IT_IS,
     "The first offset."},
    {"kcore_partition_stable_offset", GAUGE, OF(stats_partition, stable), AS_IT_IS,
     "The offset behind the last record on stable storage."},
    {"kcore_partition_high_watermark", GAUGE, OF(stats_partition, high_watermark), AS_IT_IS,
     "The offset behind the last record that readers are given."},
    {"kcore_partition_log_end_offset", GAUGE, OF(stats_partition, end), AS_IT_IS,
     "The offset behind the last record."},
    {"kcore_partition_size_bytes", GAUGE, OF(stats_partition, size), AS_IT_IS,
     "Size of its segments."},
    {"kcore_partition_producer_ids", GAUGE, OF(stats_partition, producer_ids), AS_IT_IS,
     "Producer ids remembered."},
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void write_head(struct buf *b, const struct metric *m)
{
    static const char *const type[] = {"counter", "gauge", "histogram"};

    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, type[m->type]);
}

/* What is counted in whole numbers stays whole; times have all their digits. */
static void write_value(struct buf *b, const struct metric *m, const void *of)
{
    int64_t v;

    memcpy(&v, (const char *)of + m->at, sizeof v);
    if (m->unit == NS)
        buf_printf(b, " %" PRId64 ".%09" PRId64 "\n", v / 1000000000, v % 1000000000);
    else if (m->unit == MS)
        buf_printf(b, " %" PRId64 ".%03" PRId64 "\n", v / 1000, v % 1000);
    else
        buf_printf(b, " %" PRId64 "\n", v);
}

/* As a label's value. (Topics' names need none of this; the format does.) */
static void write_escaped(struct buf *b, struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' || s.p[i] == '"')
            buf_put_u8(b, '\\');
        if (s.p[i] == '\n')
            buf_put_str(b, "\\n");
        else
            buf_put_u8(b, s.p[i]);
    }
}

static void write_broker(const struct stats *s, struct buf *b)
{
    for (size_t i = 0; i < COUNT(of_broker); i++) {
        write_head(b, &of_broker[i]);
        buf_put_str(b, of_broker[i].name);
        write_value(b, &of_broker[i], s);
    }
}

static void write_reasons(struct buf *b, const char *name, const char *help,
                          const char *const *reasons, const int64_t *v, int n)
{
    write_head(b, &(struct metric){.name = name, .type = COUNTER, .help = help});
    for (int i = 0; i < n; i++)
        buf_printf(b, "%s{reason=\"%s\"} %" PRId64 "\n", name, reasons[i], v[i]);
}

static void write_apis(const struct stats *s, struct buf *b)
{
    for (size_t i = 0; i < COUNT(of_api); i++) {
        write_head(b, &of_api[i]);
        for (size_t k = 0; k < s->api_count; k++) {
            buf_printf(b, "%s{api=\"%s\"}", of_api[i].name, wire_api_name(s->apis[k].key));
            write_value(b, &of_api[i], &s->apis[k]);
        }
    }
}

static void write_times(const struct stats *s, struct buf *b)
{
    write_head(b, &of_time);
    for (size_t k = 0; k < s->api_count; k++) {
        const struct stats_api *a = &s->apis[k];
        const char *api = wire_api_name(a->key);
        int64_t sum = 0;
        for (int i = 0; i < STAT_BOUNDS; i++) {
            sum += a->bucket[i];
            buf_printf(b, "%s_bucket{api=\"%s\",le=\"%g\"} %" PRId64 "\n", of_time.name, api,
                       stat_bounds_us[i] / 1e6, sum);
        }
        sum += a->bucket[STAT_BOUNDS];
        buf_printf(b, "%s_bucket{api=\"%s\",le=\"+Inf\"} %" PRId64 "\n", of_time.name, api, sum);
        buf_printf(b, "%s_sum{api=\"%s\"}", of_time.name, api);
        write_value(b, &(struct metric){.unit = NS}, &a->ns);
        buf_printf(b, "%s_count{api=\"%s\"} %" PRId64 "\n", of_time.name, api, sum);
    }
}

static void write_partitions(const struct stats *s, struct buf *b)
{
    for (size_t i = 0; i < COUNT(of_partition); i++) {
        write_head(b, &of_partition[i]);
        for (int64_t k = 0; k < s->partition_count; k++) {
            const struct stats_partition *p = &s->partitions[k];
            buf_printf(b, "%s{topic=\"", of_partition[i].name);
            write_escaped(b, p->topic);
            buf_printf(b, "\",partition=\"%" PRId64 "\"}", p->partition);
            write_value(b, &of_partition[i], p);
        }
    }
}

void metrics_write(const struct stats *s, struct buf *b)
{
    write_head(b,
               &(struct metric){.name = "kcore_build_info", .type = GAUGE, .help = "The version."});
    buf_printf(b, "kcore_build_info{version=\"%s\"} 1\n", KCORE_VERSION);
    write_broker(s, b);
    write_reasons(b, "kcore_connections_refused_total", "Connections closed when they came.",
                  stats_connection_refusals, s->refused, CONNECTION_REFUSALS);
    write_reasons(b, "kcore_connections_closed_total", "Connections that have ended, and by what.",
                  stats_close_reasons, s->closed, NET_CLOSE_REASONS);
    write_reasons(b, "kcore_requests_refused_total",
                  "Requests that came to no API; their connections were closed.",
                  stats_request_refusals, s->refused_requests, REQUEST_REFUSALS);
    write_apis(s, b);
    write_times(s, b);
    write_partitions(s, b);
}
