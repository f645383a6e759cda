/*
 * flush - group commit. One fdatasync at a time runs for a log, on the pool; what is appended
 * meanwhile shares the next. Index files are not part of the promise: after an unclean stop they
 * are rebuilt. Those of a closed segment are synced behind it, so that from then on they can be
 * trusted; so is the snapshot of the producers behind it.
 */
#include "log/plog_impl.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

enum { SLOW_FLUSH_NS = 1000000, JOIN_MOST_NS = 2000000, REPAIR_EVERY_MS = 1000 };

/* Is there anything for a flush to do? */
static bool is_due(struct plog *l)
{
    if (l->offline)
        return logdir_mono(l->dir).ns >= l->repair_next.ns;
    return l->synced < l->end || (l->dirs_made != l->dirs_synced && !l->unborn);
}

enum flush_want plog_flush_want(struct plog *l, enum flush_want want)
{
    if (want == FLUSH_NO || !is_due(l))
        return FLUSH_NO;
    if (l->flushing && !l->offline && l->covering >= l->end)
        return FLUSH_NO; /* the one that runs is for all there is */
    if (l->hold || l->flushing) {
        l->again = want > l->again ? want : l->again;
        return FLUSH_NO;
    }
    if (want == FLUSH_SOON) {
        l->flushing = true;
        l->covering = -1;
        return FLUSH_SOON;
    }
    if (l->lingering)
        return FLUSH_NO;
    l->lingering = true;
    return FLUSH_LINGER;
}

enum flush_want plog_append_wants(const struct plog *l)
{
    if (l->conf.flush != PLOG_FLUSH_OS || l->offline)
        return FLUSH_LINGER;
    if (l->end - l->synced >= l->conf.flush_messages)
        return FLUSH_SOON;
    return plog_flushes_by_time(&l->conf) || l->dirs_made != l->dirs_synced || l->unborn
               ? FLUSH_LINGER
               : FLUSH_NO;
}

/* Takes what is to be flushed next: the oldest segment with records that are not covered. */
static struct segment *next_unsynced(struct plog *l, int64_t until, int64_t *end, int64_t *position)
{
    struct segment *s = NULL;

    pthread_mutex_lock(&l->sm);
    if (l->segs && l->synced < until) {
        s = l->seg[plog_segment_at(l, l->synced)];
        segment_ref(s);
        *end = s->end;
        *position = s->size;
    }
    pthread_mutex_unlock(&l->sm);
    return s;
}

/* Of the producers, where the next segment begins: this one may be deleted once it is durable. */
static void sync_snapshot(struct plog *l, int64_t at)
{
    char name[LOG_FILE_NAME];
    int fd = os_openat(plog_dirfd(l), log_file_name(name, at, LOG_FILE_SNAPSHOT), O_RDONLY, 0);

    if (fd < 0)
        return; /* could not be written, and it was said */
    if (os_fdatasync(fd) < 0) {
        diag(logdir_conf(l->dir)->diag, DIAG_WARN, "%s: sync of %s failed", l->name, name);
        os_unlinkat(plog_dirfd(l), name, 0);
    }
    os_close(fd);
}

/* Not part of the promise. One that could not be synced goes: it is made again at the next start.
 */
static void sync_indexes(struct plog *l, struct segment *s)
{
    char name[LOG_FILE_NAME];

    for (int kind = LOG_FILE_INDEX; kind <= LOG_FILE_TIMEINDEX; kind++) {
        int fd = segment_fd(s, plog_dirfd(l), (enum log_file)kind, false, NULL);
        if (fd < 0 || os_fdatasync(fd) == 0)
            continue;
        diag(logdir_conf(l->dir)->diag, DIAG_WARN, "%s: sync of an index of segment %lld failed",
             l->name, (long long)s->base);
        os_unlinkat(plog_dirfd(l), log_file_name(name, s->base, (enum log_file)kind), 0);
    }
    sync_snapshot(l, s->end);
    pthread_mutex_lock(&l->sm);
    s->indexes_synced = true;
    pthread_mutex_unlock(&l->sm);
}

/* Those of the segments that have been closed since. */
static void sync_closed_indexes(struct plog *l)
{
    struct segment *s;

    do {
        size_t i;
        pthread_mutex_lock(&l->sm);
        for (i = l->segs ? l->segs - 1 : 0; i > 0 && !l->seg[i - 1]->indexes_synced;)
            i--;
        s = i + 1 < l->segs ? l->seg[i] : NULL;
        if (s)
            segment_ref(s);
        pthread_mutex_unlock(&l->sm);
        if (s) {
            sync_indexes(l, s);
            segment_unref(s);
        }
    } while (s);
}

/* partition.metadata, if there is one. */
static int sync_metadata(struct plog *l, struct kerr *e)
{
    int fd = os_openat(plog_dirfd(l), PARTITION_METADATA, O_RDONLY | O_NONBLOCK, 0), rc = 0;

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || os_fsync(fd) < 0)
        rc = kerr_sys(e, KE_IO, "%s: sync of " PARTITION_METADATA, l->name);
    if (fd >= 0)
        os_close(fd);
    return rc;
}

/* The names in the directory, and, once, the directory's own. */
static int sync_directory(struct plog *l, struct kerr *e)
{
    unsigned made;
    bool unborn;

    pthread_mutex_lock(&l->sm);
    made = l->dirs_made;
    unborn = l->unborn;
    if (made == l->dirs_synced && !unborn) {
        pthread_mutex_unlock(&l->sm);
        return 0;
    }
    pthread_mutex_unlock(&l->sm);
    if (unborn && sync_metadata(l, e) < 0)
        return KE_IO;
    if (os_fsync(plog_dirfd(l)) < 0 || (unborn && logdir_sync(l->dir) < 0))
        return kerr_sys(e, KE_IO, "%s: sync of the directory", l->name);
    pthread_mutex_lock(&l->sm);
    l->dirs_synced = made;
    l->unborn = false;
    pthread_mutex_unlock(&l->sm);
    return 0;
}

static int sync_segment(struct plog *l, struct segment *s, int64_t end, int64_t position,
                        struct kerr *e)
{
    int fd = segment_fd(s, plog_dirfd(l), LOG_FILE_LOG, false, e);
    mono_ns start = os_mono(os_clock_real());

    if (fd < 0)
        return fd;
    if (os_fdatasync(fd) < 0)
        return kerr_sys(e, KE_IO, "%s: fdatasync of segment %lld", l->name, (long long)s->base);
    pthread_mutex_lock(&l->sm);
    l->flushes++;
    l->flush_ns += os_mono(os_clock_real()).ns - start.ns;
    l->synced = end;
    if (l->stable < end)
        l->stable = end;
    plog_mark(l, end, s->base, position);
    pthread_cond_broadcast(&l->cv);
    pthread_mutex_unlock(&l->sm);
    return 0;
}

/* Covers everything that was appended before the call. */
static int sync_all(struct plog *l, struct kerr *e)
{
    int64_t until, end, position;
    struct segment *s;
    int rc;

    pthread_mutex_lock(&l->sm);
    until = l->covering = l->end;
    l->covered_since = l->waiting_since;
    l->waiting_since = (mono_ns){0};
    pthread_mutex_unlock(&l->sm);
    rc = sync_directory(l, e);
    while (rc == 0 && (s = next_unsynced(l, until, &end, &position)) != NULL) {
        rc = sync_directory(l, e); /* a segment may have been made since */
        if (rc == 0)
            rc = sync_segment(l, s, end, position, e);
        segment_unref(s);
    }
    if (rc == 0)
        sync_closed_indexes(l);
    return rc;
}

/* The page cache is not believed any more: what was not covered is dropped. With flush=os it was
 * promised to nobody and stays, but the recovery point stays behind it. */
static void failed(struct plog *l, const struct kerr *why)
{
    struct plog_events ev;
    int64_t from, to;
    struct kerr e;
    int rc;

    pthread_mutex_lock(&l->am);
    pthread_mutex_lock(&l->sm);
    to = l->end;
    from = l->conf.flush == PLOG_FLUSH_OS ? l->end : l->synced;
    if (from > l->synced) {
        l->tainted = true;
        l->frozen = l->frozen < 0 ? l->synced : l->frozen;
    }
    ev = l->events;
    pthread_mutex_unlock(&l->sm);
    diag(logdir_conf(l->dir)->diag, DIAG_ERROR, "%s: offsets %lld to %lld are dropped",
         kerr_msg(why), (long long)from, (long long)to);
    rc = plog_cut(l, from, true, &e);
    if (rc < 0)
        diag(logdir_conf(l->dir)->diag, DIAG_ERROR, "%s is offline: %s", l->name, kerr_msg(&e));
    pthread_mutex_unlock(&l->am);
    if (ev.lost && to > from)
        ev.lost(ev.arg, l, from, to);
}

/* With sm. Takes what was asked for meanwhile, if it is still wanted. */
static enum flush_want take_again(struct plog *l)
{
    enum flush_want todo = l->hold ? FLUSH_NO : l->again;

    if (todo == FLUSH_NO)
        return FLUSH_NO;
    l->again = FLUSH_NO;
    return is_due(l) && !(todo == FLUSH_LINGER && l->lingering) ? todo : FLUSH_NO;
}

/* What was asked for meanwhile. FLUSH_SOON: go on. Otherwise the log may be gone after this. */
static enum flush_want finish(struct plog *l)
{
    enum flush_want todo;

    pthread_mutex_lock(&l->sm);
    while ((todo = take_again(l)) == FLUSH_LINGER) {
        l->lingering = true;
        pthread_mutex_unlock(&l->sm);
        logdir_linger(l->dir, l);
        pthread_mutex_lock(&l->sm); /* and what was asked for since */
    }
    if (todo != FLUSH_SOON) {
        l->flushing = false;
        pthread_cond_broadcast(&l->cv);
    }
    pthread_mutex_unlock(&l->sm);
    return todo;
}

/*
 * Producers keep a few requests in flight: while the answers to one flush are on their way, the
 * first of the next requests is here already, and would take a flush for itself. Where flushes are
 * slow it waits for as many as shared the last one, for an eighth of what that one cost at most.
 * Where flushes are fast, or were not shared, nobody waits.
 */
static void let_others_join(struct plog *l)
{
    int64_t ns = l->flush_took_ns / 8 < JOIN_MOST_NS ? l->flush_took_ns / 8 : JOIN_MOST_NS;
    struct timespec t = {0, ns};
    int64_t waiting;

    pthread_mutex_lock(&l->sm);
    waiting = l->batches - l->flushed_batches;
    pthread_mutex_unlock(&l->sm);
    if (l->flush_took_ns > SLOW_FLUSH_NS && waiting < l->flush_group)
        nanosleep(&t, NULL);
}

/* A cut that did not succeed is tried again: nothing can be appended until it has. */
static void repair(struct plog *l)
{
    struct kerr e;

    pthread_mutex_lock(&l->am);
    pthread_mutex_lock(&l->sm);
    l->repair_next = mono_add_ms(logdir_mono(l->dir), REPAIR_EVERY_MS);
    pthread_mutex_unlock(&l->sm);
    if (plog_repair(l, &e) == 0)
        diag(logdir_conf(l->dir)->diag, DIAG_WARN, "%s is online again", l->name);
    pthread_mutex_unlock(&l->am);
}

static void run(struct pool_task *t)
{
    struct plog *l = (struct plog *)((char *)t - offsetof(struct plog, task));
    struct kerr e;

    do {
        int64_t before, after, batches;
        mono_ns start;
        bool offline;
        let_others_join(l);
        start = os_mono(os_clock_real());
        pthread_mutex_lock(&l->sm);
        before = l->stable;
        batches = l->batches;
        offline = l->offline;
        pthread_mutex_unlock(&l->sm);
        if (offline)
            repair(l);
        else if (sync_all(l, &e) < 0)
            failed(l, &e);
        l->flush_group = batches - l->flushed_batches;
        l->flushed_batches = batches;
        l->flush_took_ns = os_mono(os_clock_real()).ns - start.ns;
        pthread_mutex_lock(&l->sm);
        l->covered_since = (mono_ns){0};
        after = l->stable;
        pthread_mutex_unlock(&l->sm);
        if (after > before)
            plog_fire_advanced(l);
        logdir_limit_files(l->dir);
    } while (finish(l) == FLUSH_SOON);
}

void plog_flush_start(struct plog *l, enum flush_want want)
{
    if (want == FLUSH_LINGER)
        logdir_linger(l->dir, l);
    if (want != FLUSH_SOON)
        return;
    l->task.run = run;
    if (pool_submit(logdir_conf(l->dir)->pool, &l->task) == 0)
        return;
    /* No thread to be had: whoever asks next tries again. */
    pthread_mutex_lock(&l->sm);
    l->flushing = false;
    pthread_cond_broadcast(&l->cv);
    pthread_mutex_unlock(&l->sm);
}

void plog_flush_soon(struct plog *l)
{
    enum flush_want todo;

    pthread_mutex_lock(&l->sm);
    todo = l->conf.flush == PLOG_FLUSH_OS ? FLUSH_NO : plog_flush_want(l, FLUSH_SOON);
    pthread_mutex_unlock(&l->sm);
    plog_flush_start(l, todo);
}

void plog_linger_over(struct plog *l)
{
    enum flush_want todo;

    pthread_mutex_lock(&l->sm);
    l->lingering = false;
    todo = plog_flush_want(l, FLUSH_SOON);
    pthread_mutex_unlock(&l->sm);
    plog_flush_start(l, todo);
}

void plog_hold(struct plog *l)
{
    pthread_mutex_lock(&l->sm);
    l->hold++;
    while (l->flushing)
        pthread_cond_wait(&l->cv, &l->sm);
    pthread_mutex_unlock(&l->sm);
}

void plog_unhold(struct plog *l)
{
    enum flush_want todo = FLUSH_NO;

    pthread_mutex_lock(&l->sm);
    if (--l->hold == 0) {
        todo = l->again;
        l->again = FLUSH_NO;
        todo = plog_flush_want(l, todo);
    }
    pthread_cond_broadcast(&l->cv);
    pthread_mutex_unlock(&l->sm);
    plog_flush_start(l, todo);
}

int plog_flush_wait(struct plog *l, int64_t offset, struct kerr *e)
{
    int64_t cuts;
    int rc = 0;

    pthread_mutex_lock(&l->sm);
    cuts = l->cuts;
    while (rc == 0 && l->synced < offset) {
        enum flush_want todo;
        if (offset > l->end || (l->cuts != cuts && l->cut_at < offset)) {
            rc = kerr_set(e, KE_IO, "%s: records below %lld are lost", l->name, (long long)offset);
            break;
        }
        todo = plog_flush_want(l, FLUSH_SOON);
        if (todo == FLUSH_SOON) {
            pthread_mutex_unlock(&l->sm);
            plog_flush_start(l, todo);
            pthread_mutex_lock(&l->sm);
            if (!l->flushing && l->synced < offset && l->cuts == cuts)
                rc = kerr_set(e, KE_NOMEM, "%s: no thread to flush on", l->name);
            continue;
        }
        if (l->offline)
            rc = kerr_set(e, KE_IO, "%s: offline after a failed flush", l->name);
        else
            pthread_cond_wait(&l->cv, &l->sm);
    }
    pthread_mutex_unlock(&l->sm);
    return rc;
}
