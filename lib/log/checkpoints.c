/* checkpoints - the three files at the top of a log directory that hold an offset a partition. */
#include "log/logdir_impl.h"

#include "os/file.h"

#include <errno.h>
#include <stdlib.h>

#define RECOVERY    "recovery-point-offset-checkpoint"
#define LOG_START   "log-start-offset-checkpoint"
#define REPLICATION "replication-offset-checkpoint"

enum { CHECKPOINT_MAX = 1 << 28 };

/* A file that cannot be read costs time or trimmed records come back; it never stops a start. */
static int load(struct logdir *d, const char *name, struct offset_entry **out, size_t *n,
                struct kerr *e)
{
    struct kerr why;
    size_t size = 0;
    char *p = os_read_all(d->fd, name, CHECKPOINT_MAX, &size);
    int rc;

    if (!p)
        return errno == ENOENT ? 0 : kerr_sys(e, KE_IO, "%s: read %s", d->path, name);
    rc = offset_checkpoint_decode(slice_of(p, size), out, n, &why);
    free(p);
    if (rc == KE_NOMEM)
        return kerr_set(e, rc, "%s: %s", name, kerr_msg(&why));
    if (rc < 0)
        diag(d->conf.diag, DIAG_WARN, "%s/%s is not used: %s", d->path, name, kerr_msg(&why));
    return 0;
}

int logdir_checkpoints_load(struct logdir *d, struct kerr *e)
{
    int rc = load(d, RECOVERY, &d->recovery, &d->recoveries, e);

    return rc < 0 ? rc : load(d, LOG_START, &d->start, &d->starts, e);
}

void logdir_checkpoints_free(struct logdir *d)
{
    free(d->recovery);
    free(d->start);
}

static struct offset_entry *find(struct offset_entry *v, size_t n, const char *topic,
                                 int32_t partition)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].partition == partition && strcmp(v[i].topic, topic) == 0)
            return &v[i];
    return NULL;
}

int64_t logdir_recovery_of(const struct logdir *d, const char *topic, int32_t partition)
{
    const struct offset_entry *v = find(d->recovery, d->recoveries, topic, partition);

    return v ? v->offset : 0;
}

int64_t logdir_start_of(const struct logdir *d, const char *topic, int32_t partition)
{
    const struct offset_entry *v = find(d->start, d->starts, topic, partition);

    return v ? v->offset : 0;
}

static bool drop(struct offset_entry *list, size_t *n, const char *topic, int32_t partition)
{
    struct offset_entry *v = find(list, *n, topic, partition);

    if (!v)
        return false;
    *v = list[--*n];
    return true;
}

bool logdir_drop_values(struct logdir *d, const char *topic, int32_t partition)
{
    bool a = drop(d->recovery, &d->recoveries, topic, partition);
    bool b = drop(d->start, &d->starts, topic, partition);

    return a || b;
}

static bool keep(struct offset_entry **list, size_t *n, const char *topic, int32_t partition,
                 int64_t offset)
{
    struct offset_entry *v = realloc(*list, (*n + 1) * sizeof *v);

    if (!v)
        return false;
    *list = v;
    v += (*n)++;
    memcpy(v->topic, topic, strlen(topic) + 1);
    v->partition = partition;
    v->offset = offset;
    return true;
}

static int64_t recovery_point(struct plog *l)
{
    int64_t at;

    pthread_mutex_lock(&l->sm);
    at = l->frozen >= 0 && l->frozen < l->synced ? l->frozen : l->synced;
    pthread_mutex_unlock(&l->sm);
    return at;
}

bool logdir_keep_values(struct logdir *d, struct plog *l)
{
    char topic[PARTITION_TOPIC];
    int32_t partition;

    return partition_dir_parse(l->name, topic, &partition) &&
           keep(&d->recovery, &d->recoveries, topic, partition, recovery_point(l)) &&
           (l->log_start == 0 || keep(&d->start, &d->starts, topic, partition, l->log_start));
}

static void add_log(struct buf *b, const struct plog *l, int64_t offset)
{
    char topic[PARTITION_TOPIC];
    int32_t partition;

    if (partition_dir_parse(l->name, topic, &partition))
        offset_checkpoint_add(b, topic, partition, offset);
}

static int64_t write_start(struct plog *l)
{
    struct plog_ends ends;

    plog_ends(l, &ends);
    return l->start_written = ends.log_start;
}

static int64_t high_watermark(struct plog *l)
{
    struct plog_ends ends;

    plog_ends(l, &ends);
    return ends.high_watermark;
}

/* One file: what is known of closed partitions, then what value says of the open ones. Zeros are
 * left out where skip_zero is set. */
static int write_one(struct logdir *d, const char *name, const struct offset_entry *closed,
                     size_t n, int64_t (*value)(struct plog *), bool skip_zero, struct kerr *e)
{
    struct buf body = {0}, b = {0};
    size_t count = n;
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        offset_checkpoint_add(&body, closed[i].topic, closed[i].partition, closed[i].offset);
    for (struct plog *l = d->logs; l; l = l->next) {
        int64_t at = value(l);
        if (skip_zero && at == 0)
            continue;
        add_log(&body, l, at);
        count++;
    }
    offset_checkpoint_begin(&b, count);
    buf_put_slice(&b, buf_slice(&body));
    if (b.failed || body.failed)
        rc = kerr_set(e, KE_NOMEM, "%s", name);
    else if (os_replace(d->fd, name, b.p, b.n) < 0)
        rc = kerr_sys(e, KE_IO, "%s: write %s", d->path, name);
    buf_free(&body);
    buf_free(&b);
    return rc;
}

/* What a file gets is taken down first: it must not say more than a log that is cut afterwards. */
static int64_t take_down(struct plog *l)
{
    return l->checkpointed = recovery_point(l);
}

static int write_starts(struct logdir *d, struct kerr *e)
{
    int rc = write_one(d, LOG_START, d->start, d->starts, write_start, true, e);

    for (struct plog *l = d->logs; l && rc == 0; l = l->next)
        l->start_kept = l->start_written;
    return rc;
}

int64_t logdir_start_kept(struct logdir *d, const struct plog *l)
{
    int64_t at;

    pthread_mutex_lock(&d->mu);
    at = l->start_kept;
    pthread_mutex_unlock(&d->mu);
    return at;
}

int logdir_checkpoint_starts(struct logdir *d, struct kerr *e)
{
    int rc;

    pthread_mutex_lock(&d->mu);
    rc = write_starts(d, e);
    pthread_mutex_unlock(&d->mu);
    return rc;
}

int logdir_checkpoint_locked(struct logdir *d, struct kerr *e)
{
    int rc = write_starts(d, e);

    if (rc == 0)
        rc = write_one(d, RECOVERY, d->recovery, d->recoveries, take_down, false, e);
    if (rc == 0)
        d->stale = false;
    if (rc == 0)
        rc = write_one(d, REPLICATION, NULL, 0, high_watermark, false, e);
    return rc;
}

int logdir_checkpoint(struct logdir *d, struct kerr *e)
{
    int rc;

    pthread_mutex_lock(&d->mu);
    rc = logdir_checkpoint_locked(d, e);
    pthread_mutex_unlock(&d->mu);
    return rc;
}

int logdir_lower(struct logdir *d, struct plog *l, int64_t to, struct kerr *e)
{
    int rc = 0;

    pthread_mutex_lock(&d->mu);
    if (l->checkpointed > to) {
        pthread_mutex_lock(&l->sm);
        l->synced = l->synced > to ? to : l->synced;
        pthread_mutex_unlock(&l->sm);
        rc = logdir_checkpoint_locked(d, e);
    }
    pthread_mutex_unlock(&d->mu);
    return rc;
}
