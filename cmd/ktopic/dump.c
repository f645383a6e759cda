#include "ktopic.h"

#include "cli/json.h"
#include "cli/when.h"
#include "log/dump.h"

#include <stdio.h>

#define CAP ((size_t)1 << 30) /* of one batch's decoded records */

static int batch(void *arg, const struct batch *b, int64_t position, uint32_t crc)
{
    char time[WHEN_FORMAT_MAX];

    (void)arg;
    printf("offsets %lld..%lld  position %lld  size %zu  records %d  codec %s  %s %s  epoch %d  "
           "producer %lld "
           "epoch %d sequence %d%s%s  crc %08x%s\n",
           (long long)b->base_offset, (long long)batch_last_offset(b), (long long)position, b->size,
           b->count, codec_name(batch_codec(b)) ? codec_name(batch_codec(b)) : "unknown",
           b->attributes & BATCH_LOG_APPEND_TIME ? "LogAppendTime" : "CreateTime",
           when_format(b->max_timestamp, time), b->leader_epoch, (long long)b->producer_id,
           b->producer_epoch, b->base_sequence,
           b->attributes & BATCH_TRANSACTIONAL ? "  transactional" : "",
           b->attributes & BATCH_CONTROL ? "  control" : "", b->crc, crc == b->crc ? "" : " (BAD)");
    return 0;
}

/* A record in the words of the JSON lines that kcons -J writes. */
static int record(void *arg, const struct batch *b, const struct record *r)
{
    struct slice at = r->headers;
    struct buf out = {0};
    struct header h;

    (void)arg;
    (void)b;
    buf_printf(&out, "  {\"offset\":%lld,\"timestamp\":%lld,\"headers\":[", (long long)r->offset,
               (long long)r->timestamp);
    for (int32_t i = 0; i < r->header_count && record_header_next(&at, &h) == 0; i++) {
        buf_put_str(&out, i ? ",[" : "[");
        json_put(&out, h.name);
        buf_put_str(&out, ",");
        json_put(&out, h.value);
        buf_put_str(&out, "]");
    }
    buf_put_str(&out, "],\"key\":");
    json_put(&out, r->key);
    buf_put_str(&out, ",\"value\":");
    json_put(&out, r->value);
    buf_put_str(&out, "}\n");
    fwrite(out.p, 1, out.n, stdout);
    buf_free(&out);
    return 0;
}

static int index_entry(void *arg, int64_t offset, int64_t position)
{
    (void)arg;
    printf("offset %lld  position %lld\n", (long long)offset, (long long)position);
    return 0;
}

static int time_entry(void *arg, int64_t timestamp, int64_t offset)
{
    (void)arg;
    printf("timestamp %lld  offset %lld\n", (long long)timestamp, (long long)offset);
    return 0;
}

static int txn(void *arg, const struct txn_entry *t)
{
    (void)arg;
    printf("producer %lld  offsets %lld..%lld aborted  last stable %lld\n",
           (long long)t->producer_id, (long long)t->first_offset, (long long)t->last_offset,
           (long long)t->last_stable_offset);
    return 0;
}

static int producer(void *arg, const struct producer_entry *p)
{
    (void)arg;
    printf("producer %lld  epoch %d  sequence %d  last offset %lld  delta %d  timestamp %lld  "
           "coordinator "
           "epoch %d  transaction from %lld\n",
           (long long)p->producer_id, p->epoch, p->last_sequence, (long long)p->last_offset,
           p->offset_delta, (long long)p->timestamp, p->coordinator_epoch,
           (long long)p->txn_first_offset);
    return 0;
}

static int epoch(void *arg, const struct epoch_entry *v)
{
    (void)arg;
    printf("leader epoch %d  from offset %lld\n", v->epoch, (long long)v->start);
    return 0;
}

static int topic_id(void *arg, struct uuid id)
{
    char text[UUID_TEXT];

    (void)arg;
    printf("topic id %s\n", uuid_format(id, text));
    return 0;
}

static int dump(void *ctx, const struct operands *ops)
{
    struct ktopic *k = ctx;
    struct dump_sink sink = {batch,       k->records ? record : NULL,
                             index_entry, time_entry,
                             txn,         producer,
                             epoch,       topic_id,
                             NULL,        CAP};
    int status = CLI_DONE;

    for (size_t i = 0; i < ops->n; i++) {
        struct kerr e = {0};
        if (ops->n > 1)
            printf("%s:\n", ops->v[i]);
        if (dump_file(ops->v[i], &sink, &e) < 0) {
            kerr_ctx(&e, e.code, "%s", ops->v[i]);
            status = ktopic_fail(&e);
        }
    }
    return status;
}

static const struct opt options[] = {
    {'r', "records", NULL, "the records of each batch too", OPT_FLAG,
     .at = offsetof(struct ktopic, records)},
    {0},
};

const struct opt_command dump_command = {
    "dump", "FILE... [-r]", "what segment, index and checkpoint files hold", options, 1, OPT_MANY,
    dump,   .words = "FILE"};
