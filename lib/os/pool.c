#include "os/pool.h"

#include "os/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct pool {
    pthread_mutex_t mu;
    pthread_cond_t wake, quiet; /* quiet: by the monotonic clock */
    struct pool_task *head, **tail;
    int max, started, idle, busy, queued, giving_way;
    bool closing;
    pthread_t threads[];
};

static void *worker(void *arg)
{
    struct pool *p = arg;

    pthread_mutex_lock(&p->mu);
    for (;;) {
        struct pool_task *t = p->head;
        if (t) {
            p->head = t->next;
            if (!p->head)
                p->tail = &p->head;
            p->queued--;
            p->busy++;
            pthread_mutex_unlock(&p->mu);
            t->run(t);
            pthread_mutex_lock(&p->mu);
            p->busy--;
            if (p->busy == 0 && p->giving_way > 0)
                pthread_cond_broadcast(&p->quiet);
        } else if (p->closing && p->busy == 0) {
            break;
        } else {
            p->idle++;
            pthread_cond_wait(&p->wake, &p->mu);
            p->idle--;
        }
    }
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mu);
    return NULL;
}

int pool_new(struct pool **out, int threads, struct kerr *e)
{
    struct pool *p = calloc(1, sizeof *p + (size_t)threads * sizeof p->threads[0]);
    pthread_condattr_t monotonic;

    if (!p)
        return kerr_set(e, KE_NOMEM, "thread pool");
    pthread_mutex_init(&p->mu, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->quiet, &monotonic);
    pthread_condattr_destroy(&monotonic);
    p->tail = &p->head;
    p->max = threads;
    *out = p;
    return 0;
}

/* With the lock held. Signals are for the main thread. */
static bool start_thread(struct pool *p)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&p->threads[p->started], NULL, worker, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        p->started++;
    return rc == 0;
}

int pool_submit(struct pool *p, struct pool_task *t)
{
    int rc = 0;

    pthread_mutex_lock(&p->mu);
    if (p->closing && p->busy == 0) {
        rc = KE_CLOSED;
    } else if (p->queued >= p->idle && p->started < p->max && !start_thread(p) && p->started == 0) {
        rc = KE_NOMEM;
    } else {
        t->next = NULL;
        *p->tail = t;
        p->tail = &t->next;
        p->queued++;
        pthread_cond_signal(&p->wake);
    }
    pthread_mutex_unlock(&p->mu);
    return rc;
}

void pool_give_way(struct pool *p, int64_t most_ns)
{
    mono_ns until = {os_mono(os_clock_real()).ns + most_ns};
    struct timespec t = {until.ns / 1000000000, until.ns % 1000000000};

    pthread_mutex_lock(&p->mu);
    p->giving_way++;
    while (p->busy > 0 && pthread_cond_timedwait(&p->quiet, &p->mu, &t) == 0)
        ;
    p->giving_way--;
    pthread_mutex_unlock(&p->mu);
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->mu);
    p->closing = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mu);
    for (int i = 0; i < p->started; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->quiet);
    pthread_mutex_destroy(&p->mu);
    free(p);
}
