#include "log/plog_impl.h"

#include "os/file.h"

#include <stdlib.h>
#include <string.h>

void plog_conf_default(struct plog_conf *c)
{
    *c = (struct plog_conf){
        .segment_bytes = 1 << 30,
        .segment_ms = INT64_C(7) * 24 * 3600 * 1000,
        .max_message_bytes = 1048588,
        .index_interval_bytes = 4096,
        .segment_index_bytes = 10 << 20,
        .before_max_ms = INT64_MAX,
        .after_max_ms = 3600000,
        .compression = -1,
        .expires = true,
        .retention_ms = INT64_C(7) * 24 * 3600 * 1000,
        .retention_bytes = -1,
        .delete_delay_ms = 60000,
        .flush = PLOG_FLUSH_SYNC,
        .flush_messages = INT64_MAX,
        .flush_ms = INT64_MAX,
    };
    for (int i = 0; i < CODEC_COUNT; i++)
        c->levels[i] = CODEC_LEVEL_DEFAULT;
}

/* Whether appends open batches: work for the pool. */
static bool is_heavy(const struct plog_conf *c)
{
    return c->validate_records || c->compacted || c->compression >= 0 ||
           (!c->append_time && c->before_max_ms < INT64_MAX);
}

/* How long a flush that nobody waits for may be put off. */
static int64_t linger_ns(const struct logdir *d, const struct plog_conf *c)
{
    return plog_flushes_by_time(c) ? c->flush_ms * 1000000 : logdir_conf(d)->flush_linger_ns;
}

struct plog *plog_new(struct logdir *d, const char *name, struct uuid topic_id,
                      const struct plog_conf *c, struct kerr *e)
{
    struct plog *l = calloc(1, sizeof *l);

    if (l)
        l->name = strdup(name);
    if (!l || !l->name) {
        free(l);
        kerr_set(e, KE_NOMEM, "partition log");
        return NULL;
    }
    l->dir = d;
    atomic_init(&l->dirfd, -1);
    l->topic_id = topic_id;
    l->conf = *c;
    atomic_init(&l->heavy, is_heavy(c));
    atomic_init(&l->linger_ns, linger_ns(d, c));
    l->cut_at = l->frozen = -1;
    pthread_mutex_init(&l->am, NULL);
    pthread_mutex_init(&l->sm, NULL);
    pthread_cond_init(&l->cv, NULL);
    producers_init(&l->producers);
    for (int i = 0; i < MARKS; i++)
        l->mark[i].offset = -1;
    return l;
}

void plog_free(struct plog *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->segs; i++)
        segment_unref(l->seg[i]);
    free(l->seg);
    free(l->epoch);
    free(l->grave);
    producers_clear(&l->producers);
    plog_close_dir(l);
    pthread_cond_destroy(&l->cv);
    pthread_mutex_destroy(&l->sm);
    pthread_mutex_destroy(&l->am);
    free(l->name);
    free(l);
}

void plog_ends(struct plog *l, struct plog_ends *out)
{
    pthread_mutex_lock(&l->sm);
    *out = (struct plog_ends){.log_start = l->log_start,
                              .local_start = l->log_start,
                              .stable = l->stable,
                              .high_watermark = l->stable,
                              .lso = l->stable,
                              .end = l->end,
                              .leader_epoch = l->epochs ? l->epoch[l->epochs - 1].epoch : -1,
                              .size = l->size,
                              .cuts = l->cuts,
                              .cut_at = l->cut_at};
    pthread_mutex_unlock(&l->sm);
}

void plog_stats(struct plog *l, struct plog_stats *out)
{
    mono_ns now = logdir_mono(l->dir), since;

    pthread_mutex_lock(&l->sm);
    *out = (struct plog_stats){.bytes = l->bytes,
                               .records = l->records,
                               .flushes = l->flushes,
                               .flush_ns = l->flush_ns,
                               .producer_ids = (int64_t)l->producers.n};
    since = l->covered_since.ns ? l->covered_since : l->waiting_since;
    if (l->stable < l->end && since.ns != 0 && now.ns > since.ns)
        out->lag_ns = now.ns - since.ns;
    pthread_mutex_unlock(&l->sm);
}

const char *plog_name(const struct plog *l)
{
    return l->name;
}

struct uuid plog_topic_id(const struct plog *l)
{
    return l->topic_id;
}

void plog_set_conf(struct plog *l, const struct plog_conf *c)
{
    pthread_mutex_lock(&l->sm);
    l->conf = *c;
    pthread_mutex_unlock(&l->sm);
    atomic_store(&l->heavy, is_heavy(c));
    if (atomic_exchange(&l->linger_ns, linger_ns(l->dir, c)) != linger_ns(l->dir, c))
        logdir_relinger(l->dir, l);
}

void plog_set_events(struct plog *l, const struct plog_events *ev)
{
    pthread_mutex_lock(&l->sm);
    l->events = *ev;
    pthread_mutex_unlock(&l->sm);
}

void plog_fire_advanced(struct plog *l)
{
    struct plog_events ev;

    pthread_mutex_lock(&l->sm);
    ev = l->events;
    pthread_mutex_unlock(&l->sm);
    if (ev.advanced)
        ev.advanced(ev.arg, l);
}

int plog_push_segment(struct plog *l, struct segment *s, struct kerr *e)
{
    struct segment **list = l->seg, **old = NULL;
    size_t cap = l->seg_cap;

    if (l->segs == cap) {
        cap = cap ? cap * 2 : 1;
        list = malloc(cap * sizeof *list);
        if (!list)
            return kerr_set(e, KE_NOMEM, "list of segments");
        if (l->segs)
            memcpy(list, l->seg, l->segs * sizeof *list);
        old = l->seg;
    }
    pthread_mutex_lock(&l->sm);
    list[l->segs++] = s;
    l->seg = list;
    l->seg_cap = cap;
    pthread_mutex_unlock(&l->sm);
    free(old);
    return 0;
}

size_t plog_segment_at(const struct plog *l, int64_t offset)
{
    size_t low = 0, high = l->segs;

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (l->seg[mid]->base <= offset)
            low = mid;
        else
            high = mid;
    }
    return low;
}

void plog_mark(struct plog *l, int64_t offset, int64_t base, int64_t position)
{
    l->mark[l->next_mark++ % MARKS] = (struct mark){offset, base, position};
}

bool plog_mark_find(const struct plog *l, int64_t offset, int64_t base, int64_t *position)
{
    if (offset == base) {
        *position = 0;
        return true;
    }
    for (int i = 0; i < MARKS; i++)
        if (l->mark[i].offset == offset && l->mark[i].base == base) {
            *position = l->mark[i].position;
            return true;
        }
    return false;
}

struct segment_view plog_view(struct segment *s, int64_t offset)
{
    struct segment_view v = {.segment = s, .base = s->base, .size = s->size, .hint = -1};
    const struct index_tail *t = s->tail;

    segment_ref(s);
    v.entries = s->counted ? (int64_t)s->entries : -1;
    for (uint32_t i = 0; t && i < t->entries && t->entry[i].relative <= offset - s->base; i++)
        v.hint = t->entry[i].position;
    return v;
}

/* ---- leader epochs ---- */

int plog_epoch_write(struct plog *l, struct kerr *e)
{
    struct buf b = {0};
    int rc = 0;

    /* am is held: nobody else changes the list */
    if (!epochs_write(&b, l->epoch, l->epochs))
        rc = kerr_set(e, KE_NOMEM, "leader epochs");
    else if (os_replace(plog_dirfd(l), EPOCH_CHECKPOINT, b.p, b.n) < 0)
        rc = kerr_sys(e, KE_IO, "%s: write %s", l->name, EPOCH_CHECKPOINT);
    l->epochs_dirty = rc < 0;
    buf_free(&b);
    return rc;
}

int plog_epoch_note(struct plog *l, int32_t epoch, int64_t start, struct kerr *e)
{
    size_t n = l->epochs;
    struct epoch_entry *list;

    if (epoch < 0 || (n && l->epoch[n - 1].epoch >= epoch))
        return 0;
    if (n == l->epoch_cap) {
        list = malloc((n + 1) * sizeof *list);
        if (!list)
            return kerr_set(e, KE_NOMEM, "leader epochs");
        if (n)
            memcpy(list, l->epoch, n * sizeof *list);
        pthread_mutex_lock(&l->sm);
        free(l->epoch);
        l->epoch = list;
        l->epoch_cap = n + 1;
        pthread_mutex_unlock(&l->sm);
    }
    pthread_mutex_lock(&l->sm);
    while (n && l->epoch[n - 1].start >= start) /* epochs without a record */
        n--;
    l->epoch[n] = (struct epoch_entry){epoch, start};
    l->epochs = n + 1;
    l->epochs_dirty = true;
    pthread_mutex_unlock(&l->sm);
    return 0;
}

int plog_epoch_assign(struct plog *l, int32_t epoch, int64_t start, struct kerr *e)
{
    int rc = plog_epoch_note(l, epoch, start, e);

    return rc == 0 && l->epochs_dirty ? plog_epoch_write(l, e) : rc;
}

int32_t plog_epoch_at(struct plog *l, int64_t offset)
{
    int32_t epoch = -1;

    pthread_mutex_lock(&l->sm);
    for (size_t i = l->epochs; i > 0 && epoch < 0; i--)
        if (l->epoch[i - 1].start <= offset)
            epoch = l->epoch[i - 1].epoch;
    pthread_mutex_unlock(&l->sm);
    return epoch;
}

void plog_epoch_end(struct plog *l, int32_t epoch, int32_t *found, int64_t *end)
{
    size_t i = 0;

    *found = -1;
    *end = -1;
    pthread_mutex_lock(&l->sm);
    while (i < l->epochs && l->epoch[i].epoch <= epoch)
        i++;
    /* Past the newest there is nothing to say; below the oldest, where that begins. */
    if (l->epochs && (i < l->epochs || l->epoch[i - 1].epoch == epoch)) {
        *found = i > 0 ? l->epoch[i - 1].epoch : epoch;
        *end = i < l->epochs ? l->epoch[i].start : l->end;
    }
    pthread_mutex_unlock(&l->sm);
}

int plog_set_leader_epoch(struct plog *l, int32_t epoch, struct kerr *e)
{
    int32_t now;
    int rc = 0;

    pthread_mutex_lock(&l->am);
    now = l->epochs ? l->epoch[l->epochs - 1].epoch : -1;
    if (epoch < now)
        rc = kerr_set(e, KE_EPOCH, "%s: leader epoch %d, the log has %d", l->name, epoch, now);
    if (rc == 0)
        rc = plog_epoch_assign(l, epoch, l->end, e);
    pthread_mutex_unlock(&l->am);
    return rc;
}

/* ---- housekeeping ---- */

static bool segment_is_old(struct plog *l, wall_ms now)
{
    struct segment *s = plog_active(l);
    bool old;

    pthread_mutex_lock(&l->sm);
    old = s && s->size > 0 && s->first_time >= 0 && l->conf.segment_ms > 0 &&
          now.ms - s->first_time > plog_roll_after(&l->conf, s);
    pthread_mutex_unlock(&l->sm);
    return old;
}

int plog_tick(struct plog *l, wall_ms now, struct kerr *e)
{
    mono_ns old = mono_add_ms(logdir_mono(l->dir), -logdir_producer_expiry(l->dir));
    enum flush_want todo;
    int rc = 0;

    pthread_mutex_lock(&l->am);
    if (!l->offline) {
        producers_expire(&l->producers, old);
        if (segment_is_old(l, now))
            rc = plog_roll(l, e);
        if (rc == 0)
            rc = plog_expire(l, now, e);
    }
    pthread_mutex_unlock(&l->am);
    pthread_mutex_lock(&l->sm);
    todo = plog_flush_want(l, plog_append_wants(l));
    pthread_mutex_unlock(&l->sm);
    plog_flush_start(l, todo);
    return rc;
}
