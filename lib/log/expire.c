/*
 * expire - a log loses its beginning: retention, and what a client trims.
 *
 * First the log's start moves, then the checkpoint file says so, and only then files go: a crash
 * may undo some of the deletions and not others, and what is left must not begin in a hole. With
 * file.delete.delay.ms they are first renamed to NAME.deleted; those that are there at a start go.
 */
#include "log/plog_impl.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { DELETED_NAME = LOG_FILE_NAME + 8 };

/* ---- files ---- */

static char *deleted_name(char out[DELETED_NAME], int64_t base, enum log_file kind)
{
    char name[LOG_FILE_NAME];

    snprintf(out, DELETED_NAME, "%s.deleted", log_file_name(name, base, kind));
    return out;
}

/* Room to take down one more that waits. */
static bool grave_room(struct plog *l)
{
    struct grave *v;

    if (l->graves < l->grave_cap)
        return true;
    v = realloc(l->grave, (l->graves * 2 + 4) * sizeof *v);
    if (!v)
        return false;
    l->grave = v;
    l->grave_cap = l->graves * 2 + 4;
    return true;
}

static int bury(struct plog *l, int64_t base, int64_t delay_ms, struct kerr *e)
{
    mono_ns now = logdir_mono(l->dir);

    for (int kind = LOG_FILE_LOG; kind < LOG_FILE_COUNT; kind++) {
        char from[LOG_FILE_NAME], to[DELETED_NAME];
        log_file_name(from, base, (enum log_file)kind);
        deleted_name(to, base, (enum log_file)kind);
        if (os_renameat(plog_dirfd(l), from, plog_dirfd(l), to) < 0 && errno != ENOENT)
            return kerr_sys(e, KE_IO, "%s: rename %s", l->name, from);
    }
    l->grave[l->graves++] =
        (struct grave){base, delay_ms < (INT64_MAX - now.ns) / 1000000 ? mono_add_ms(now, delay_ms)
                                                                       : (mono_ns){INT64_MAX}};
    return 0;
}

/* With am. Forgets the first segment; its files go, or wait until they may. */
static int drop_first(struct plog *l, struct kerr *e)
{
    struct segment *s = l->seg[0];
    int64_t delay_ms;
    int rc;

    pthread_mutex_lock(&l->sm);
    delay_ms = l->conf.delete_delay_ms;
    pthread_mutex_unlock(&l->sm);
    rc = delay_ms > 0 && grave_room(l) ? bury(l, s->base, delay_ms, e)
                                       : plog_unlink_segment(l, s->base, true, e);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&l->sm);
    l->segs--;
    for (size_t i = 0; i < l->segs; i++)
        l->seg[i] = l->seg[i + 1];
    l->size -= s->size;
    pthread_mutex_unlock(&l->sm);
    segment_unref(s);
    return 0;
}

/* With am. Whether the first segment lies below an offset; the active one always stays. */
static bool first_is_below(const struct plog *l, int64_t start)
{
    return l->segs > 1 && l->seg[1]->base <= start;
}

/* With am. Those below an offset go, but for what is the only memory of a producer until the
 * snapshot behind it is durable. */
static int drop_below(struct plog *l, int64_t start, struct kerr *e)
{
    int rc = 0;

    while (rc == 0 && first_is_below(l, start)) {
        bool durable;
        pthread_mutex_lock(&l->sm);
        durable = l->seg[0]->indexes_synced && l->dirs_made == l->dirs_synced;
        pthread_mutex_unlock(&l->sm);
        if (!durable)
            break;
        rc = drop_first(l, e);
    }
    return rc;
}

/* With am. Those whose time has come, the oldest first. */
static int unlink_due(struct plog *l, struct kerr *e)
{
    mono_ns now = logdir_mono(l->dir);
    char name[DELETED_NAME];
    size_t n = 0;
    int rc = 0;

    for (; n < l->graves && rc == 0 && l->grave[n].due.ns <= now.ns; n += rc == 0)
        for (int kind = LOG_FILE_LOG; kind < LOG_FILE_COUNT && rc == 0; kind++)
            if (os_unlinkat(plog_dirfd(l),
                            deleted_name(name, l->grave[n].base, (enum log_file)kind), 0) < 0 &&
                errno != ENOENT)
                rc = kerr_sys(e, KE_IO, "%s: unlink %s", l->name, name);
    l->graves -= n;
    for (size_t i = 0; i < l->graves; i++)
        l->grave[i] = l->grave[n + i];
    return rc;
}

int plog_sweep(struct plog *l, struct kerr *e)
{
    int rc;

    pthread_mutex_lock(&l->am);
    rc = l->offline ? 0 : drop_below(l, logdir_start_kept(l->dir, l), e);
    if (rc == 0)
        rc = unlink_due(l, e);
    pthread_mutex_unlock(&l->am);
    return rc;
}

/* ---- retention ---- */

/* Of a closed segment that was not read at the start: by its time index and what stands behind the
 * last entry, through descriptors that go again. */
static int learn_max_time(struct plog *l, struct segment *s, struct kerr *e)
{
    struct segment *look = segment_new(s->base, logdir_files(l->dir));
    int64_t max = -1, at = -1;
    struct segment_view v = {
        .segment = look, .base = s->base, .size = s->size, .entries = -1, .hint = -1};
    int rc = look ? segment_max_time(&v, plog_dirfd(l), s->base, s->end, &max, &at, e)
                  : kerr_set(e, KE_NOMEM, "%s: segment", l->name);

    segment_unref(look);
    if (rc == KE_CORRUPT) { /* readers are told; its file's time must do */
        max = at = -1;
        rc = 0;
    }
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&l->sm);
    s->max_time = max;
    s->max_offset = at;
    s->max_known = true;
    pthread_mutex_unlock(&l->sm);
    return 0;
}

/* The time of a segment's newest record; of the file where none has one. */
static int newest_time(struct plog *l, struct segment *s, int64_t *out, struct kerr *e)
{
    int rc = s->max_known ? 0 : learn_max_time(l, s, e);
    char name[LOG_FILE_NAME];
    struct stat st;

    *out = s->max_time;
    if (rc < 0 || s->max_time >= 0)
        return rc;
    if (fstatat(plog_dirfd(l), log_file_name(name, s->base, LOG_FILE_LOG), &st,
                AT_SYMLINK_NOFOLLOW) < 0)
        return kerr_sys(e, KE_IO, "%s: stat %s", l->name, name);
    *out = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return 0;
}

/* How many segments from the first on go, by their size, then by their age. (Kafka:
 * UnifiedLog.deleteOldSegments) Nothing that consumers may not see yet. */
static int count_expired(struct plog *l, const struct plog_conf *c, int64_t stable, wall_ms now,
                         size_t *n, struct kerr *e)
{
    int64_t over = c->retention_bytes >= 0 ? l->size - c->retention_bytes : -1;

    for (*n = 0; *n < l->segs; ++*n) {
        struct segment *s = l->seg[*n];
        int64_t newest = 0;
        int rc;
        if (s->end > stable || (s->size == 0 && *n + 1 == l->segs))
            return 0;
        over -= s->size;
        if (over >= 0)
            continue;
        if (c->retention_ms < 0)
            return 0;
        rc = newest_time(l, s, &newest, e);
        if (rc < 0 || now.ms - newest <= c->retention_ms)
            return rc;
    }
    return 0;
}

int plog_expire(struct plog *l, wall_ms now, struct kerr *e)
{
    struct plog_conf c;
    int64_t stable;
    size_t n;
    int rc;

    pthread_mutex_lock(&l->sm);
    c = l->conf;
    stable = l->stable;
    pthread_mutex_unlock(&l->sm);
    if (!c.expires)
        return 0;
    rc = count_expired(l, &c, stable, now, &n, e);
    if (rc == 0 && n > 0 && n == l->segs)
        rc = plog_roll(l, e);
    if (rc < 0 || n == 0 || l->seg[n]->base <= l->log_start)
        return rc;
    diag(logdir_conf(l->dir)->diag, DIAG_INFO, "%s: retention: offsets below %lld go", l->name,
         (long long)l->seg[n]->base);
    pthread_mutex_lock(&l->sm);
    l->log_start = l->seg[n]->base;
    pthread_mutex_unlock(&l->sm);
    return 0;
}

/* ---- trim ---- */

int plog_trim(struct plog *l, int64_t offset, struct kerr *e)
{
    int rc = 0;

    pthread_mutex_lock(&l->am);
    pthread_mutex_lock(&l->sm);
    if (offset > l->stable)
        rc = kerr_set(e, KE_RANGE, "%s: trim to %lld, the high watermark is %lld", l->name,
                      (long long)offset, (long long)l->stable);
    else if (offset > l->log_start)
        l->log_start = offset;
    pthread_mutex_unlock(&l->sm);
    if (rc == 0 && first_is_below(l, l->log_start))
        rc = logdir_checkpoint_starts(l->dir, e);
    if (rc == 0)
        rc = drop_below(l, l->log_start, e);
    pthread_mutex_unlock(&l->am);
    return rc;
}
