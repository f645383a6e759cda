#include "log/dump.h"

#include "log/segscan.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define SMALL_FILE_MAX ((size_t)256 << 20)

static int dump_records(const struct batch *b, struct record_iter *it, const struct dump_sink *sink,
                        struct kerr *e)
{
    struct record r;
    int rc = record_iter_begin(it, b, sink->cap, e);

    while (rc == 0 && (rc = record_next(it, &r, e)) == 1)
        rc = sink->record(sink->arg, b, &r);
    return rc;
}

static int dump_batch(const struct batch *b, int64_t position, struct record_iter *it,
                      const struct dump_sink *sink, struct kerr *e)
{
    uint32_t crc = batch_crc(b);
    int rc = 0;

    if (sink->batch)
        rc = sink->batch(sink->arg, b, position, crc);
    if (rc == 0 && sink->record && crc == b->crc) {
        rc = dump_records(b, it, sink, e);
        if (rc < 0)
            kerr_ctx(e, rc, "position %lld", (long long)position);
    }
    return rc;
}

static int dump_log(const char *path, const struct dump_sink *sink, struct kerr *e)
{
    struct record_iter *it = NULL;
    struct segscan s;
    struct batch b;
    int64_t at = 0;
    int rc = segscan_open(&s, AT_FDCWD, path, e);

    if (rc < 0)
        return rc;
    rc = record_iter_new(&it, e);
    while (rc == 0 && (rc = segscan_next(&s, &b, e)) == 1) {
        rc = dump_batch(&b, at, it, sink, e);
        at = s.at;
    }
    if (rc == KE_AGAIN || (rc == KE_CORRUPT && s.at == at))
        kerr_ctx(e, rc, "position %lld", (long long)at);
    record_iter_free(it);
    segscan_close(&s);
    return rc;
}

static int dump_entries(struct slice s, enum log_file kind, int64_t base,
                        const struct dump_sink *sink)
{
    size_t n = kind == LOG_FILE_TXNINDEX ? s.n / TXN_ENTRY : index_used(s, kind);
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++) {
        if (kind == LOG_FILE_INDEX && sink->index) {
            struct index_entry v = index_entry_get(s.p + i * INDEX_ENTRY);
            rc = sink->index(sink->arg, base + v.relative, v.position);
        } else if (kind == LOG_FILE_TIMEINDEX && sink->time) {
            struct time_entry v = time_entry_get(s.p + i * TIME_ENTRY);
            rc = sink->time(sink->arg, v.timestamp, base + v.relative);
        } else if (kind == LOG_FILE_TXNINDEX && sink->txn) {
            struct txn_entry v = txn_entry_get(s.p + i * TXN_ENTRY);
            rc = sink->txn(sink->arg, &v);
        }
    }
    return rc;
}

static int dump_snapshot(struct slice s, const struct dump_sink *sink, struct kerr *e)
{
    int32_t n;
    int rc = snapshot_parse(s, &n, e);

    for (int32_t i = 0; rc == 0 && i < n && sink->producer; i++) {
        struct producer_entry p = snapshot_entry(s, i);
        rc = sink->producer(sink->arg, &p);
    }
    return rc;
}

static int dump_epochs(struct slice s, const struct dump_sink *sink, struct kerr *e)
{
    struct epoch_entry *list;
    size_t n;
    int rc = epochs_parse(s, &list, &n, e);

    for (size_t i = 0; rc == 0 && i < n && sink->epoch; i++)
        rc = sink->epoch(sink->arg, &list[i]);
    free(list);
    return rc;
}

static int dump_metadata(struct slice s, const struct dump_sink *sink, struct kerr *e)
{
    struct uuid id;
    int rc = partition_metadata_parse(s, &id, e);

    return rc == 0 && sink->topic_id ? sink->topic_id(sink->arg, id) : rc;
}

int dump_file(const char *path, const struct dump_sink *sink, struct kerr *e)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    enum log_file kind = LOG_FILE_COUNT;
    int64_t base = 0;
    struct slice s = {NULL, 0};
    bool epochs = strcmp(name, EPOCH_CHECKPOINT) == 0;
    char *bytes;
    int rc;

    if (!log_file_parse(name, &base, &kind) && !epochs && strcmp(name, PARTITION_METADATA) != 0)
        return kerr_set(e, KE_INVALID, "%s has no name of a partition's file", path);
    if (kind == LOG_FILE_LOG)
        rc = dump_log(path, sink, e);
    else if (!(bytes = os_read_all(AT_FDCWD, path, SMALL_FILE_MAX, &s.n)))
        return kerr_sys(e, errno == ENOENT ? KE_NOTFOUND : KE_IO, "read %s", path);
    else {
        s.p = (const uint8_t *)bytes;
        if (kind == LOG_FILE_SNAPSHOT)
            rc = dump_snapshot(s, sink, e);
        else if (kind != LOG_FILE_COUNT)
            rc = dump_entries(s, kind, base, sink);
        else
            rc = epochs ? dump_epochs(s, sink, e) : dump_metadata(s, sink, e);
        free(bytes);
    }
    return rc < 0 ? kerr_ctx(e, rc, "%s", path) : rc;
}
