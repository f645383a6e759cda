#include "log/verify_index.h"

#include "os/file.h"

#include <errno.h>
#include <stdlib.h>

#define INDEX_MAX ((size_t)64 << 20)

static int open_file(struct verify_index_file *f, int dirfd, int64_t base, enum log_file kind,
                     struct kerr *e)
{
    size_t n = 0;

    f->bytes = (uint8_t *)os_read_all(dirfd, log_file_name(f->name, base, kind), INDEX_MAX, &n);
    if (!f->bytes)
        return errno == ENOENT ? 0 : kerr_sys(e, KE_IO, "read %s", f->name);
    f->n = kind == LOG_FILE_TXNINDEX ? n / TXN_ENTRY : index_used(slice_of(f->bytes, n), kind);
    return 0;
}

/* Aborted transactions lie inside the log and end in order. */
static void check_txns(struct verify_index *v)
{
    struct verify_index_file *f = &v->txns;
    int64_t last = -1;

    for (size_t i = 0; i < f->n; i++) {
        struct txn_entry t = txn_entry_get(f->bytes + i * TXN_ENTRY);
        if (t.version != 0 || t.producer_id < 0 || t.first_offset < 0 ||
            t.first_offset > t.last_offset || t.last_offset <= last) {
            v->tell(v->arg, f->name, (int64_t)(i * TXN_ENTRY), "malformed or out of order");
            return;
        }
        last = t.last_offset;
    }
}

int verify_index_open(struct verify_index *v, int dirfd, int64_t base, verify_index_tell tell,
                      void *arg, struct kerr *e)
{
    int rc;

    *v = (struct verify_index){.tell = tell,
                               .arg = arg,
                               .base = base,
                               .last = {-1, -1},
                               .last_time = {INT64_MIN, -1},
                               .largest = INT64_MIN};
    rc = open_file(&v->offsets, dirfd, base, LOG_FILE_INDEX, e);
    if (rc == 0)
        rc = open_file(&v->times, dirfd, base, LOG_FILE_TIMEINDEX, e);
    if (rc == 0)
        rc = open_file(&v->txns, dirfd, base, LOG_FILE_TXNINDEX, e);
    if (rc == 0)
        check_txns(v);
    return rc;
}

void verify_index_close(struct verify_index *v)
{
    free(v->offsets.bytes);
    free(v->times.bytes);
    free(v->txns.bytes);
    v->offsets.bytes = v->times.bytes = v->txns.bytes = NULL;
}

static struct index_entry offset_entry(const struct verify_index *v)
{
    return index_entry_get(v->offsets.bytes + v->offsets.i * INDEX_ENTRY);
}

static struct time_entry time_entry(const struct verify_index *v)
{
    return time_entry_get(v->times.bytes + v->times.i * TIME_ENTRY);
}

static void bad_offset(struct verify_index *v, const char *what)
{
    v->tell(v->arg, v->offsets.name, (int64_t)(v->offsets.i * INDEX_ENTRY), what);
}

static void bad_time(struct verify_index *v, const char *what)
{
    v->tell(v->arg, v->times.name, (int64_t)(v->times.i * TIME_ENTRY), what);
}

static void pass_offset(struct verify_index *v)
{
    v->last = offset_entry(v);
    v->offsets.i++;
}

/* An entry whose batches have all gone by: those up to its offset. */
static void pass_time(struct verify_index *v)
{
    struct time_entry t = time_entry(v);

    if (t.timestamp <= v->last_time.timestamp || t.relative < v->last_time.relative)
        bad_time(v, "does not ascend");
    else if (v->largest > t.timestamp)
        bad_time(v, "a batch up to this offset has a later time");
    v->last_time = t;
    v->times.i++;
}

void verify_index_batch(struct verify_index *v, const struct batch *b, int64_t position)
{
    while (v->offsets.i < v->offsets.n && offset_entry(v).position <= position) {
        struct index_entry x = offset_entry(v);
        if (x.relative <= v->last.relative || x.position <= v->last.position)
            bad_offset(v, "does not ascend");
        else if (x.position < position)
            bad_offset(v, "no batch begins at its position");
        else if (v->base + x.relative < b->base_offset)
            bad_offset(v, "its offset lies in front of the batch it leads to");
        pass_offset(v);
    }
    while (v->times.i < v->times.n && v->base + time_entry(v).relative < b->base_offset)
        pass_time(v);
    if (b->max_timestamp > v->largest)
        v->largest = b->max_timestamp;
}

void verify_index_skip(struct verify_index *v, int64_t position)
{
    while (v->offsets.i < v->offsets.n && offset_entry(v).position < position)
        pass_offset(v);
    /* which offsets were there nobody knows */
    v->times.i = v->times.n;
}

void verify_index_end(struct verify_index *v, int64_t end)
{
    for (; v->offsets.i < v->offsets.n; pass_offset(v))
        bad_offset(v, "leads behind the last batch");
    for (; v->times.i < v->times.n; pass_time(v))
        if (v->base + time_entry(v).relative >= end)
            bad_time(v, "leads behind the last batch");
}
