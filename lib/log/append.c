/* append - a client's batch becomes part of the log. */
#include "log/plog_impl.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>

enum {
    RESERVE_FIRST = 64 << 10,
    RESERVE_MOST = 16 << 20,
    SPACE_CHECK = 1 << 20, /* how many bytes may be written between two looks at the free space */
    DECODED_RATIO = 128    /* validate.records: a batch may decode to so many times the largest */
};

/* ---- what a client may send ---- */

static int check_attributes(const struct batch *b, struct kerr *e)
{
    if ((b->attributes & BATCH_CODEC_MASK) > CODEC_ZSTD)
        return kerr_set(e, KE_CODEC, "codec %d", b->attributes & BATCH_CODEC_MASK);
    if (b->attributes & BATCH_CONTROL)
        return kerr_set(e, KE_INVALID, "a client may not write control batches");
    if (b->attributes & BATCH_TRANSACTIONAL)
        return kerr_set(e, KE_INVALID, "transactions are not supported");
    if (b->attributes & BATCH_DELETE_HORIZON)
        return kerr_set(e, KE_INVALID, "a client may not set a delete horizon");
    return 0;
}

static int check_numbers(const struct batch *b, struct kerr *e)
{
    if (b->count < 1 || b->count - 1 != b->last_offset_delta)
        return kerr_set(e, KE_INVALID, "%d records with a last offset delta of %d", b->count,
                        b->last_offset_delta);
    if (b->producer_id < -1 ||
        (b->producer_id >= 0 && (b->base_sequence < 0 || b->producer_epoch < 0)))
        return kerr_set(e, KE_INVALID, "producer id %lld with epoch %d, sequence %d",
                        (long long)b->producer_id, b->producer_epoch, b->base_sequence);
    return 0; /* a sequence without a producer id says nothing: Sarama sends 0 */
}

/* What is asked of every record: a time that is not too old (message.timestamp.before.max.ms), and
 * where the log is compacted a key. */
static int check_each(const struct batch *b, const struct plog_conf *c, int64_t oldest, size_t cap,
                      struct kerr *e)
{
    struct record_iter *it;
    struct record r;
    int rc = record_iter_new(&it, e);

    if (rc < 0)
        return rc;
    rc = record_iter_begin(it, b, cap, e);
    while (rc == 0 && (rc = record_skim(it, &r, e)) == 1) {
        rc = 0;
        if (r.timestamp < oldest)
            rc = kerr_set(e, KE_TIMESTAMP, "timestamp %lld, the oldest allowed is %lld",
                          (long long)r.timestamp, (long long)oldest);
        else if (c->compacted && slice_is_null(r.key))
            rc = kerr_set(e, KE_INVALID, "a record without a key, but the topic is compacted");
    }
    record_iter_free(it);
    return rc;
}

/* Whether it will be stored in another codec than it came in. */
static bool is_recoded(const struct batch *b, const struct plog_conf *c)
{
    return c->compression >= 0 && (int)batch_codec(b) != c->compression;
}

static int check_records(const struct batch *b, const struct plog_conf *c, wall_ms now,
                         struct kerr *e)
{
    size_t cap = (size_t)c->max_message_bytes * DECODED_RATIO;
    bool old = !c->append_time && c->before_max_ms >= 0 && c->before_max_ms < now.ms;
    int rc = 0;

    if (batch_codec(b) == CODEC_NONE || c->validate_records || is_recoded(b, c))
        rc = batch_check_records(b, cap, e);
    if (rc == 0 && (old || c->compacted))
        rc = check_each(b, c, old ? now.ms - c->before_max_ms : INT64_MIN, cap, e);
    /* The CRC is right: it was made like that, and sending it again would not help. */
    return rc == KE_CORRUPT ? kerr_ctx(e, KE_INVALID, "records") : rc;
}

static int check_size(size_t size, const struct plog_conf *c, struct kerr *e)
{
    if ((int64_t)size > c->max_message_bytes)
        return kerr_set(e, KE_TOOBIG, "batch of %zu bytes, max.message.bytes is %lld", size,
                        (long long)c->max_message_bytes);
    if ((int64_t)size > c->segment_bytes || size > INT32_MAX)
        return kerr_set(e, KE_RANGE, "batch of %zu bytes, segment.bytes is %lld", size,
                        (long long)c->segment_bytes);
    return 0;
}

static int check(struct plog_append *a, const struct plog_conf *c, wall_ms now, struct batch *b,
                 struct kerr *e)
{
    int rc = batch_parse(slice_of(a->bytes, a->size), b, NULL, e);

    if (rc == KE_AGAIN)
        return kerr_ctx(e, KE_CORRUPT, "cut short");
    if (rc < 0)
        return rc;
    if (b->size != a->size)
        return kerr_set(e, KE_INVALID, "%zu bytes behind the batch: exactly one is expected",
                        a->size - b->size);
    rc = check_size(a->size, c, e);
    if (rc < 0)
        return rc;
    rc = batch_check_crc(b, e);
    if (rc == 0)
        rc = check_attributes(b, e);
    if (rc == 0)
        rc = check_numbers(b, e);
    if (rc == 0 && !c->append_time && b->attributes & BATCH_LOG_APPEND_TIME)
        rc = kerr_set(e, KE_TIMESTAMP, "LogAppendTime is not for a client to set");
    if (rc == 0 && !c->append_time && c->after_max_ms < INT64_MAX - now.ms &&
        b->max_timestamp > now.ms + c->after_max_ms)
        rc = kerr_set(e, KE_TIMESTAMP, "timestamp %lld, the latest allowed is %lld",
                      (long long)b->max_timestamp, (long long)(now.ms + c->after_max_ms));
    return rc < 0 ? rc : check_records(b, c, now, e);
}

/* ---- indexes ---- */

/* One of the two: the entries of the tail go behind those in the file. True when they are there. */
static bool write_entries(struct plog *l, struct segment *s, enum log_file kind, const uint8_t *p,
                          size_t size, uint32_t count, uint32_t in_file)
{
    struct kerr e;
    int fd = segment_fd(s, plog_dirfd(l), kind, true, &e);

    if (fd < 0 || (count && os_pwrite(fd, p, size * count, (off_t)(size * (size_t)in_file)) < 0)) {
        if (fd >= 0)
            kerr_sys(&e, KE_IO, "write");
        if (!s->index_failed)
            diag(logdir_conf(l->dir)->diag, DIAG_WARN, "%s: index of segment %lld: %s", l->name,
                 (long long)s->base, kerr_msg(&e));
        s->index_failed = true;
        return false;
    }
    return true;
}

static void closing_time_entry(struct segment *s)
{
    struct index_tail *t = s->tail;

    if (s->max_time <= s->time_indexed || t->times == TAIL_ENTRIES)
        return;
    t->time[t->times++] = (struct time_entry){s->max_time, (int32_t)(s->max_offset - s->base)};
    s->time_indexed = s->max_time;
}

void plog_write_tail(struct plog *l, struct segment *s, bool last)
{
    uint8_t p[TAIL_ENTRIES * TIME_ENTRY];
    struct index_tail *t;
    bool ok;

    if (!s->tail) {
        t = last ? calloc(1, sizeof *t) : NULL;
        if (!t)
            return;
        pthread_mutex_lock(&l->sm);
        s->tail = t;
        pthread_mutex_unlock(&l->sm);
    }
    t = s->tail;
    for (uint32_t i = 0; i < t->entries; i++)
        index_entry_put(p + i * INDEX_ENTRY, t->entry[i]);
    ok = write_entries(l, s, LOG_FILE_INDEX, p, INDEX_ENTRY, t->entries, s->entries);
    if (ok) {
        pthread_mutex_lock(&l->sm);
        s->entries += t->entries;
        t->entries = 0;
        pthread_mutex_unlock(&l->sm);
    }
    if (last)
        closing_time_entry(s);
    for (uint32_t i = 0; i < t->times; i++)
        time_entry_put(p + i * TIME_ENTRY, t->time[i]);
    if (write_entries(l, s, LOG_FILE_TIMEINDEX, p, TIME_ENTRY, t->times, s->times)) {
        s->times += t->times;
        t->times = 0;
    }
}

void plog_index_batch(struct plog *l, struct segment *s, int64_t last_offset, int64_t position,
                      int64_t size, int64_t max_time)
{
    struct index_tail *t = s->tail;

    if (max_time > s->max_time) {
        s->max_time = max_time;
        s->max_offset = last_offset;
    }
    if (s->since_index > l->conf.index_interval_bytes && t && t->entries < TAIL_ENTRIES &&
        t->times < TAIL_ENTRIES) {
        t->entry[t->entries++] =
            (struct index_entry){(int32_t)(last_offset - s->base), (int32_t)position};
        if (s->max_time > s->time_indexed) {
            t->time[t->times++] =
                (struct time_entry){s->max_time, (int32_t)(s->max_offset - s->base)};
            s->time_indexed = s->max_time;
        }
        s->since_index = 0;
    }
    s->since_index =
        s->since_index > INT32_MAX - size ? INT32_MAX : (int32_t)(s->since_index + size);
}

/* Before the batch is written: a tail that is there and has room for its entry. */
static void make_index_room(struct plog *l, struct segment *s, int32_t interval)
{
    if (s->since_index <= interval)
        return;
    if (!s->tail) {
        struct index_tail *t = calloc(1, sizeof *t);
        pthread_mutex_lock(&l->sm);
        s->tail = t;
        pthread_mutex_unlock(&l->sm);
    } else if (s->tail->entries == TAIL_ENTRIES || s->tail->times == TAIL_ENTRIES) {
        plog_write_tail(l, s, false);
    }
}

/* ---- rolling ---- */

int plog_write_snapshot(struct plog *l, bool sync, struct kerr *e)
{
    char name[LOG_FILE_NAME];
    struct buf b = {0};
    int fd = -1, rc = 0;

    log_file_name(name, l->end, LOG_FILE_SNAPSHOT);
    if (!producers_save(&l->producers, &b))
        rc = kerr_set(e, KE_NOMEM, "producer snapshot");
    else if ((fd = os_openat(plog_dirfd(l), name, O_WRONLY | O_CREAT | O_TRUNC, 0600)) < 0 ||
             os_pwrite(fd, b.p, b.n, 0) < 0 || (sync && os_fdatasync(fd) < 0))
        rc = kerr_sys(e, KE_IO, "%s: write %s", l->name, name);
    if (fd >= 0)
        os_close(fd);
    buf_free(&b);
    return rc;
}

/* Takes away what a failed write has left behind the end. */
static int cut_tail(struct plog *l, struct segment *s, struct kerr *e)
{
    int fd = segment_fd(s, plog_dirfd(l), LOG_FILE_LOG, false, e);

    if (fd < 0)
        return fd;
    if (os_ftruncate(fd, s->size) < 0)
        return kerr_sys(e, KE_IO, "%s: cut after a failed write", l->name);
    s->dirty_tail = false;
    s->reserved = s->size;
    return 0;
}

int plog_roll(struct plog *l, struct kerr *e)
{
    struct segment *old = plog_active(l), *s = segment_new(l->end, logdir_files(l->dir));
    struct kerr warning;
    int rc;

    if (!s)
        return kerr_set(e, KE_NOMEM, "segment");
    /* A closed segment is as long as its file. Entries of an index that a crash has left behind
     * would be taken for those of the new one. */
    rc = old->dirty_tail ? cut_tail(l, old, e) : 0;
    if (rc == 0)
        rc = plog_unlink_segment(l, s->base, false, e);
    if (rc == 0)
        rc = segment_create(s, plog_dirfd(l), e);
    if (rc < 0) {
        segment_unref(s);
        return kerr_ctx(e, rc, "%s: new segment", l->name);
    }
    plog_write_tail(l, old, true);
    if (plog_write_snapshot(l, false, &warning) < 0)
        diag(logdir_conf(l->dir)->diag, DIAG_WARN, "%s: %s", l->name, kerr_msg(&warning));
    rc = plog_push_segment(l, s, e);
    if (rc < 0) {
        plog_unlink_segment(l, s->base, true, NULL);
        segment_unref(s);
        return rc;
    }
    /* Room that was promised and not used goes back. */
    if (old->reserved > old->size &&
        os_ftruncate(segment_fd(old, plog_dirfd(l), LOG_FILE_LOG, false, NULL), old->size) == 0)
        old->reserved = old->size;
    pthread_mutex_lock(&l->sm);
    free(old->tail);
    old->tail = NULL;
    l->dirs_made++;
    pthread_mutex_unlock(&l->sm);
    return 0;
}

/* LogSegment.shouldRoll */
static bool must_roll(const struct segment *s, const struct plog_conf *c, const struct batch *b,
                      int64_t last_offset, int64_t max_time)
{
    uint32_t entries = s->entries + (s->tail ? s->tail->entries : 0);
    uint32_t times = s->times + (s->tail ? s->tail->times : 0);
    int64_t limit = c->segment_bytes < INT32_MAX ? c->segment_bytes : INT32_MAX;

    if (s->size == 0)
        return false;
    return s->size + (int64_t)b->size > limit || last_offset - s->base > INT32_MAX ||
           entries >= (uint32_t)c->segment_index_bytes / INDEX_ENTRY ||
           times + 1 >= (uint32_t)c->segment_index_bytes / TIME_ENTRY ||
           (s->first_time >= 0 && c->segment_ms > 0 && max_time > s->first_time &&
            max_time - s->first_time > plog_roll_after(c, s));
}

/* ---- writing ---- */

static int check_space(struct plog *l, int64_t n, struct kerr *e)
{
    struct statvfs v;

    if (l->unchecked > 0 && l->unchecked < SPACE_CHECK) {
        l->unchecked += n;
        return 0;
    }
    if (fstatvfs(plog_dirfd(l), &v) < 0)
        return kerr_sys(e, KE_IO, "%s: statvfs", l->name);
    if ((int64_t)v.f_bavail * (int64_t)v.f_frsize < logdir_conf(l->dir)->min_free_bytes + n) {
        l->unchecked = 0;
        return kerr_set(e, KE_NOSPACE, "%s: less than %lld bytes would be left free", l->name,
                        (long long)logdir_conf(l->dir)->min_free_bytes);
    }
    l->unchecked = n;
    return 0;
}

/* Room for the file up to to: promised in growing steps, so that a log of a few records is small,
 * or (preallocate) at once. */
static int reserve(struct plog *l, struct segment *s, int fd, int64_t to, const struct plog_conf *c,
                   struct kerr *e)
{
    int64_t from = s->reserved > s->size ? s->reserved : s->size, step = s->size;
    int64_t most = c->segment_bytes;

    if (to <= s->reserved)
        return 0;
    if (l->no_reserve)
        return check_space(l, to - s->size, e);
    step = step < RESERVE_FIRST ? RESERVE_FIRST : step > RESERVE_MOST ? RESERVE_MOST : step;
    if (c->preallocate || to + step > most)
        step = to < most ? most - to : 0;
    if (os_reserve(fd, from, to - from + step) == 0) {
        s->reserved = to + step;
        return 0;
    }
    if (errno == ENOSPC && os_reserve(fd, from, to - from) == 0) {
        s->reserved = to;
        return 0;
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL) {
        l->no_reserve = true;
        return check_space(l, to - s->size, e);
    }
    return kerr_sys(e, KE_IO, "%s: reserve room", l->name);
}

static int write_batch(struct plog *l, struct segment *s, struct plog_append *a,
                       const struct plog_conf *c, struct kerr *e)
{
    int fd = segment_fd(s, plog_dirfd(l), LOG_FILE_LOG, false, e), rc;
    struct iovec v = {a->bytes, a->size};
    mono_ns start;
    size_t done;

    if (fd < 0)
        return fd;
    if (s->dirty_tail && (rc = cut_tail(l, s, e)) < 0)
        return rc;
    start = logdir_mono(l->dir);
    rc = reserve(l, s, fd, s->size + (int64_t)a->size, c, e);
    if (rc == 0 && os_pwritev(fd, &v, 1, s->size, &done) < 0) {
        rc = kerr_sys(e, KE_IO, "%s: write at %lld", l->name, (long long)s->size);
        s->dirty_tail = done > 0;
        if (done > 0)
            cut_tail(l, s, NULL);
    }
    a->stalled_ns = logdir_mono(l->dir).ns - start.ns;
    atomic_store_explicit(&l->last_write_ns, a->stalled_ns, memory_order_relaxed);
    return rc;
}

/* What has been written becomes part of the log. */
static enum flush_want publish(struct plog *l, struct segment *s, const struct batch *b,
                               bool *advanced)
{
    enum flush_want todo;

    pthread_mutex_lock(&l->sm);
    if (s->size == 0)
        s->first_time = b->max_timestamp;
    plog_index_batch(l, s, batch_last_offset(b), s->size, (int64_t)b->size, b->max_timestamp);
    s->size += (int64_t)b->size;
    l->size += (int64_t)b->size;
    if (l->synced == l->end || l->waiting_since.ns == 0)
        l->waiting_since = logdir_mono(l->dir);
    s->end = l->end = batch_last_offset(b) + 1;
    l->batches++;
    l->records += b->count;
    l->bytes += (int64_t)b->size;
    *advanced = l->conf.flush == PLOG_FLUSH_OS;
    if (*advanced) {
        l->stable = l->end;
        plog_mark(l, l->end, s->base, s->size);
    }
    todo = plog_flush_want(l, plog_append_wants(l));
    pthread_mutex_unlock(&l->sm);
    return todo;
}

/* With am. */
static int append_locked(struct plog *l, struct plog_append *a, const struct plog_conf *c,
                         struct batch *b, wall_ms now, struct kerr *e)
{
    struct producer *p;
    int64_t first, last;
    int rc;

    if (l->offline)
        return kerr_set(e, KE_IO, "%s: offline after a failed flush", l->name);
    a->cuts = l->cuts;
    rc = producers_check(&l->producers, b, &p, &first, &last, e);
    if (rc < 0)
        return kerr_ctx(e, rc, "%s", l->name);
    if (rc == 1) {
        a->duplicate = true;
        a->base_offset = first;
        a->last_offset = last;
        return 1;
    }
    if (l->end > INT64_MAX - 1 - b->last_offset_delta)
        return kerr_set(e, KE_RANGE, "%s: no offsets left", l->name);
    b->base_offset = l->end;
    b->leader_epoch = a->leader_epoch;
    if (c->append_time)
        b->max_timestamp = a->append_time = now.ms;
    rc = plog_epoch_assign(l, a->leader_epoch, l->end, e);
    if (rc < 0)
        return rc;
    if (must_roll(plog_active(l), c, b, batch_last_offset(b), b->max_timestamp) &&
        (rc = plog_roll(l, e)) < 0)
        return rc;
    batch_set_offset(a->bytes, b->base_offset);
    batch_set_leader_epoch(a->bytes, b->leader_epoch);
    if (c->append_time)
        batch_set_append_time(a->bytes, a->size, now.ms);
    make_index_room(l, plog_active(l), c->index_interval_bytes);
    rc = write_batch(l, plog_active(l), a, c, e);
    if (rc < 0)
        return rc;
    if (p)
        producers_add(&l->producers, p, b, logdir_mono(l->dir));
    a->base_offset = b->base_offset;
    a->last_offset = batch_last_offset(b);
    return 0;
}

static enum flush_want ask_for_repair(struct plog *l)
{
    enum flush_want todo;

    pthread_mutex_lock(&l->sm);
    todo = plog_flush_want(l, FLUSH_SOON);
    pthread_mutex_unlock(&l->sm);
    return todo;
}

/* compression.type: the batch in the topic's codec, in out; a and b then are about that. */
static int recode(struct plog_append *a, const struct plog_conf *c, struct batch *b,
                  struct buf *out, struct kerr *e)
{
    size_t cap = (size_t)c->max_message_bytes * (c->compression == CODEC_NONE ? 1 : DECODED_RATIO);
    int rc = batch_recode(b, (enum codec)c->compression, c->levels[c->compression], cap, out, e);

    if (rc == 0)
        rc = check_size(out->n, c, e);
    if (rc == 0)
        rc = batch_parse(buf_slice(out), b, NULL, e);
    if (rc < 0)
        return rc;
    a->bytes = out->p;
    a->size = out->n;
    return 0;
}

int plog_append(struct plog *l, struct plog_append *a, wall_ms now, struct kerr *e)
{
    const struct plog_append given = *a;
    struct buf recoded = {0};
    enum flush_want todo = FLUSH_NO;
    bool advanced = false;
    struct plog_conf c;
    struct batch b;
    int rc;

    a->duplicate = false;
    a->append_time = -1;
    a->stalled_ns = 0;
    a->base_offset = a->last_offset = -1;
    pthread_mutex_lock(&l->sm);
    c = l->conf;
    a->log_start = l->log_start;
    pthread_mutex_unlock(&l->sm);
    rc = check(a, &c, now, &b, e);
    if (rc == 0 && is_recoded(&b, &c))
        rc = recode(a, &c, &b, &recoded, e);
    if (rc < 0) {
        buf_free(&recoded);
        return rc;
    }
    pthread_mutex_lock(&l->am);
    rc = append_locked(l, a, &c, &b, now, e);
    if (rc == 0)
        todo = publish(l, plog_active(l), &b, &advanced);
    else if (l->offline)
        todo = ask_for_repair(l);
    pthread_mutex_unlock(&l->am);
    plog_flush_start(l, todo);
    logdir_limit_files(l->dir);
    if (advanced)
        plog_fire_advanced(l);
    buf_free(&recoded);
    a->bytes = given.bytes;
    a->size = given.size;
    return rc < 0 ? rc : 0;
}

bool plog_append_may_stall(struct plog *l)
{
    if (atomic_load_explicit(&l->heavy, memory_order_relaxed))
        return true;
    if (atomic_load_explicit(&l->last_write_ns, memory_order_relaxed) > STALL_NS)
        return true;
    if (pthread_mutex_trylock(&l->am) != 0)
        return true;
    pthread_mutex_unlock(&l->am);
    return false;
}
