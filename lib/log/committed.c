#include "log/committed.h"

#include "base/hash.h"
#include "log/segdir.h"
#include "os/file.h"
#include "os/random.h"
#include "record/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define SMALL_FILE_MAX ((size_t)64 << 20)

struct aborted {
    int64_t producer_id, first, last;
};

struct committed {
    struct offline *ahead;
    struct record_iter *it;
    struct hash open;    /* producer id -> 1 + the first offset of its open transaction */
    struct buf aborted;  /* struct aborted, sorted by producer id and last offset */
    int64_t end, stable; /* what ahead has read up to, and the last stable offset then */
};

/* ---- aborted transactions ---- */

static struct aborted *list(const struct committed *c)
{
    return (struct aborted *)(void *)c->aborted.p; /* malloc's alignment */
}

static size_t list_size(const struct committed *c)
{
    return c->aborted.n / sizeof(struct aborted);
}

static int by_producer(const void *a, const void *b)
{
    const struct aborted *x = a, *y = b;

    if (x->producer_id != y->producer_id)
        return x->producer_id < y->producer_id ? -1 : 1;
    return (x->last > y->last) - (x->last < y->last);
}

/* The first transaction of the producer that ends at offset or later. */
static const struct aborted *find_aborted(const struct committed *c, int64_t producer_id,
                                          int64_t offset)
{
    struct aborted key = {producer_id, 0, offset};
    size_t low = 0, high = list_size(c);

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (by_producer(&list(c)[mid], &key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == list_size(c) || list(c)[low].producer_id != producer_id)
        return NULL;
    return &list(c)[low];
}

static void sort_aborted(struct committed *c)
{
    if (list_size(c) > 1)
        qsort(list(c), list_size(c), sizeof(struct aborted), by_producer);
}

static int load_txnindex(struct committed *c, int dirfd, int64_t base, struct kerr *e)
{
    char name[LOG_FILE_NAME];
    size_t n = 0;
    uint8_t *bytes = (uint8_t *)os_read_all(dirfd, log_file_name(name, base, LOG_FILE_TXNINDEX),
                                            SMALL_FILE_MAX, &n);

    if (!bytes)
        return errno == ENOENT ? 0 : kerr_sys(e, KE_IO, "read %s", name);
    for (size_t i = 0; i < n / TXN_ENTRY; i++) {
        struct txn_entry t = txn_entry_get(bytes + i * TXN_ENTRY);
        struct aborted a = {t.producer_id, t.first_offset, t.last_offset};
        buf_put(&c->aborted, &a, sizeof a);
    }
    free(bytes);
    return c->aborted.failed ? kerr_set(e, KE_NOMEM, "aborted transactions") : 0;
}

static int load_aborted(struct committed *c, int dirfd, struct kerr *e)
{
    int64_t *bases;
    size_t n;
    int rc = segdir_files(dirfd, LOG_FILE_TXNINDEX, &bases, &n, e);

    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = load_txnindex(c, dirfd, bases[i], e);
    free(bases);
    sort_aborted(c);
    return rc;
}

/* ---- open ones ---- */

static struct slice key_of(const int64_t *producer_id)
{
    return slice_of(producer_id, sizeof *producer_id);
}

static int begin_transaction(struct committed *c, int64_t producer_id, int64_t first,
                             struct kerr *e)
{
    if (hash_get(&c->open, key_of(&producer_id)))
        return 0;
    return hash_put(&c->open, key_of(&producer_id), (void *)(uintptr_t)(first + 1), NULL)
               ? 0
               : kerr_set(e, KE_NOMEM, "open transactions");
}

static int end_transaction(struct committed *c, const struct batch *b, bool abort, struct kerr *e)
{
    uintptr_t first = (uintptr_t)hash_del(&c->open, key_of(&b->producer_id));

    if (first && abort) {
        struct aborted a = {b->producer_id, (int64_t)first - 1, b->base_offset};
        buf_put(&c->aborted, &a, sizeof a);
        sort_aborted(c);
    }
    return c->aborted.failed ? kerr_set(e, KE_NOMEM, "aborted transactions") : 0;
}

static int follow_batch(struct committed *c, const struct batch *b, struct kerr *e)
{
    struct record r;
    int32_t epoch;
    int16_t type;
    int rc;

    if (!(b->attributes & BATCH_TRANSACTIONAL))
        return 0;
    if (!(b->attributes & BATCH_CONTROL))
        return begin_transaction(c, b->producer_id, b->base_offset, e);
    rc = record_iter_begin(c->it, b, 0, e);
    if (rc == 0)
        rc = record_next(c->it, &r, e);
    if (rc == 1 && control_parse(&r, &type, &epoch) &&
        (type == CONTROL_ABORT || type == CONTROL_COMMIT))
        return end_transaction(c, b, type == CONTROL_ABORT, e);
    return rc < 0 ? rc : 0;
}

/* Runs ahead to the end of the log as it is now. */
static int look_ahead(struct committed *c, struct kerr *e)
{
    struct batch b;
    void *first;
    int rc;

    while ((rc = offline_next(c->ahead, &b, e)) == 1) {
        rc = follow_batch(c, &b, e);
        if (rc < 0)
            return rc;
        c->end = batch_last_offset(&b) + 1;
    }
    c->stable = c->end;
    for (size_t i = 0; (first = hash_next(&c->open, &i, NULL)) != NULL;)
        if ((int64_t)(uintptr_t)first - 1 < c->stable)
            c->stable = (int64_t)(uintptr_t)first - 1;
    return rc;
}

/* The newest snapshot that can be used: its open transactions, and the offset behind it. */
static int load_snapshot(struct committed *c, int dirfd, int64_t *from, struct kerr *e)
{
    char name[LOG_FILE_NAME];
    int64_t *offsets;
    size_t n;
    int rc = segdir_files(dirfd, LOG_FILE_SNAPSHOT, &offsets, &n, e);
    bool found = false;

    while (rc == 0 && n-- > 0 && !found && offsets[n] > *from) {
        struct slice s = {NULL, 0};
        int32_t count;
        char *bytes = os_read_all(dirfd, log_file_name(name, offsets[n], LOG_FILE_SNAPSHOT),
                                  SMALL_FILE_MAX, &s.n);
        s.p = (const uint8_t *)bytes;
        found = bytes && snapshot_parse(s, &count, NULL) == 0 &&
                offline_seek(c->ahead, offsets[n], NULL) == 0;
        for (int32_t i = 0; found && rc == 0 && i < count; i++) {
            struct producer_entry p = snapshot_entry(s, i);
            if (p.txn_first_offset >= 0)
                rc = begin_transaction(c, p.producer_id, p.txn_first_offset, e);
        }
        if (found)
            *from = offsets[n];
        free(bytes);
    }
    free(offsets);
    return rc;
}

int committed_open(struct committed **out, const char *dir, const char *topic, int32_t partition,
                   struct kerr *e)
{
    struct committed *c = calloc(1, sizeof *c);
    char path[4096];
    int dirfd = -1, rc;

    *out = NULL;
    if (!c)
        return kerr_set(e, KE_NOMEM, "partition %s-%d", topic, partition);
    /* producer ids may have been chosen by somebody who wishes us ill */
    hash_init(&c->open, os_random_u64(), os_random_u64());
    rc = offline_open(&c->ahead, dir, topic, partition, e);
    if (rc == 0 &&
        snprintf(path, sizeof path, "%s/%s-%d", dir, topic, partition) >= (int)sizeof path)
        rc = kerr_set(e, KE_INVALID, "%s: name too long", dir);
    if (rc == 0) {
        dirfd = os_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
        rc = dirfd < 0 ? kerr_sys(e, KE_IO, "open %s", path) : record_iter_new(&c->it, e);
    }
    if (rc == 0) {
        c->end = offline_start(c->ahead);
        rc = load_aborted(c, dirfd, e);
    }
    if (rc == 0)
        rc = load_snapshot(c, dirfd, &c->end, e);
    if (dirfd >= 0)
        os_close(dirfd);
    if (rc == 0)
        rc = look_ahead(c, e);
    if (rc < 0)
        committed_free(c);
    else
        *out = c;
    return rc;
}

void committed_free(struct committed *c)
{
    if (!c)
        return;
    offline_close(c->ahead);
    record_iter_free(c->it);
    hash_free(&c->open);
    buf_free(&c->aborted);
    free(c);
}

int64_t committed_end(const struct committed *c)
{
    return c->stable;
}

static bool is_aborted(const struct committed *c, const struct batch *b)
{
    const struct aborted *a;

    if (!(b->attributes & BATCH_TRANSACTIONAL))
        return false;
    a = find_aborted(c, b->producer_id, b->base_offset);
    return a && a->first <= b->base_offset;
}

int committed_next(struct committed *c, struct offline *o, struct batch *b, struct kerr *e)
{
    int rc;

    while ((rc = offline_next(o, b, e)) == 1) {
        if (b->base_offset >= c->stable) {
            rc = look_ahead(c, e);
            if (rc < 0)
                return rc;
            if (b->base_offset >= c->stable) /* not before its transaction ends */
                return offline_seek(o, b->base_offset, e);
        }
        if (!(b->attributes & BATCH_CONTROL) && !is_aborted(c, b))
            return 1;
    }
    return rc;
}
