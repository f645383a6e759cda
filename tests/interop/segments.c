/*
 * segments DIR: writes a segment in each codec with its indexes and a producer snapshot, as lib/log
 * and lib/record make them, under DIR/<codec>-0/, and prints what is in the records in the words of
 * DumpLogSegments --print-data-log.
 */
#include "log/format.h"
#include "record/batch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BASE = 1000, BATCHES = 4, RECORDS = 50, BIG = 150000 };
static const int64_t producer_id = 4000000000, time_0 = 1700000000000;

static char big[BIG + 1];

static void must(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void put_file(const char *dir, int64_t offset, enum log_file kind, const struct buf *b)
{
    char name[LOG_FILE_NAME], path[4200];
    int fd;

    snprintf(path, sizeof path, "%s/%s", dir, log_file_name(name, offset, kind));
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    must(fd >= 0 && write(fd, b->p, b->n) == (ssize_t)b->n && close(fd) == 0, path);
}

/* Record i, printed as it is added. Some have no key, no value, headers, or a large value. */
static void add_record(struct batch_builder *w, int i)
{
    char key[32], value[32];
    const char *payload = i % 41 == 7 ? big : value;
    struct header h[2] = {{slice_str("a"), slice_str("x")}, {slice_str("b"), {NULL, 0}}};
    struct slice k = {NULL, 0}, v = {NULL, 0};
    int64_t ts = time_0 + (i * 37) % 100;

    snprintf(key, sizeof key, "key %d", i);
    snprintf(value, sizeof value, "value %d", i);
    if (i % 3)
        k = slice_str(key);
    if (i % 5)
        v = slice_str(payload);
    must(batch_add(w, ts, k, v, h, i % 3), "batch_add");
    printf("| offset: %d CreateTime: %lld keySize: %d valueSize: %d sequence: %d headerKeys: [%s]",
           BASE + i, (long long)ts, k.p ? (int)k.n : -1, v.p ? (int)v.n : -1, i,
           i % 3 == 0   ? ""
           : i % 3 == 1 ? "a"
                        : "a,b");
    if (k.p)
        printf(" key: %s", key);
    if (v.p)
        printf(" payload: %s", payload);
    printf("\n");
}

static void write_partition(const char *root, enum codec codec)
{
    struct buf log = {0}, index = {0}, times = {0}, snapshot = {0};
    struct producer_entry producer = {producer_id, 3, 0, 0, 0, 0, -1, -1};
    struct batch_builder w = {0};
    int64_t largest = -1;
    char dir[4096];

    snprintf(dir, sizeof dir, "%s/%s-0", root, codec_name(codec));
    must(mkdir(dir, 0700) == 0, dir);
    for (int n = 0; n < BATCHES; n++) {
        struct batch_fields f = {.codec = codec,
                                 .level = CODEC_LEVEL_DEFAULT,
                                 .base_offset = BASE + n * RECORDS,
                                 .producer_id = producer_id,
                                 .producer_epoch = 3,
                                 .base_sequence = n * RECORDS};
        int32_t last = n * RECORDS + RECORDS - 1;
        struct kerr e = {0};
        struct slice out;
        batch_start(&w);
        for (int i = n * RECORDS; i <= last; i++)
            add_record(&w, i);
        must(batch_finish(&w, &f, &out, &e) == 0, e.msg);
        if (n > 0)
            index_entry_put(buf_add(&index, INDEX_ENTRY),
                            (struct index_entry){last, (int32_t)log.n});
        if (w.max_timestamp > largest)
            time_entry_put(buf_add(&times, TIME_ENTRY), (struct time_entry){w.max_timestamp, last});
        largest = w.max_timestamp > largest ? w.max_timestamp : largest;
        buf_put_slice(&log, out);
        producer.last_sequence = last;
        producer.last_offset = BASE + last;
        producer.offset_delta = RECORDS - 1;
        producer.timestamp = w.max_timestamp;
    }
    must(snapshot_write(&snapshot, &producer, 1), "snapshot");
    put_file(dir, BASE, LOG_FILE_LOG, &log);
    put_file(dir, BASE, LOG_FILE_INDEX, &index);
    put_file(dir, BASE, LOG_FILE_TIMEINDEX, &times);
    put_file(dir, BASE + BATCHES * RECORDS, LOG_FILE_SNAPSHOT, &snapshot);
}

int main(int argc, char **argv)
{
    must(argc == 2, "usage: segments DIR");
    for (int i = 0; i < BIG; i++)
        big[i] = (char)('a' + (i * i / 7) % 26);
    for (int c = 0; c < CODEC_COUNT; c++)
        write_partition(argv[1], (enum codec)c);
    return 0;
}
