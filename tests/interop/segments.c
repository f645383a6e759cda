/*
 * segments DIR: a log directory as lib/log writes it, with a topic for each codec, some segments
 * each and a clean stop. Prints what is in the records in the words of DumpLogSegments
 * --print-data-log.
 */
#include "log/logdir.h"
#include "record/batch.h"

#include <stdio.h>
#include <stdlib.h>

enum { BATCHES = 12, RECORDS = 50, BIG = 150000 };
static const int64_t producer_id = 4000000000, time_0 = 1700000000000;

static char big[BIG + 1];

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "segments: %s\n", what);
        exit(1);
    }
}

/* Record i, printed as it is added. Some have no key, no value, headers, or a large value. */
static void add_record(struct batch_builder *w, int i)
{
    char key[32], value[32];
    const char *payload = i % 41 == 7 && i < 300 ? big : value;
    struct header h[2] = {{slice_str("a"), slice_str("x")}, {slice_str("b"), {NULL, 0}}};
    struct slice k = {NULL, 0}, v = {NULL, 0};
    int64_t ts = time_0 + i / RECORDS / 4 * 5000 + (i * 37) % 100;

    snprintf(key, sizeof key, "key %d", i);
    snprintf(value, sizeof value, "value %d", i);
    if (i % 3)
        k = slice_str(key);
    if (i % 5)
        v = slice_str(payload);
    must(batch_add(w, ts, k, v, h, i % 3), "batch_add");
    printf("| offset: %d CreateTime: %lld keySize: %d valueSize: %d sequence: %d headerKeys: [%s]",
           i, (long long)ts, k.p ? (int)k.n : -1, v.p ? (int)v.n : -1, i,
           i % 3 == 0   ? ""
           : i % 3 == 1 ? "a"
                        : "a,b");
    if (k.p)
        printf(" key: %s", key);
    if (v.p)
        printf(" payload: %s", payload);
    printf("\n");
}

static void write_partition(struct logdir *d, enum codec codec)
{
    struct uuid id = {{1, (uint8_t)codec}};
    struct batch_builder w = {0};
    struct plog_conf conf;
    struct kerr e = {0};
    struct plog *log;

    plog_conf_default(&conf);
    conf.segment_bytes = 400000; /* the batches of large records in plain text roll */
    conf.segment_ms = 1000;
    conf.index_interval_bytes = 100;
    must(logdir_create(d, codec_name(codec), 0, id, &conf, &log, &e) == 0, e.msg);
    for (int n = 0; n < BATCHES; n++) {
        struct batch_fields f = {.codec = codec,
                                 .level = CODEC_LEVEL_DEFAULT,
                                 .producer_id = producer_id,
                                 .producer_epoch = 3,
                                 .base_sequence = n * RECORDS};
        struct plog_append a = {.leader_epoch = 0};
        struct slice out;
        batch_start(&w);
        for (int i = n * RECORDS; i < (n + 1) * RECORDS; i++)
            add_record(&w, i);
        must(batch_finish(&w, &f, &out, &e) == 0, e.msg);
        a.bytes = w.buf.p == out.p ? w.buf.p : w.packed.p;
        a.size = out.n;
        must(plog_append(log, &a, (wall_ms){time_0}, &e) == 0, e.msg);
        must(a.base_offset == n * RECORDS, "another base offset than expected");
    }
    batch_builder_free(&w);
    plog_close(log, true);
}

int main(int argc, char **argv)
{
    struct logdir_conf conf = {.node_id = 1, .producer_expiry_ms = 86400000};
    struct uuid cluster = {{9}};
    struct kerr e = {0};
    struct logdir *d;

    must(argc == 2, "usage: segments DIR");
    conf.path = argv[1];
    for (int i = 0; i < BIG; i++)
        big[i] = (char)('a' + (i / 3 * 7 + i % 11) % 26);
    must(pool_new(&conf.pool, 1, &e) == 0, e.msg);
    must(logdir_open(&d, &conf, &cluster, &e) == 0, e.msg);
    for (int c = 0; c < CODEC_COUNT; c++)
        write_partition(d, (enum codec)c);
    must(logdir_close(d, true, &e) == 0, e.msg);
    pool_free(conf.pool);
    return 0;
}
