/*
 * What Apache Kafka wrote, against what its own consumer and DumpLogSegments read out of it:
 * tests/fixtures/kafka-4.3.1, made by tests/interop/fixtures.
 */
#include "cli/json.h"
#include "log/committed.h"
#include "log/dump.h"
#include "log/offline.h"
#include "log/segdir.h"
#include "log/verify.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

/* $KAFKA_FIXTURES, or those that are kept. */
static const char *fixtures = "tests/fixtures/kafka-4.3.1";
static int64_t open_at = -1; /* where topic txn's last transaction begins, which has no end */

static char *unzip(const char *name)
{
    struct buf b = {0};
    char path[400];
    gzFile f;
    int n;

    snprintf(path, sizeof path, "%s/%s", fixtures, name);
    f = gzopen(path, "rb");
    assert_non_null(f);
    do {
        uint8_t *p = buf_add(&b, 65536);
        assert_non_null(p);
        n = gzread(f, p, 65536);
        assert_true(n >= 0);
        b.n -= 65536 - (size_t)n;
    } while (n > 0);
    gzclose(f);
    assert_non_null(buf_cstr(&b));
    return (char *)b.p;
}

/* Where two texts part, line by line. */
static void assert_text(const char *ours, const char *theirs)
{
    for (int line = 1; *ours || *theirs; line++) {
        size_t n = strcspn(ours, "\n"), m = strcspn(theirs, "\n");
        if (n != m || memcmp(ours, theirs, n) != 0)
            fail_msg("line %d\n# ours   %.*s\n# theirs %.*s", line, n > 300 ? 300 : (int)n, ours,
                     m > 300 ? 300 : (int)m, theirs);
        ours += n + (ours[n] == '\n');
        theirs += m + (theirs[m] == '\n');
    }
}

/* ---- records ---- */

static void put_base64(struct buf *out, struct slice s)
{
    if (slice_is_null(s)) {
        buf_put_str(out, "null");
        return;
    }
    buf_put_str(out, "\"");
    base64_put(out, s);
    buf_put_str(out, "\"");
}

static void put_record(struct buf *out, const char *topic, bool committed, const struct record *r)
{
    struct slice at = r->headers;
    struct header h;

    buf_printf(out, "{\"topic\":\"%s\",\"committed\":%s,\"offset\":%lld,\"timestamp\":%lld", topic,
               committed ? "true" : "false", (long long)r->offset, (long long)r->timestamp);
    buf_put_str(out, ",\"headers\":[");
    for (int32_t i = 0; i < r->header_count; i++) {
        assert_int_equal(record_header_next(&at, &h), 0);
        buf_put_str(out, i ? ",[" : "[");
        put_base64(out, h.name);
        buf_put_str(out, ",");
        put_base64(out, h.value);
        buf_put_str(out, "]");
    }
    buf_put_str(out, "],\"key\":");
    put_base64(out, r->key);
    if (slice_eq_str(r->value, "open"))
        open_at = r->offset;
    buf_put_str(out, ",\"value\":");
    put_base64(out, r->value);
    buf_put_str(out, "}\n");
}

static void put_partition(struct buf *out, const char *topic, bool committed)
{
    struct committed *c = NULL;
    struct record_iter *it;
    struct offline *o;
    struct batch b;
    struct record r;
    int rc;

    assert_int_equal(offline_open(&o, fixtures, topic, 0, NULL), 0);
    if (committed)
        assert_int_equal(committed_open(&c, fixtures, topic, 0, NULL), 0);
    assert_int_equal(record_iter_new(&it, NULL), 0);
    while ((rc = c ? committed_next(c, o, &b, NULL) : offline_next(o, &b, NULL)) == 1) {
        if (b.attributes & BATCH_CONTROL)
            continue;
        assert_int_equal(record_iter_begin(it, &b, 1 << 20, NULL), 0);
        while ((rc = record_next(it, &r, NULL)) == 1)
            put_record(out, topic, committed, &r);
        assert_int_equal(rc, 0);
    }
    assert_int_equal(rc, 0);
    assert_false(offline_torn(o));
    if (c && strcmp(topic, "txn") == 0) {
        assert_int_equal(committed_next(c, o, &b, NULL), 0);
        assert_int_equal(committed_end(c), open_at);
    }
    committed_free(c);
    record_iter_free(it);
    offline_close(o);
}

/* The fixture has each topic twice: for isolation level read_uncommitted, then read_committed. */
static void records_are_what_the_consumer_got(void **state)
{
    char *text = unzip("records.jsonl.gz"), topic[250] = "", now[250];
    struct buf ours = {0};

    (void)state;
    for (char *line = text; line && *line;) {
        assert_int_equal(sscanf(line, "{\"topic\":\"%249[^\"]", now), 1);
        if (strcmp(now, topic) != 0) {
            put_partition(&ours, now, false);
            put_partition(&ours, now, true);
        }
        snprintf(topic, sizeof topic, "%s", now);
        line = strchr(line, '\n');
        line += line != NULL;
    }
    assert_true(ours.n > 100000);
    assert_text(buf_cstr(&ours), text);
    buf_free(&ours);
    free(text);
}

/* ---- dumps, in the words of DumpLogSegments ---- */

static int put_batch(void *arg, const struct batch *b, int64_t position, uint32_t crc)
{
    char horizon[64] = ".empty";

    if (b->attributes & BATCH_DELETE_HORIZON)
        snprintf(horizon, sizeof horizon, "[%lld]", (long long)b->base_timestamp);
    buf_printf(arg,
               "baseOffset: %lld lastOffset: %lld count: %d baseSequence: %d lastSequence: %d "
               "producerId: %lld producerEpoch: %d partitionLeaderEpoch: %d isTransactional: %s "
               "isControl: %s deleteHorizonMs: OptionalLong%s position: %lld %s: %lld size: %zu "
               "magic: 2 compresscodec: %s crc: %u isvalid: %s\n",
               (long long)b->base_offset, (long long)batch_last_offset(b), b->count,
               b->base_sequence,
               b->base_sequence < 0 ? -1 : b->base_sequence + b->last_offset_delta,
               (long long)b->producer_id, b->producer_epoch, b->leader_epoch,
               b->attributes & BATCH_TRANSACTIONAL ? "true" : "false",
               b->attributes & BATCH_CONTROL ? "true" : "false", horizon, (long long)position,
               b->attributes & BATCH_LOG_APPEND_TIME ? "LogAppendTime" : "CreateTime",
               (long long)b->max_timestamp, b->size, codec_name(batch_codec(b)), b->crc,
               crc == b->crc ? "true" : "false");
    return 0;
}

static int put_index(void *arg, int64_t offset, int64_t position)
{
    buf_printf(arg, "offset: %lld position: %lld\n", (long long)offset, (long long)position);
    return 0;
}

static int put_time(void *arg, int64_t timestamp, int64_t offset)
{
    buf_printf(arg, "timestamp: %lld offset: %lld\n", (long long)timestamp, (long long)offset);
    return 0;
}

static int put_txn(void *arg, const struct txn_entry *t)
{
    buf_printf(arg,
               "version: %d producerId: %lld firstOffset: %lld lastOffset: %lld "
               "lastStableOffset: %lld\n",
               t->version, (long long)t->producer_id, (long long)t->first_offset,
               (long long)t->last_offset, (long long)t->last_stable_offset);
    return 0;
}

static int put_producer(void *arg, const struct producer_entry *p)
{
    char txn[32] = ".empty";

    if (p->txn_first_offset >= 0)
        snprintf(txn, sizeof txn, "[%lld]", (long long)p->txn_first_offset);
    buf_printf(arg,
               "producerId: %lld producerEpoch: %d coordinatorEpoch: %d currentTxnFirstOffset: "
               "OptionalLong%s lastTimestamp: %lld",
               (long long)p->producer_id, p->epoch, p->coordinator_epoch, txn,
               (long long)p->timestamp);
    if (p->last_offset >= 0)
        buf_printf(
            arg,
            " firstSequence: %d lastSequence: %d lastOffset: %lld offsetDelta: %d timestamp: "
            "%lld",
            p->last_sequence - p->offset_delta, p->last_sequence, (long long)p->last_offset,
            p->offset_delta, (long long)p->timestamp);
    buf_put_str(arg, "\n");
    return 0;
}

static void dumps_are_those_of_dumplogsegments(void **state)
{
    struct buf ours = {0};
    struct dump_sink sink = {.batch = put_batch,
                             .index = put_index,
                             .time = put_time,
                             .txn = put_txn,
                             .producer = put_producer,
                             .arg = &ours};
    char *theirs = unzip("dump.txt.gz"), name[250], path[700];

    (void)state;
    for (char *line = theirs; line && *line;) {
        if (sscanf(line, "Dumping %249s", name) == 1) {
            int64_t base;
            enum log_file kind;
            buf_printf(&ours, "Dumping %s\n", name);
            assert_true(log_file_parse(strchr(name, '/') + 1, &base, &kind));
            if (kind == LOG_FILE_LOG)
                buf_printf(&ours, "Log starting offset: %lld\n", (long long)base);
            snprintf(path, sizeof path, "%s/%s", fixtures, name);
            assert_int_equal(dump_file(path, &sink, NULL), 0);
        }
        line = strchr(line, '\n');
        line += line != NULL;
    }
    assert_true(ours.n > 10000);
    assert_text(buf_cstr(&ours), theirs);
    buf_free(&ours);
    free(theirs);
}

/* ---- the rest ---- */

static void say(void *arg, const struct verify_problem *p)
{
    print_message("# %s: %s position %lld: %s\n", (const char *)arg, p->file,
                  (long long)p->position, p->what);
}

static void nothing_is_found_wrong(void **state)
{
    struct partition_name *list;
    char path[700];
    size_t n;

    (void)state;
    assert_int_equal(segdir_partitions(fixtures, &list, &n, NULL), 0);
    assert_int_equal(n, 11);
    for (size_t i = 0; i < n; i++) {
        struct verify_options o = {say, list[i].topic, 1 << 20};
        struct verify_result r = {0};
        struct dump_sink nothing = {0};
        snprintf(path, sizeof path, "%s/%s-%d", fixtures, list[i].topic, list[i].partition);
        assert_int_equal(verify_dir(path, &o, &r, NULL), 0);
        assert_int_equal(r.damage + r.torn + r.index, 0);
        assert_true(r.batches > 0);
        snprintf(path, sizeof path, "%s/%s-0/" PARTITION_METADATA, fixtures, list[i].topic);
        assert_int_equal(dump_file(path, &nothing, NULL), 0);
        snprintf(path, sizeof path, "%s/%s-0/" EPOCH_CHECKPOINT, fixtures, list[i].topic);
        assert_int_equal(dump_file(path, &nothing, NULL), 0);
    }
    free(list);
}

/* ---- small files, written again from what was read, are the same bytes ---- */

static void read_small(struct buf *b, const char *topic, const char *name)
{
    char path[700];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s-0/%s", fixtures, topic, name);
    f = fopen(path, "rb");
    buf_clear(b);
    assert_non_null(f);
    assert_non_null(buf_add(b, 4096));
    b->n = fread(b->p, 1, 4096, f);
    fclose(f);
}

static void rewrite_snapshots(const char *topic, struct buf *in, struct buf *out)
{
    char path[700], name[LOG_FILE_NAME];
    struct producer_entry entries[16];
    int64_t *offsets;
    int32_t n = 0;
    size_t count;
    int fd;

    snprintf(path, sizeof path, "%s/%s-0", fixtures, topic);
    fd = open(path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(segdir_files(fd, LOG_FILE_SNAPSHOT, &offsets, &count, NULL), 0);
    close(fd);
    for (size_t k = 0; k < count; k++) {
        read_small(in, topic, log_file_name(name, offsets[k], LOG_FILE_SNAPSHOT));
        assert_int_equal(snapshot_parse(buf_slice(in), &n, NULL), 0);
        assert_in_range(n, 0, 16);
        for (int32_t i = 0; i < n; i++)
            entries[i] = snapshot_entry(buf_slice(in), i);
        buf_clear(out);
        assert_true(snapshot_write(out, entries, n));
        assert_true(slice_eq(buf_slice(out), buf_slice(in)));
    }
    free(offsets);
}

static void small_files_are_written_as_kafka_does(void **state)
{
    static const char *const topics[] = {"txn", "rolls", "compacted", "large"};
    struct buf in = {0}, out = {0};

    (void)state;
    for (size_t t = 0; t < sizeof topics / sizeof topics[0]; t++) {
        struct epoch_entry *epochs;
        struct uuid id;
        size_t n;
        rewrite_snapshots(topics[t], &in, &out);
        read_small(&in, topics[t], EPOCH_CHECKPOINT);
        assert_int_equal(epochs_parse(buf_slice(&in), &epochs, &n, NULL), 0);
        buf_clear(&out);
        assert_true(n > 0 && epochs_write(&out, epochs, n));
        free(epochs);
        assert_true(slice_eq(buf_slice(&out), buf_slice(&in)));
        read_small(&in, topics[t], PARTITION_METADATA);
        assert_int_equal(partition_metadata_parse(buf_slice(&in), &id, NULL), 0);
        buf_clear(&out);
        assert_true(partition_metadata_write(&out, id));
        assert_true(slice_eq(buf_slice(&out), buf_slice(&in)));
    }
    buf_free(&in);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_what_the_consumer_got),
        cmocka_unit_test(dumps_are_those_of_dumplogsegments),
        cmocka_unit_test(nothing_is_found_wrong),
        cmocka_unit_test(small_files_are_written_as_kafka_does),
    };

    if (getenv("KAFKA_FIXTURES"))
        fixtures = getenv("KAFKA_FIXTURES");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
