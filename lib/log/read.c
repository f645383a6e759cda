/* read - look-ups and ranges. No lock is held while a file is read. */
#include "log/plog_impl.h"

#include "os/file.h"

#include <errno.h>
#include <stdlib.h>

/* One look-up: what the state says about it. */
struct lookup {
    struct segment_view v;
    int64_t position; /* of offset; -1 unknown */
    int64_t limit;    /* the position of bound; -1 unknown */
    int64_t next;     /* the offset behind the segment */
};

/* 1: found a segment; 0: nothing below bound at offset; KE_RANGE. */
static int begin(struct plog *l, int64_t offset, int64_t bound, struct lookup *u, struct kerr *e)
{
    struct segment *s;
    int rc = 1;

    pthread_mutex_lock(&l->sm);
    if (bound > l->end)
        bound = l->end;
    if (offset < l->log_start || offset > l->end) {
        rc = kerr_set(e, KE_RANGE, "%s: offset %lld is not within %lld..%lld", l->name,
                      (long long)offset, (long long)l->log_start, (long long)l->end);
    } else if (offset >= bound || l->segs == 0) { /* none: a cut has taken the only one */
        rc = 0;
    } else {
        s = l->seg[plog_segment_at(l, offset)];
        u->v = plog_view(s, offset);
        u->next = s->end;
        if (!plog_mark_find(l, offset, s->base, &u->position))
            u->position = -1;
        if (bound >= s->end)
            u->limit = s->size;
        else if (!plog_mark_find(l, bound, s->base, &u->limit))
            u->limit = -1;
    }
    pthread_mutex_unlock(&l->sm);
    return rc;
}

/* Fills in the positions that are not known. 1, 0 when offset is in a gap at the segment's end. */
static int locate(struct plog *l, struct lookup *u, int64_t offset, int64_t bound, bool nowait,
                  struct kerr *e)
{
    struct found f;
    int rc = 1;

    if (u->position < 0) {
        rc = segment_find(&u->v, plog_dirfd(l), offset, nowait, &f, e);
        if (rc <= 0)
            return rc;
        u->position = f.position;
    }
    if (u->limit < 0) {
        struct segment_view v = u->v;
        v.hint = -1;
        rc = segment_find(&v, plog_dirfd(l), bound, nowait, &f, e);
        if (rc < 0)
            return rc;
        u->limit = rc == 0 ? v.size : f.position;
    }
    return u->limit > u->position;
}

/* KE_AGAIN unless the first and the last page of a range are in memory. */
static int is_warm(int fd, int64_t at, size_t n)
{
    char c;

    if (os_pread_nowait(fd, &c, 1, at) < 0 || os_pread_nowait(fd, &c, 1, at + (int64_t)n - 1) < 0)
        return errno == EAGAIN ? KE_AGAIN : 0; /* other troubles show when it is read */
    return 0;
}

static int range(struct plog *l, const struct lookup *u, size_t max_bytes, int flags,
                 struct plog_source *out, struct kerr *e)
{
    int64_t left = u->limit - u->position;
    bool nowait = flags & PLOG_NOWAIT;
    struct found f;
    int rc;

    if ((flags & PLOG_WHOLE_FIRST) && (int64_t)max_bytes < left) {
        rc = segment_batch_at(&u->v, plog_dirfd(l), u->position, nowait, &f, e);
        if (rc < 0)
            return rc;
        if (rc == 1 && f.size > max_bytes)
            max_bytes = f.size;
    }
    out->at = u->position;
    out->size = left < (int64_t)max_bytes ? (size_t)left : max_bytes;
    out->fd = segment_fd(u->v.segment, plog_dirfd(l), LOG_FILE_LOG, false, e);
    if (out->fd < 0)
        return out->fd;
    return nowait && out->size ? is_warm(out->fd, out->at, out->size) : 0;
}

int plog_read(struct plog *l, int64_t offset, int64_t bound, size_t max_bytes, int flags,
              struct plog_source *out, struct kerr *e)
{
    for (;;) {
        struct lookup u;
        int rc;
        *out = (struct plog_source){.fd = -1};
        rc = begin(l, offset, bound, &u, e);
        if (rc <= 0)
            return rc;
        rc = locate(l, &u, offset, bound, flags & PLOG_NOWAIT, e);
        if (rc == 1 && (rc = range(l, &u, max_bytes, flags, out, e)) == 0) {
            out->segment = u.v.segment;
            logdir_limit_files(l->dir);
            return 0;
        }
        segment_unref(u.v.segment);
        *out = (struct plog_source){.fd = -1};
        if (rc == KE_NOTFOUND) /* trimmed meanwhile */
            return kerr_set(e, KE_RANGE, "%s: offset %lld is gone", l->name, (long long)offset);
        if (rc < 0 || u.next >= bound || u.next <= offset)
            return rc;
        offset = u.next; /* a gap that compaction left at the segment's end */
    }
}

void plog_source_release(struct plog_source *s)
{
    if (s->segment)
        segment_unref(s->segment);
    *s = (struct plog_source){.fd = -1};
}

/* ---- by time ---- */

/* What a search by time is for, and what it has found. */
struct time_search {
    int64_t ts, low, bound; /* a record with at least ts, low <= offset < bound */
    bool largest;           /* not the first such record of a batch, but the first of the largest */
    int64_t offset, timestamp;
};

/* The first such record of a batch: 1, 0, or negative. */
static int search_records(struct slice bytes, struct time_search *t, struct kerr *e)
{
    struct record_iter *it = NULL;
    struct batch b;
    struct record r;
    int rc = batch_parse(bytes, &b, NULL, e);

    if (rc == 0)
        rc = batch_check_crc(&b, e);
    if (rc == 0)
        rc = record_iter_new(&it, e);
    if (rc == 0)
        rc = record_iter_begin(it, &b, 0, e);
    while (rc == 0 && (rc = record_next(it, &r, e)) == 1) {
        rc = r.timestamp >= t->ts && r.offset >= t->low && r.offset < t->bound;
        if (rc == 0)
            continue;
        t->offset = r.offset;
        t->timestamp = r.timestamp;
        if (!t->largest)
            break;
        t->ts = r.timestamp + 1;
        rc = 0;
    }
    record_iter_free(it);
    return rc == KE_AGAIN ? kerr_set(e, KE_CORRUPT, "the batch is cut short") : rc;
}

static int search_batch(struct plog *l, const struct segment_view *v, const struct found *f,
                        struct time_search *t, struct kerr *e)
{
    int fd = segment_fd(v->segment, plog_dirfd(l), LOG_FILE_LOG, false, e), rc;
    uint8_t *p;
    ssize_t k;

    if (fd < 0)
        return fd;
    p = malloc(f->size);
    if (!p)
        return kerr_set(e, KE_NOMEM, "batch of %zu bytes", f->size);
    k = os_pread(fd, p, f->size, f->position);
    rc = k < 0 ? kerr_sys(e, KE_IO, "read") : search_records(slice_of(p, (size_t)k), t, e);
    free(p);
    return rc < 0 ? kerr_ctx(e, rc, "%s: segment %lld at %lld", l->name, (long long)v->base,
                             (long long)f->position)
                  : rc;
}

/* Where to begin in a segment: at the last time entry below ts. */
static int time_start(struct plog *l, const struct segment_view *v, int64_t ts, int64_t *offset,
                      struct kerr *e)
{
    struct buf b = {0};
    int rc = segment_load_index(v->segment, plog_dirfd(l), LOG_FILE_TIMEINDEX, &b, e);
    size_t low = 0, high = rc == 0 ? index_used(buf_slice(&b), LOG_FILE_TIMEINDEX) : 0;

    *offset = v->base;
    while (low < high) { /* the first entry that is not below ts */
        size_t mid = low + (high - low) / 2;
        if (time_entry_get(b.p + mid * TIME_ENTRY).timestamp < ts)
            low = mid + 1;
        else
            high = mid;
    }
    if (low > 0)
        *offset = v->base + time_entry_get(b.p + (low - 1) * TIME_ENTRY).relative;
    buf_free(&b);
    return rc == KE_CORRUPT ? 0 : rc;
}

static int search_segment(struct plog *l, const struct segment_view *v, struct time_search *t,
                          struct kerr *e)
{
    struct found f;
    int64_t from;
    int rc = time_start(l, v, t->ts, &from, e);

    if (rc < 0)
        return rc;
    rc = segment_find(v, plog_dirfd(l), from > t->low ? from : t->low, false, &f, e);
    while (rc == 1 && f.base_offset < t->bound) {
        if (f.max_timestamp >= t->ts) {
            rc = search_batch(l, v, &f, t, e);
            if (rc != 0)
                return rc;
        }
        rc = segment_batch_at(v, plog_dirfd(l), f.position + (int64_t)f.size, false, &f, e);
    }
    return rc < 0 ? rc : 0;
}

/* The segment that holds an offset below bound; *next is the offset behind it. */
static bool view_at(struct plog *l, int64_t offset, int64_t bound, struct segment_view *v,
                    int64_t *next)
{
    bool some;

    pthread_mutex_lock(&l->sm);
    some = l->segs > 0 && offset < bound && offset < l->end;
    if (some) {
        struct segment *s = l->seg[plog_segment_at(l, offset)];
        *v = plog_view(s, offset);
        v->hint = -1;
        *next = s->end;
    }
    pthread_mutex_unlock(&l->sm);
    return some;
}

static int find_time(struct plog *l, struct time_search *t, struct kerr *e)
{
    struct segment_view v;
    int64_t at = t->low, next;
    int rc = 0;

    while (rc == 0 && view_at(l, at, t->bound, &v, &next)) {
        rc = search_segment(l, &v, t, e);
        segment_unref(v.segment);
        if (next <= at)
            break;
        at = next;
    }
    return rc < 0 ? rc : 0;
}

int plog_find_time(struct plog *l, int64_t ts, int64_t bound, int64_t *offset, int64_t *timestamp,
                   struct kerr *e)
{
    struct time_search t = {.ts = ts, .bound = bound, .offset = -1, .timestamp = -1};
    struct plog_ends ends;
    int rc;

    plog_ends(l, &ends);
    t.low = ends.log_start;
    rc = find_time(l, &t, e);
    logdir_limit_files(l->dir);
    *offset = t.offset;
    *timestamp = t.timestamp;
    return rc;
}

/* The batch that the log's start has cut in two: its header speaks of records that are gone. */
static int max_of_first(struct plog *l, struct time_search *t, struct kerr *e)
{
    struct segment_view v;
    struct found f;
    int64_t next;
    int rc;

    if (!view_at(l, t->low, t->bound, &v, &next))
        return 0;
    rc = segment_find(&v, plog_dirfd(l), t->low, false, &f, e);
    if (rc == 1 && f.base_offset < t->low && f.last_offset < t->bound) {
        t->largest = true;
        rc = search_batch(l, &v, &f, t, e);
        t->largest = false;
        t->low = f.last_offset + 1;
    }
    segment_unref(v.segment);
    return rc < 0 ? rc : 0;
}

int plog_max_time(struct plog *l, int64_t bound, int64_t *offset, int64_t *timestamp,
                  struct kerr *e)
{
    struct time_search t = {.ts = 0, .bound = bound, .offset = -1, .timestamp = -1};
    int64_t at, next, max = -1, batch_max, last;
    struct plog_ends ends;
    struct segment_view v;
    int rc;

    plog_ends(l, &ends);
    t.low = ends.log_start;
    rc = max_of_first(l, &t, e);
    for (at = t.low; rc == 0 && view_at(l, at, bound, &v, &next); at = next) {
        rc = segment_max_time(&v, plog_dirfd(l), t.low, bound, &batch_max, &last, e);
        segment_unref(v.segment);
        max = rc == 0 && batch_max > max ? batch_max : max;
        if (next <= at)
            break;
    }
    if (rc == 0 && max > t.timestamp) {
        t.ts = max;
        rc = find_time(l, &t, e);
    }
    logdir_limit_files(l->dir);
    *offset = t.offset;
    *timestamp = t.timestamp;
    return rc;
}
