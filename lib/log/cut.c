/* cut - a log loses its end: a failed flush, a truncation. */
#include "log/plog_impl.h"

#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

int plog_unlink_segment(struct plog *l, int64_t base, bool all, struct kerr *e)
{
    char name[LOG_FILE_NAME];

    for (int kind = all ? LOG_FILE_LOG : LOG_FILE_INDEX; kind < LOG_FILE_COUNT; kind++) {
        log_file_name(name, base, (enum log_file)kind);
        if (os_unlinkat(plog_dirfd(l), name, 0) < 0 && errno != ENOENT)
            return kerr_sys(e, KE_IO, "%s: unlink %s", l->name, name);
    }
    return 0;
}

int plog_drop_snapshots(struct plog *l, int64_t end, struct kerr *e)
{
    int fd = os_openat(plog_dirfd(l), ".", O_RDONLY | O_DIRECTORY, 0), rc = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    enum log_file kind;
    int64_t offset;

    if (!dir) {
        rc = kerr_sys(e, KE_IO, "%s: read the directory", l->name);
        if (fd >= 0)
            os_close(fd);
        return rc;
    }
    while (rc == 0 && (entry = readdir(dir)) != NULL)
        if (log_file_parse(entry->d_name, &offset, &kind) && kind == LOG_FILE_SNAPSHOT &&
            offset > end && os_unlinkat(plog_dirfd(l), entry->d_name, 0) < 0 && errno != ENOENT)
            rc = kerr_sys(e, KE_IO, "%s: unlink %s", l->name, entry->d_name);
    closedir(dir);
    return rc;
}

/* Takes the last segment off the list and unlinks it. The .log of one that is about to be made anew
 * stays until a rename replaces it: the directory is never without one. */
static int drop_last(struct plog *l, int64_t to, struct kerr *e)
{
    struct segment *s = plog_active(l);
    int rc = plog_unlink_segment(l, s->base, s->base != to, e);

    if (rc < 0)
        return rc;
    pthread_mutex_lock(&l->sm);
    l->segs--;
    l->size -= s->size;
    pthread_mutex_unlock(&l->sm);
    segment_unref(s);
    return 0;
}

/* Takes the entries from offset on off the index files. The tail goes: that makes the index
 * thinner, not wrong. */
static int cut_indexes(struct plog *l, struct segment *s, struct segment_view *v, int64_t offset,
                       struct kerr *e)
{
    struct buf b = {0};
    int64_t entries = v->entries, last = -1;
    size_t times = 0, n;
    int fd, rc;

    if (entries < 0) {
        rc = segment_load_index(s, plog_dirfd(l), LOG_FILE_INDEX, &b, e);
        entries = rc < 0 ? 0 : (int64_t)index_used(buf_slice(&b), LOG_FILE_INDEX);
    }
    v->entries = entries;
    entries = entries ? segment_entries_below(v, plog_dirfd(l), offset, e) : 0;
    entries = entries < 0 ? 0 : entries;
    rc = segment_load_index(s, plog_dirfd(l), LOG_FILE_TIMEINDEX, &b, e);
    n = rc < 0 ? 0 : index_used(buf_slice(&b), LOG_FILE_TIMEINDEX);
    for (; times < n; times++) {
        struct time_entry t = time_entry_get(b.p + times * TIME_ENTRY);
        if (s->base + t.relative >= offset)
            break;
        last = t.timestamp;
    }
    buf_free(&b);
    fd = segment_fd(s, plog_dirfd(l), LOG_FILE_INDEX, false, NULL);
    if (fd >= 0 && os_ftruncate(fd, entries * (int64_t)INDEX_ENTRY) < 0)
        return kerr_sys(e, KE_IO, "%s: cut an index", l->name);
    fd = segment_fd(s, plog_dirfd(l), LOG_FILE_TIMEINDEX, false, NULL);
    if (fd >= 0 && os_ftruncate(fd, (off_t)(times * TIME_ENTRY)) < 0)
        return kerr_sys(e, KE_IO, "%s: cut an index", l->name);
    pthread_mutex_lock(&l->sm);
    free(s->tail);
    s->tail = NULL;
    s->entries = (uint32_t)entries;
    s->times = (uint32_t)times;
    s->counted = true;
    s->time_indexed = last;
    pthread_mutex_unlock(&l->sm);
    return 0;
}

/* The segment that keeps the end, cut there. */
static int cut_segment(struct plog *l, struct segment *s, int64_t offset, struct kerr *e)
{
    int fd = segment_fd(s, plog_dirfd(l), LOG_FILE_LOG, false, e), rc;
    struct segment_view v;
    struct found f;
    int64_t position;

    if (fd < 0)
        return fd;
    pthread_mutex_lock(&l->sm);
    v = plog_view(s, offset);
    pthread_mutex_unlock(&l->sm);
    v.hint = -1;
    rc = segment_find(&v, plog_dirfd(l), offset, false, &f, e);
    position = rc == 1 ? f.position : v.size;
    if (rc >= 0)
        rc = cut_indexes(l, s, &v, offset, e);
    v.size = position;
    if (rc >= 0 && os_ftruncate(fd, position) < 0)
        rc = kerr_sys(e, KE_IO, "%s: cut segment %lld", l->name, (long long)s->base);
    if (rc >= 0) {
        int64_t max = -1, max_offset = -1;
        v.entries = s->entries;
        rc = segment_max_time(&v, plog_dirfd(l), s->base, offset, &max, &max_offset, e);
        pthread_mutex_lock(&l->sm);
        l->size -= s->size - position;
        s->size = position;
        s->end = offset;
        s->max_time = max;
        s->max_offset = max_offset;
        s->max_known = true;
        pthread_mutex_unlock(&l->sm);
        s->reserved = position;
        s->dirty_tail = false;
        s->since_index = 0;
        s->indexes_synced = false;
        s->first_time = position == 0 ? -1 : s->first_time;
    }
    segment_unref(v.segment);
    return rc < 0 ? rc : 0;
}

static int begin_segment(struct plog *l, int64_t base, struct kerr *e)
{
    struct segment *s = segment_new(base, logdir_files(l->dir));
    int rc;

    if (!s)
        return kerr_set(e, KE_NOMEM, "segment");
    rc = segment_create(s, plog_dirfd(l), e);
    if (rc == 0)
        rc = plog_push_segment(l, s, e);
    if (rc < 0)
        segment_unref(s);
    return rc;
}

static int cut_files(struct plog *l, int64_t to, struct kerr *e)
{
    struct segment *s;
    int rc = 0;

    while (rc == 0 && (s = plog_active(l)) != NULL &&
           (s->base > to || (l->repair_fresh && s->base == to)))
        rc = drop_last(l, to, e);
    s = plog_active(l);
    if (rc == 0 && s)
        rc = cut_segment(l, s, to, e);
    if (rc == 0 && s && os_fdatasync(segment_fd(s, plog_dirfd(l), LOG_FILE_LOG, false, NULL)) < 0) {
        /* What it was cut to has been covered before. After a crash the rest may be there again,
         * and recovery cuts it where the next segment begins. */
        l->tainted = l->repair_fresh = true;
    }
    if (rc == 0 && s && l->repair_fresh)
        plog_write_tail(l, s, true);
    if (rc == 0 && (!s || l->repair_fresh))
        rc = begin_segment(l, to, e);
    if (rc == 0)
        rc = plog_drop_snapshots(l, to, e);
    if (rc == 0 && os_fsync(plog_dirfd(l)) < 0)
        rc = kerr_sys(e, KE_IO, "%s: sync of the directory", l->name);
    return rc;
}

static int cut_epochs(struct plog *l, int64_t to, struct kerr *e)
{
    size_t n = l->epochs;

    while (n && l->epoch[n - 1].start > to)
        n--;
    if (n == l->epochs)
        return 0;
    pthread_mutex_lock(&l->sm);
    l->epochs = n;
    pthread_mutex_unlock(&l->sm);
    l->epochs_dirty = true;
    return plog_epoch_write(l, e);
}

int plog_repair(struct plog *l, struct kerr *e)
{
    int64_t to = l->repair_to;
    int rc;

    if (!l->offline)
        return 0;
    rc = cut_files(l, to, e);
    if (rc == 0)
        rc = cut_epochs(l, to, e);
    if (rc == 0)
        rc = plog_load_producers(l, to, true, e);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&l->sm);
    l->offline = false;
    if (l->repair_fresh || l->synced > to)
        l->synced = to;
    l->dirs_synced = l->dirs_made;
    pthread_cond_broadcast(&l->cv);
    pthread_mutex_unlock(&l->sm);
    return 0;
}

int plog_cut(struct plog *l, int64_t offset, bool fresh, struct kerr *e)
{
    pthread_mutex_lock(&l->sm);
    l->offline = true;
    l->repair_to = offset;
    l->repair_fresh = fresh;
    if (offset < l->end) {
        l->cuts++;
        l->cut_at = offset;
        l->end = offset;
    }
    l->covering = -1;
    l->stable = l->stable > offset ? offset : l->stable;
    l->synced = l->synced > offset ? offset : l->synced;
    for (int i = 0; i < MARKS; i++)
        if (l->mark[i].offset > offset)
            l->mark[i].offset = -1;
    pthread_cond_broadcast(&l->cv);
    pthread_mutex_unlock(&l->sm);
    return plog_repair(l, e);
}

/* With am. The batch boundary at or below offset. */
static int boundary(struct plog *l, int64_t offset, int64_t *out, struct kerr *e)
{
    struct segment_view v;
    struct found f;
    int rc;

    pthread_mutex_lock(&l->sm);
    v = plog_view(l->seg[plog_segment_at(l, offset)], offset);
    pthread_mutex_unlock(&l->sm);
    rc = segment_find(&v, plog_dirfd(l), offset, false, &f, e);
    *out = rc == 1 && f.base_offset < offset ? f.base_offset : offset;
    segment_unref(v.segment);
    return rc < 0 ? rc : 0;
}

static int truncate_locked(struct plog *l, int64_t offset, struct kerr *e)
{
    int rc = plog_repair(l, e);

    if (rc < 0 || offset >= l->end)
        return rc;
    if (offset < l->log_start)
        return kerr_set(e, KE_RANGE, "%s: cut at %lld, the log begins at %lld", l->name,
                        (long long)offset, (long long)l->log_start);
    rc = boundary(l, offset, &offset, e);
    if (rc == 0)
        rc = logdir_lower(l->dir, l, offset, e);
    return rc < 0 ? rc : plog_cut(l, offset, false, e);
}

int plog_truncate(struct plog *l, int64_t offset, struct kerr *e)
{
    int rc;

    plog_hold(l);
    pthread_mutex_lock(&l->am);
    rc = truncate_locked(l, offset, e);
    pthread_mutex_unlock(&l->am);
    plog_unhold(l);
    return rc;
}
