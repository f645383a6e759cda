#include "broker/partition.h"

#include "base/bytes.h"
#include "os/random.h"

#include <stdlib.h>

#define KEY  20
#define GONE (1 << 30) /* in refs: whoever gives back the last but one reference says so */

static struct slice key_of(uint8_t out[KEY], struct uuid id, int32_t index)
{
    memcpy(out, id.b, sizeof id.b);
    put_be32(out + sizeof id.b, (uint32_t)index);
    return slice_of(out, KEY);
}

int partitions_init(struct partitions *t, struct pool *pool)
{
    pthread_rwlock_init(&t->lock, NULL);
    pthread_mutex_init(&t->idle_mu, NULL);
    pthread_cond_init(&t->idle, NULL);
    hash_init(&t->table, os_random_u64(), os_random_u64());
    t->pool = pool;
    return 0;
}

void partitions_free(struct partitions *t)
{
    hash_free(&t->table);
    pthread_rwlock_destroy(&t->lock);
    pthread_mutex_destroy(&t->idle_mu);
    pthread_cond_destroy(&t->idle);
}

/* ---- waiting ---- */

static void unlink_waiter(struct waiter *w)
{
    *w->at = w->next;
    if (w->next)
        w->next->at = w->at;
    if (w->eager)
        atomic_fetch_sub(&w->partition->eager, 1);
    w->partition = NULL;
}

/* With the lock held. A waiter stays in the list until its owner takes it out: wake only tells. */
static bool is_due(const struct partition *p, const struct waiter *w, const struct plog_ends *ends)
{
    return atomic_load(&p->gone) || ends->high_watermark >= w->need ||
           (!w->eager && ends->cuts != w->cuts);
}

static void wake_due(struct partition *p)
{
    struct plog_ends ends;

    pthread_mutex_lock(&p->mu);
    if (p->waiters) {
        plog_ends(p->log, &ends);
        for (struct waiter *w = p->waiters, *next; w; w = next) {
            next = w->next;
            if (is_due(p, w, &ends))
                w->wake(w);
        }
    }
    pthread_mutex_unlock(&p->mu);
}

bool partition_wait(struct partition *p, struct waiter *w)
{
    struct plog_ends ends;
    bool waits;

    pthread_mutex_lock(&p->mu);
    plog_ends(p->log, &ends);
    waits = !is_due(p, w, &ends);
    if (waits) {
        w->partition = p;
        w->next = p->waiters;
        w->at = &p->waiters;
        if (w->next)
            w->next->at = &w->next;
        p->waiters = w;
        if (w->eager)
            atomic_fetch_add(&p->eager, 1);
    }
    pthread_mutex_unlock(&p->mu);
    return waits;
}

void partition_unwait(struct waiter *w)
{
    struct partition *p = w->partition;

    if (!p)
        return;
    pthread_mutex_lock(&p->mu);
    unlink_waiter(w);
    pthread_mutex_unlock(&p->mu);
}

static void advanced(void *arg, struct plog *l)
{
    (void)l;
    wake_due(arg);
}

static void lost(void *arg, struct plog *l, int64_t from, int64_t to)
{
    (void)l;
    (void)from;
    (void)to;
    wake_due(arg);
}

/* ---- the queue of appends ---- */

bool partition_append_direct(struct partition *p)
{
    bool direct;

    pthread_mutex_lock(&p->mu);
    direct = !p->working && p->owed == 0 && !plog_append_may_stall(p->log);
    p->owed += !direct;
    pthread_mutex_unlock(&p->mu);
    return direct;
}

void partition_append_never(struct partition *p)
{
    pthread_mutex_lock(&p->mu);
    p->owed--;
    pthread_mutex_unlock(&p->mu);
}

static struct append_job *take_job(struct partition *p)
{
    struct append_job *j;

    pthread_mutex_lock(&p->mu);
    j = p->jobs;
    p->jobs = j->next;
    if (!p->jobs)
        p->jobs_tail = &p->jobs;
    pthread_mutex_unlock(&p->mu);
    return j;
}

/* After a job. False: there is no other, and p may be gone. */
static bool has_more(struct partition *p)
{
    bool more;

    pthread_mutex_lock(&p->mu);
    more = p->working = p->jobs != NULL;
    pthread_mutex_unlock(&p->mu);
    return more;
}

/* One append a turn: the logs that stall share the threads there are. */
static void work_off(struct pool_task *t)
{
    struct partition *p = (struct partition *)((char *)t - offsetof(struct partition, task));

    do {
        struct append_job *j = take_job(p);
        j->run(j); /* holds a reference to p until its answer is on its way */
    } while (has_more(p) && pool_submit(p->pool, t) < 0);
}

void partition_append_later(struct partition *p, struct append_job *j)
{
    bool start;

    j->next = NULL;
    pthread_mutex_lock(&p->mu);
    *p->jobs_tail = j;
    p->jobs_tail = &j->next;
    p->owed--;
    start = !p->working;
    p->working = true;
    pthread_mutex_unlock(&p->mu);
    /* without a thread it is done here: late, but done */
    if (start && pool_submit(p->pool, &p->task) < 0)
        work_off(&p->task);
}

/* ---- the table ---- */

int partitions_add(struct partitions *t, struct plog *log, struct uuid topic_id, int32_t index)
{
    struct partition *p = calloc(1, sizeof *p);
    uint8_t key[KEY];
    bool ok;

    if (!p)
        return KE_NOMEM;
    p->log = log;
    p->topic_id = topic_id;
    p->index = index;
    p->refs = 1;
    p->jobs_tail = &p->jobs;
    p->task.run = work_off;
    p->pool = t->pool;
    pthread_mutex_init(&p->mu, NULL);
    plog_set_events(log, &(struct plog_events){advanced, lost, p});
    pthread_rwlock_wrlock(&t->lock);
    ok = hash_put(&t->table, key_of(key, topic_id, index), p, NULL);
    pthread_rwlock_unlock(&t->lock);
    if (ok)
        return 0;
    plog_set_events(log, &(struct plog_events){0});
    pthread_mutex_destroy(&p->mu);
    free(p);
    return KE_NOMEM;
}

struct partition *partitions_get(struct partitions *t, struct uuid topic_id, int32_t index)
{
    uint8_t key[KEY];
    struct partition *p;

    pthread_rwlock_rdlock(&t->lock);
    p = hash_get(&t->table, key_of(key, topic_id, index));
    if (p)
        atomic_fetch_add(&p->refs, 1);
    pthread_rwlock_unlock(&t->lock);
    return p;
}

void partition_release(struct partitions *t, struct partition *p)
{
    /* after this p may be freed */
    if (atomic_fetch_sub(&p->refs, 1) != (GONE | 2))
        return;
    pthread_mutex_lock(&t->idle_mu);
    pthread_cond_broadcast(&t->idle);
    pthread_mutex_unlock(&t->idle_mu);
}

struct partition *partitions_remove(struct partitions *t, struct uuid topic_id, int32_t index)
{
    uint8_t key[KEY];
    struct partition *p;
    bool working = true;

    pthread_rwlock_wrlock(&t->lock);
    p = hash_del(&t->table, key_of(key, topic_id, index));
    pthread_rwlock_unlock(&t->lock);
    if (!p)
        return NULL;
    atomic_store(&p->gone, true);
    wake_due(p);
    atomic_fetch_or(&p->refs, GONE);
    pthread_mutex_lock(&t->idle_mu);
    while (atomic_load(&p->refs) > (GONE | 1))
        pthread_cond_wait(&t->idle, &t->idle_mu);
    pthread_mutex_unlock(&t->idle_mu);
    /* the worker holds no reference of its own while it finds its queue empty */
    while (working) {
        pthread_mutex_lock(&p->mu);
        working = p->working;
        pthread_mutex_unlock(&p->mu);
    }
    return p;
}

void partition_free(struct partition *p)
{
    pthread_mutex_destroy(&p->mu);
    free(p);
}

void partitions_each(struct partitions *t, void (*fn)(void *arg, struct partition *p), void *arg)
{
    struct partition *p;

    pthread_rwlock_rdlock(&t->lock);
    for (size_t i = 0; (p = hash_next(&t->table, &i, NULL)) != NULL;)
        fn(arg, p);
    pthread_rwlock_unlock(&t->lock);
}

static void wake_readers(void *arg, struct partition *p)
{
    (void)arg;
    pthread_mutex_lock(&p->mu);
    for (struct waiter *w = p->waiters; w; w = w->next)
        if (w->eager)
            w->wake(w);
    pthread_mutex_unlock(&p->mu);
}

static void wake_all(void *arg, struct partition *p)
{
    (void)arg;
    wake_due(p);
}

void partitions_wake_all(struct partitions *t)
{
    partitions_each(t, wake_all, NULL);
}

void partitions_wake_readers(struct partitions *t)
{
    partitions_each(t, wake_readers, NULL);
}

int32_t partitions_count(struct partitions *t)
{
    int32_t n;

    pthread_rwlock_rdlock(&t->lock);
    n = (int32_t)t->table.n;
    pthread_rwlock_unlock(&t->lock);
    return n;
}
