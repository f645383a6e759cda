/*
 * recover - a partition's directory becomes a log.
 *
 * After a clean stop the indexes are believed and only what stands behind the last index entry is
 * walked. Otherwise everything from the segment of the recovery point on is read: below the
 * recovery point only the framing, from there on every CRC. The first thing that is no valid batch
 * ends the log, also where later segments exist: they hold what was not covered when the power
 * went. Damage below the recovery point is no torn write: whole batches behind it are kept, and it
 * is said. What is cut off is kept as NAME.log.cut when there are whole batches in it, for a person
 * to judge.
 */
#include "log/plog_impl.h"
#include "log/segscan.h"

#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RECALL = 8 << 20 }; /* five batches of the largest size and what lies between them */

struct load {
    struct plog *l;
    const struct plog_start *start;
    int64_t *base;
    size_t bases, cap;
    bool cut; /* the log has ended: later segments are set aside */
};

/* What is learnt of a segment by walking it. */
struct walked {
    struct buf index, times;
    int64_t size, end, since, file_size;
    bool damaged; /* ended before the file did */
};

static void say(struct plog *l, enum diag_level level, const char *what, int64_t base, int64_t at)
{
    diag(logdir_conf(l->dir)->diag, level, "%s: segment %lld, position %lld: %s", l->name,
         (long long)base, (long long)at, what);
}

/* ---- the directory ---- */

static bool add_base(struct load *d, int64_t base)
{
    if (d->bases == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 16;
        int64_t *list = realloc(d->base, cap * sizeof *list);
        if (!list)
            return false;
        d->base = list;
        d->cap = cap;
    }
    d->base[d->bases++] = base;
    return true;
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);

    return n >= k && strcmp(name + n - k, suffix) == 0;
}

static int one_name(struct load *d, const char *name, struct kerr *e)
{
    enum log_file kind;
    int64_t base;

    if (ends_with(name, ".swap"))
        return kerr_set(e, KE_UNSUPPORTED,
                        "%s: %s is half of a compaction: start Apache Kafka once to finish it",
                        d->l->name, name);
    if (ends_with(name, ".tmp") || ends_with(name, ".deleted") || ends_with(name, ".cleaned")) {
        if (os_unlinkat(plog_dirfd(d->l), name, 0) < 0)
            return kerr_sys(e, KE_IO, "%s: unlink %s", d->l->name, name);
        return 0;
    }
    if (log_file_parse(name, &base, &kind) && kind == LOG_FILE_LOG && !add_base(d, base))
        return kerr_set(e, KE_NOMEM, "%s: list of segments", d->l->name);
    return 0;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int read_names(struct load *d, struct kerr *e)
{
    int fd = os_openat(plog_dirfd(d->l), ".", O_RDONLY | O_DIRECTORY, 0), rc = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        rc = kerr_sys(e, KE_IO, "%s: read the directory", d->l->name);
        if (fd >= 0)
            os_close(fd);
        return rc;
    }
    while (rc == 0 && (entry = readdir(dir)) != NULL)
        rc = one_name(d, entry->d_name, e);
    closedir(dir);
    if (d->bases)
        qsort(d->base, d->bases, sizeof *d->base, by_number);
    return rc;
}

/* ---- walking a segment ---- */

static void index_walked(struct plog *l, struct segment *s, struct walked *w, const struct batch *b,
                         int64_t at)
{
    int64_t last = batch_last_offset(b);
    uint8_t *p;

    if (s->size == 0 && at == 0)
        s->first_time = b->max_timestamp;
    if (b->max_timestamp > s->max_time) {
        s->max_time = b->max_timestamp;
        s->max_offset = last;
    }
    if (w->since > l->conf.index_interval_bytes && (p = buf_add(&w->index, INDEX_ENTRY)) != NULL) {
        index_entry_put(p, (struct index_entry){(int32_t)(last - s->base), (int32_t)at});
        if (s->max_time > s->time_indexed && (p = buf_add(&w->times, TIME_ENTRY)) != NULL) {
            time_entry_put(p, (struct time_entry){s->max_time, (int32_t)(s->max_offset - s->base)});
            s->time_indexed = s->max_time;
        }
        w->since = 0;
    }
    w->since += (int64_t)b->size;
}

/* Is this batch, found behind offset end, one that belongs there? */
static int judge(const struct segment *s, const struct batch *b, int64_t end, int64_t next,
                 int64_t crc_from, int64_t behind, struct kerr *e)
{
    int64_t last = batch_last_offset(b);

    if (b->base_offset < end || last - s->base > INT32_MAX || behind > INT32_MAX)
        return kerr_set(e, KE_CORRUPT, "a batch of offsets %lld to %lld behind %lld",
                        (long long)b->base_offset, (long long)last, (long long)end);
    if (next >= 0 && last >= next)
        return kerr_set(e, KE_CORRUPT, "offset %lld belongs to the next segment", (long long)last);
    return last >= crc_from ? batch_check_crc(b, e) : 0;
}

/* Below the recovery point: over the damage to the next whole batch: 1, or 0 without one. */
static int skip_damage(struct plog *l, struct segscan *sc, const struct walked *w, int64_t at,
                       int64_t base, struct kerr *e)
{
    int64_t to;
    int rc;

    segscan_seek(sc, at);
    rc = segscan_find(sc, w->end, &to, e);
    if (rc != 1)
        return rc;
    say(l, DIAG_ERROR, "damage within what had been flushed; it stays, and readers will be told",
        base, at);
    segscan_seek(sc, to);
    return 1;
}

/* Is it about the bytes that were read? Anything else says nothing about the log. */
static bool is_damage(int rc)
{
    return rc == KE_CORRUPT || rc == KE_AGAIN;
}

/* Walks a segment up to its end or to the first thing that is no batch. next: the base of the one
 * behind it, or -1. */
static int walk(struct load *d, struct segment *s, int64_t next, int64_t crc_from, struct walked *w,
                struct kerr *e)
{
    char name[LOG_FILE_NAME];
    struct segscan sc;
    struct batch b;
    int rc = segscan_open(&sc, plog_dirfd(d->l), log_file_name(name, s->base, LOG_FILE_LOG), e);

    if (rc < 0)
        return rc;
    rc = segscan_size(&sc, &w->file_size, e);
    w->end = s->base;
    s->max_known = true;
    while (rc >= 0) {
        int64_t at = sc.at;
        rc = segscan_next(&sc, &b, e);
        if (rc == 1)
            rc = judge(s, &b, w->end, next, crc_from, sc.at, e);
        else if (rc == 0)
            break;
        if (is_damage(rc)) {
            bool straddles = next >= 0 && w->end == next;
            struct kerr io;
            rc = w->end < crc_from && !straddles ? skip_damage(d->l, &sc, w, at, s->base, &io) : 0;
            if (rc == 1)
                continue;
            if (rc < 0 && e)
                *e = io;
            w->damaged = rc == 0; /* e says why */
            break;
        }
        if (rc < 0)
            break;
        index_walked(d->l, s, w, &b, at);
        w->size = s->size = sc.at;
        w->end = batch_last_offset(&b) + 1;
        rc = plog_epoch_note(d->l, b.leader_epoch, b.base_offset, e);
    }
    segscan_close(&sc);
    return rc;
}

/* ---- what is cut off ---- */

static int copy_tail(struct plog *l, const char *from, int64_t at, const char *to)
{
    int in = os_openat(plog_dirfd(l), from, O_RDONLY, 0), out = -1, rc = -1;
    struct buf b = {0};
    int64_t written = 0;
    ssize_t k = -1;

    if (in >= 0 && buf_reserve(&b, 1 << 18))
        out = os_openat(plog_dirfd(l), to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    while (out >= 0 && (k = os_pread(in, b.p, 1 << 18, at + written)) > 0) {
        if (os_pwrite(out, b.p, (size_t)k, written) < 0)
            break;
        written += k;
    }
    if (k == 0)
        rc = os_fdatasync(out);
    if (in >= 0)
        os_close(in);
    if (out >= 0)
        os_close(out);
    buf_free(&b);
    return rc;
}

/* Says what is cut, and keeps it where it might be wanted. */
static void report_cut(struct plog *l, const struct segment *s, const struct walked *w,
                       const struct kerr *why)
{
    char name[LOG_FILE_NAME], kept[LOG_FILE_NAME + 4];
    const char *what = "no whole batch in them";
    struct segscan sc;
    int64_t at;

    log_file_name(name, s->base, LOG_FILE_LOG);
    snprintf(kept, sizeof kept, "%s.cut", name);
    if (segscan_open(&sc, plog_dirfd(l), name, NULL) == 0) {
        segscan_seek(&sc, w->size);
        if (segscan_find(&sc, w->end, &at, NULL) == 1)
            what = copy_tail(l, name, w->size, kept) == 0
                       ? "whole batches in them, kept in .log.cut"
                       : "whole batches in them, not kept";
        segscan_close(&sc);
    }
    diag(logdir_conf(l->dir)->diag, DIAG_WARN,
         "%s: segment %lld is cut at position %lld, offset %lld: %s; %lld bytes go, %s", l->name,
         (long long)s->base, (long long)w->size, (long long)w->end, kerr_msg(why),
         (long long)(w->file_size - w->size), what);
}

/* A segment behind the end: empty ones go, others are kept under another name. */
static int set_aside(struct load *d, int64_t base, struct kerr *e)
{
    char name[LOG_FILE_NAME], kept[LOG_FILE_NAME + 4];
    struct plog *l = d->l;
    struct stat st;

    log_file_name(name, base, LOG_FILE_LOG);
    snprintf(kept, sizeof kept, "%s.cut", name);
    if (fstatat(plog_dirfd(l), name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0) {
        say(l, DIAG_WARN, "is behind the end of the log; kept as .log.cut", base, 0);
        if (os_renameat(plog_dirfd(l), name, plog_dirfd(l), kept) < 0)
            return kerr_sys(e, KE_IO, "%s: rename %s", l->name, name);
    }
    return plog_unlink_segment(l, base, true, e);
}

/* ---- segments ---- */

static int write_index(struct plog *l, const struct segment *s, enum log_file kind,
                       const struct buf *b, bool sync)
{
    char name[LOG_FILE_NAME];
    int fd = os_openat(plog_dirfd(l), log_file_name(name, s->base, kind),
                       O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int rc = fd < 0 || os_pwrite(fd, b->p, b->n, 0) < 0 || (sync && os_fdatasync(fd) < 0) ? -1 : 0;

    if (fd >= 0)
        os_close(fd);
    if (rc < 0) {
        say(l, DIAG_WARN, "its index could not be written", s->base, 0);
        os_unlinkat(plog_dirfd(l), name, 0);
    }
    return rc;
}

/* The indexes as the walk made them. closed: with the closing time entry, and made durable. */
static void write_indexes(struct plog *l, struct segment *s, struct walked *w, bool closed)
{
    uint8_t *p;

    if (closed && s->max_time > s->time_indexed && (p = buf_add(&w->times, TIME_ENTRY)) != NULL) {
        time_entry_put(p, (struct time_entry){s->max_time, (int32_t)(s->max_offset - s->base)});
        s->time_indexed = s->max_time;
    }
    if (write_index(l, s, LOG_FILE_INDEX, &w->index, closed) == 0)
        s->entries = (uint32_t)(w->index.n / INDEX_ENTRY);
    if (write_index(l, s, LOG_FILE_TIMEINDEX, &w->times, closed) == 0)
        s->times = (uint32_t)(w->times.n / TIME_ENTRY);
    s->since_index = w->since > INT32_MAX ? INT32_MAX : (int32_t)w->since;
    s->counted = true;
}

/* What a recovered segment keeps is cut to size and synced before anybody reads it. */
static int make_stable(struct plog *l, struct segment *s, const struct walked *w, struct kerr *e)
{
    int fd = segment_fd(s, plog_dirfd(l), LOG_FILE_LOG, false, e);

    if (fd < 0)
        return fd;
    if (w->file_size > w->size && os_ftruncate(fd, w->size) < 0)
        return kerr_sys(e, KE_IO, "%s: cut segment %lld", l->name, (long long)s->base);
    if (os_fdatasync(fd) < 0)
        return kerr_sys(e, KE_IO, "%s: fdatasync of segment %lld", l->name, (long long)s->base);
    return 0;
}

/* Reads a segment from its beginning; decides whether the log ends in it. */
static int scan_segment(struct load *d, struct segment *s, int64_t next, struct kerr *e)
{
    int64_t rp = d->start->recovery_point;
    struct walked w = {0};
    struct kerr why = {0};
    bool gap;
    int rc = walk(d, s, next, rp, &w, &why);

    if (rc == 0 && next < 0 && w.end < rp && w.size > 0) {
        /* The recovery point speaks of a log that is not there: believe none of it. */
        say(d->l, DIAG_WARN, "ends below the recovery point", s->base, w.size);
        buf_clear(&w.index);
        buf_clear(&w.times);
        s->size = 0;
        s->max_time = s->max_offset = s->time_indexed = -1;
        w = (struct walked){.index = w.index, .times = w.times};
        rc = walk(d, s, next, s->base, &w, &why);
    }
    if (rc < 0 && e)
        *e = why;
    gap = next >= 0 && w.end != next && next > rp;
    if (rc == 0 && w.damaged && !(next >= 0 && w.end == next))
        report_cut(d->l, s, &w, &why);
    if (rc == 0 && gap && !w.damaged)
        say(d->l, DIAG_WARN, "ends before the next segment begins", s->base, w.size);
    if (rc == 0) {
        s->end = next >= 0 && !gap ? next : w.end;
        d->cut = gap;
        rc = make_stable(d->l, s, &w, e);
    }
    if (rc == 0)
        write_indexes(d->l, s, &w, next >= 0 && !gap);
    buf_free(&w.index);
    buf_free(&w.times);
    return rc;
}

/* A closed segment that nothing has happened to: its size is all that is needed. Indexes that are
 * missing are made. */
static int trust_segment(struct load *d, struct segment *s, int64_t next, struct kerr *e)
{
    char name[LOG_FILE_NAME];
    struct walked w = {0};
    struct stat st;
    int rc;

    if (fstatat(plog_dirfd(d->l), log_file_name(name, s->base, LOG_FILE_LOG), &st,
                AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(st.st_mode))
        return kerr_sys(e, KE_IO, "%s: stat %s", d->l->name, name);
    s->end = next;
    if (faccessat(plog_dirfd(d->l), log_file_name(name, s->base, LOG_FILE_INDEX), F_OK, 0) != 0 ||
        faccessat(plog_dirfd(d->l), log_file_name(name, s->base, LOG_FILE_TIMEINDEX), F_OK, 0) !=
            0) {
        say(d->l, DIAG_INFO, "its indexes are missing and are made again", s->base, 0);
        rc = walk(d, s, next, INT64_MAX, &w, e);
        if (rc == 0)
            write_indexes(d->l, s, &w, true);
        buf_free(&w.index);
        buf_free(&w.times);
        if (rc < 0)
            return rc;
    }
    s->size = st.st_size < INT32_MAX ? st.st_size : INT32_MAX;
    return 0;
}

/* The last segment after a clean stop: its index, and what stands behind the last entry. 1, or 0
 * when it is not what a clean stop leaves. */
static int trust_last(struct load *d, struct segment *s, struct kerr *e)
{
    int fd = segment_fd(s, plog_dirfd(d->l), LOG_FILE_LOG, false, e);
    struct index_entry last = {0, 0};
    struct segment_view v;
    struct buf b = {0};
    struct found f;
    struct stat st;
    size_t n;
    int rc;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > INT32_MAX)
        return 0;
    rc = segment_load_index(s, plog_dirfd(d->l), LOG_FILE_INDEX, &b, NULL);
    n = rc == 0 ? index_used(buf_slice(&b), LOG_FILE_INDEX) : 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct index_entry x = index_entry_get(b.p + i * INDEX_ENTRY);
        rc = x.relative > last.relative - (i == 0) && x.position > last.position &&
                     x.position < st.st_size
                 ? 0
                 : KE_CORRUPT;
        last = x;
    }
    s->entries = (uint32_t)n;
    if (rc == 0)
        rc = segment_load_index(s, plog_dirfd(d->l), LOG_FILE_TIMEINDEX, &b, NULL);
    n = rc == 0 ? index_used(buf_slice(&b), LOG_FILE_TIMEINDEX) : 0;
    s->times = (uint32_t)n;
    if (n) {
        struct time_entry t = time_entry_get(b.p + (n - 1) * TIME_ENTRY);
        s->time_indexed = s->max_time = t.timestamp;
        s->max_offset = s->base + t.relative;
    }
    buf_free(&b);
    if (rc < 0)
        return 0;
    s->counted = s->max_known = true;
    v = (struct segment_view){.segment = s, .base = s->base, .size = st.st_size, .hint = -1};
    rc = st.st_size > 0 ? segment_batch_at(&v, plog_dirfd(d->l), 0, false, &f, NULL) : 0;
    if (rc == 1)
        s->first_time = f.max_timestamp;
    for (int64_t at = last.position; rc >= 0 && at < st.st_size; at += (int64_t)f.size) {
        rc = segment_batch_at(&v, plog_dirfd(d->l), at, false, &f, NULL);
        if (rc == 1 && f.base_offset < s->end && at > last.position)
            rc = KE_CORRUPT;
        if (rc != 1)
            break;
        s->end = f.last_offset + 1;
        s->size = at + (int64_t)f.size;
        s->since_index += at > last.position || s->entries == 0 ? (int32_t)f.size : (int32_t)f.size;
        if (f.max_timestamp > s->max_time) {
            s->max_time = f.max_timestamp;
            s->max_offset = f.last_offset;
        }
    }
    return rc >= 0 && s->size == st.st_size;
}

static void forget_walk(struct segment *s)
{
    s->size = 0;
    s->end = s->base;
    s->entries = s->times = 0;
    s->counted = false;
    s->max_time = s->max_offset = s->time_indexed = s->first_time = -1;
    s->since_index = 0;
}

static int load_segment(struct load *d, size_t i, struct kerr *e)
{
    int64_t next = i + 1 < d->bases ? d->base[i + 1] : -1;
    bool clean = d->start->clean,
         trusted = next >= 0 && (clean || next <= d->start->recovery_point);
    struct segment *s = segment_new(d->base[i], logdir_files(d->l->dir));
    int rc;

    if (!s)
        return kerr_set(e, KE_NOMEM, "%s: segment", d->l->name);
    if (trusted) {
        rc = trust_segment(d, s, next, e);
    } else if (clean && (rc = trust_last(d, s, e)) == 1) {
        rc = 0;
    } else {
        if (clean)
            say(d->l, DIAG_WARN, "is not what a clean stop leaves; it is read anew", s->base, 0);
        forget_walk(s);
        rc = scan_segment(d, s, next, e);
    }
    if (rc == 0)
        rc = plog_push_segment(d->l, s, e);
    if (rc < 0)
        segment_unref(s);
    else
        d->l->size += s->size;
    if (rc == 0 && next >= 0 && !d->cut)
        s->indexes_synced = trusted;
    return rc;
}

/* ---- producers ---- */

static int newest_snapshot(struct plog *l, int64_t below, int64_t *offset, struct kerr *e)
{
    int fd = os_openat(plog_dirfd(l), ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    enum log_file kind;
    int64_t at;

    *offset = -1;
    if (!dir) {
        int rc = kerr_sys(e, KE_IO, "%s: read the directory", l->name);
        if (fd >= 0)
            os_close(fd);
        return rc;
    }
    while ((entry = readdir(dir)) != NULL)
        if (log_file_parse(entry->d_name, &at, &kind) && kind == LOG_FILE_SNAPSHOT && at < below &&
            at > *offset)
            *offset = at;
    closedir(dir);
    return *offset >= 0;
}

/* Loads the newest snapshot at or below end that can be believed; *from is its offset, or -1. */
static int load_snapshot(struct plog *l, int64_t end, mono_ns now, int64_t *from, struct kerr *e)
{
    int64_t below = end + 1;
    int rc;

    while ((rc = newest_snapshot(l, below, from, e)) == 1) {
        char name[LOG_FILE_NAME];
        size_t n = 0;
        char *p =
            os_read_all(plog_dirfd(l), log_file_name(name, *from, LOG_FILE_SNAPSHOT), 1 << 30, &n);
        producers_clear(&l->producers);
        rc = p ? producers_load(&l->producers, slice_of(p, n), now, e)
               : kerr_sys(e, errno == ENOMEM ? KE_NOMEM : KE_CORRUPT, "read");
        free(p);
        if (rc == 0 || rc == KE_NOMEM)
            return rc;
        diag(logdir_conf(l->dir)->diag, DIAG_WARN, "%s: %s is not used: %s", l->name, name,
             e ? kerr_msg(e) : "");
        producers_clear(&l->producers);
        below = *from;
    }
    return rc;
}

/* The batches of a segment within from..end, into t. */
static int replay_segment(struct plog *l, struct producers *t, struct segment *s, int64_t from,
                          int64_t end, mono_ns now, struct kerr *e)
{
    struct segment_view v = {.segment = s, .base = s->base, .size = s->size, .hint = -1};
    struct segscan sc;
    struct found f;
    struct batch b;
    char name[LOG_FILE_NAME];
    int rc;

    v.entries = s->counted ? (int64_t)s->entries : -1;
    rc = segment_find(&v, plog_dirfd(l), from, false, &f, e);
    if (rc != 1)
        return rc;
    rc = segscan_open(&sc, plog_dirfd(l), log_file_name(name, s->base, LOG_FILE_LOG), e);
    if (rc < 0)
        return rc;
    segscan_seek(&sc, f.position);
    while (rc == 0 && sc.at < s->size && (rc = segscan_next(&sc, &b, e)) == 1) {
        rc = b.base_offset < end ? 0 : 1;
        if (rc == 0 && b.base_offset >= from && !producers_replay(t, &b, now))
            rc = kerr_set(e, KE_NOMEM, "%s: producers", l->name);
    }
    segscan_close(&sc);
    /* damage below the recovery point has been reported: what is behind it counts for nothing here
     */
    return rc == KE_CORRUPT || rc == KE_AGAIN || rc > 0 ? 0 : rc;
}

/* Where to begin to have RECALL bytes in front of an offset of a segment. */
static int64_t recall_from(struct plog *l, struct segment *s, int64_t offset)
{
    struct buf b = {0};
    int64_t from = s->base;
    size_t n;

    if (s->size <= RECALL)
        return from;
    n = segment_load_index(s, plog_dirfd(l), LOG_FILE_INDEX, &b, NULL) == 0
            ? index_used(buf_slice(&b), LOG_FILE_INDEX)
            : 0;
    while (n > 0 && s->base + index_entry_get(b.p + (n - 1) * INDEX_ENTRY).relative >= offset)
        n--;
    if (n > 0) {
        int64_t at = index_entry_get(b.p + (n - 1) * INDEX_ENTRY).position;
        while (n > 0 && index_entry_get(b.p + (n - 1) * INDEX_ENTRY).position > at - RECALL)
            n--;
        if (n > 0)
            from = s->base + index_entry_get(b.p + (n - 1) * INDEX_ENTRY).relative;
    }
    buf_free(&b);
    return from;
}

/* A producer may ask again about any of its last five batches: those in front of the snapshot are
 * read from the log. */
static int recall(struct plog *l, int64_t snapshot, mono_ns now, struct kerr *e)
{
    struct producers before;
    struct segment *s;
    size_t i = plog_segment_at(l, snapshot);
    int rc;

    if (i > 0 && l->seg[i]->base == snapshot)
        i--;
    s = l->segs ? l->seg[i] : NULL;
    if (!s || s->size == 0 || s->base >= snapshot)
        return 0;
    producers_init(&before);
    rc = replay_segment(l, &before, s, recall_from(l, s, snapshot), snapshot, now, e);
    if (rc == 0)
        producers_recall(&l->producers, &before);
    producers_clear(&before);
    return rc;
}

int plog_load_producers(struct plog *l, int64_t end, bool crashed, struct kerr *e)
{
    mono_ns now = logdir_mono(l->dir);
    int64_t from;
    int rc;

    producers_clear(&l->producers);
    rc = load_snapshot(l, end, now, &from, e);
    if (rc == 0 && crashed && from > 0)
        rc = recall(l, from, now, e);
    for (size_t i = 0; i < l->segs && rc == 0; i++)
        if (l->seg[i]->end > from && l->seg[i]->size > 0 && l->seg[i]->base < end)
            rc = replay_segment(l, &l->producers, l->seg[i], from, end, now, e);
    return rc;
}

/* ---- the whole ---- */

static int load_epochs(struct plog *l, struct kerr *e)
{
    struct kerr why = {0};
    size_t n = 0;
    char *p = os_read_all(plog_dirfd(l), EPOCH_CHECKPOINT, 1 << 24, &n);
    int rc = 0;

    if (!p)
        return errno == ENOENT ? 0 : kerr_sys(e, KE_IO, "%s: read %s", l->name, EPOCH_CHECKPOINT);
    rc = epochs_parse(slice_of(p, n), &l->epoch, &l->epochs, &why);
    free(p);
    l->epoch_cap = l->epochs;
    if (rc == KE_CORRUPT) {
        diag(logdir_conf(l->dir)->diag, DIAG_WARN, "%s: %s is not used: %s", l->name,
             EPOCH_CHECKPOINT, kerr_msg(&why));
        l->epochs_dirty = true;
        return 0;
    }
    return rc < 0 ? kerr_set(e, rc, "%s: %s", l->name, kerr_msg(&why)) : 0;
}

static int fresh_segment(struct plog *l, int64_t base, struct kerr *e)
{
    struct segment *s = segment_new(base, logdir_files(l->dir));
    int rc =
        s ? segment_create(s, plog_dirfd(l), e) : kerr_set(e, KE_NOMEM, "%s: segment", l->name);

    if (rc == 0)
        rc = plog_push_segment(l, s, e);
    if (rc < 0)
        segment_unref(s);
    return rc;
}

/* Trimmed past all that is there: the offsets below are never used again. */
static int restart_at(struct plog *l, int64_t base, struct kerr *e)
{
    int rc = 0;

    diag(logdir_conf(l->dir)->diag, DIAG_WARN, "%s: the log ends at %lld and begins at %lld",
         l->name, (long long)l->end, (long long)base);
    while (rc == 0 && l->segs) {
        struct segment *s = l->seg[--l->segs];
        rc = plog_unlink_segment(l, s->base, true, e);
        segment_unref(s);
    }
    l->size = 0;
    l->end = base;
    return rc < 0 ? rc : fresh_segment(l, base, e);
}

static int load_segments(struct load *d, struct kerr *e)
{
    int rc = 0;

    for (size_t i = 0; i < d->bases && rc == 0; i++)
        rc = d->cut ? set_aside(d, d->base[i], e) : load_segment(d, i, e);
    return rc;
}

static int finish(struct load *d, struct kerr *e)
{
    struct plog *l = d->l;
    int64_t start = d->start->log_start > 0 ? d->start->log_start : 0;
    int rc = 0;

    if (l->segs == 0)
        rc = fresh_segment(l, start, e);
    if (rc < 0)
        return rc;
    l->end = plog_active(l)->end;
    if (l->end < start)
        rc = restart_at(l, start, e);
    if (rc < 0)
        return rc;
    l->log_start = start > l->seg[0]->base ? start : l->seg[0]->base;
    rc = plog_drop_snapshots(l, l->end, e);
    while (l->epochs && l->epoch[l->epochs - 1].start > l->end) {
        l->epochs--;
        l->epochs_dirty = true;
    }
    if (rc == 0 && l->epochs_dirty)
        rc = plog_epoch_write(l, e);
    if (rc == 0)
        rc = plog_load_producers(l, l->end, !d->start->clean, e);
    if (rc == 0 && !d->start->unborn && os_fsync(plog_dirfd(l)) < 0)
        rc = kerr_sys(e, KE_IO, "%s: sync of the directory", l->name);
    l->unborn = d->start->unborn;
    l->stable = l->synced = l->end;
    plog_mark(l, l->end, plog_active(l)->base, plog_active(l)->size);
    return rc;
}

int plog_load(struct plog *l, const struct plog_start *start, struct kerr *e)
{
    struct load d = {.l = l, .start = start};
    int rc = load_epochs(l, e);

    if (rc == 0)
        rc = read_names(&d, e);
    if (rc == 0)
        rc = load_segments(&d, e);
    if (rc == 0)
        rc = finish(&d, e);
    free(d.base);
    return rc;
}
