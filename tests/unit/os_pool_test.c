/* The pool: everything submitted runs, once, in order; tasks may submit more; the end waits. */
#include "os/clock.h"
#include "os/pool.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct job {
    struct pool_task task; /* first */
    struct pool *pool;
    int number, again;
};

static int order[1000];
static atomic_int ran;

static void note(struct pool_task *t)
{
    struct job *j = (struct job *)(void *)t;

    order[atomic_fetch_add(&ran, 1)] = j->number;
    if (j->again > 0) {
        j->again--;
        pool_submit(j->pool, t);
    }
}

static void tasks_start_in_order(void **state)
{
    struct job jobs[1000];
    struct pool *p;

    (void)state;
    ran = 0;
    assert_int_equal(pool_new(&p, 1, NULL), 0);
    for (int i = 0; i < 1000; i++) {
        jobs[i] = (struct job){{note, NULL}, p, i, 0};
        assert_int_equal(pool_submit(p, &jobs[i].task), 0);
    }
    pool_free(p);
    assert_int_equal(ran, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(order[i], i);
}

static void a_task_may_submit_itself_again_while_the_pool_ends(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        struct job jobs[10];
        struct pool *p;
        ran = 0;
        assert_int_equal(pool_new(&p, threads, NULL), 0);
        for (int i = 0; i < 10; i++) {
            jobs[i] = (struct job){{note, NULL}, p, i, 50};
            assert_int_equal(pool_submit(p, &jobs[i].task), 0);
        }
        pool_free(p);
        assert_int_equal(ran, 510);
    }
}

static void an_unused_pool_has_no_threads_to_wait_for(void **state)
{
    struct pool *p;

    (void)state;
    assert_int_equal(pool_new(&p, 64, NULL), 0);
    pool_free(p);
    pool_free(NULL);
}

/* Two tasks that wait for each other: with two threads both run. */
static pthread_barrier_t meeting;

static void meet(struct pool_task *t)
{
    (void)t;
    pthread_barrier_wait(&meeting);
    atomic_fetch_add(&ran, 1);
}

static void threads_work_at_the_same_time(void **state)
{
    struct pool_task a = {meet, NULL}, b = {meet, NULL};
    struct pool *p;

    (void)state;
    ran = 0;
    pthread_barrier_init(&meeting, NULL, 2);
    assert_int_equal(pool_new(&p, 2, NULL), 0);
    assert_int_equal(pool_submit(p, &a), 0);
    assert_int_equal(pool_submit(p, &b), 0);
    pool_free(p);
    assert_int_equal(ran, 2);
    pthread_barrier_destroy(&meeting);
}

static void free_itself(struct pool_task *t)
{
    free(t);
    atomic_fetch_add(&ran, 1);
}

static void a_task_may_free_itself(void **state)
{
    struct pool *p;

    (void)state;
    ran = 0;
    assert_int_equal(pool_new(&p, 2, NULL), 0);
    for (int i = 0; i < 100; i++) {
        struct pool_task *t = malloc(sizeof *t);
        assert_non_null(t);
        t->run = free_itself;
        assert_int_equal(pool_submit(p, t), 0);
    }
    pool_free(p);
    assert_int_equal(ran, 100);
}

/* Signals are for the main thread. */
static void ask_mask(struct pool_task *t)
{
    sigset_t set;

    (void)t;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    if (sigismember(&set, SIGTERM) && sigismember(&set, SIGINT))
        atomic_fetch_add(&ran, 1);
}

static void threads_take_no_signals(void **state)
{
    struct pool_task t = {ask_mask, NULL};
    struct pool *p;
    sigset_t set;

    (void)state;
    ran = 0;
    assert_int_equal(pool_new(&p, 1, NULL), 0);
    assert_int_equal(pool_submit(p, &t), 0);
    pool_free(p);
    assert_int_equal(ran, 1);
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    assert_false(sigismember(&set, SIGTERM));
}

/* A task that runs until it may end. */
static sem_t running, may_end;
static atomic_bool ended;

static void run_until_told(struct pool_task *t)
{
    (void)t;
    sem_post(&running);
    while (sem_wait(&may_end) < 0)
        ;
    atomic_store(&ended, true);
}

static void *give_way(void *p)
{
    sem_post(&running);
    pool_give_way(p, INT64_C(60000000000));
    return atomic_load(&ended) ? p : NULL;
}

static void who_gives_way_waits_for_the_tasks_but_not_for_ever(void **state)
{
    struct pool_task t = {run_until_told, NULL};
    mono_ns before = os_mono(os_clock_real());
    struct pool *p;
    pthread_t other;
    void *seen;

    (void)state;
    assert_int_equal(sem_init(&running, 0, 0), 0);
    assert_int_equal(sem_init(&may_end, 0, 0), 0);
    atomic_store(&ended, false);
    assert_int_equal(pool_new(&p, 1, NULL), 0);
    pool_give_way(p, INT64_C(60000000000)); /* nothing runs */
    assert_int_equal(pool_submit(p, &t), 0);
    while (sem_wait(&running) < 0)
        ;
    assert_true(os_mono(os_clock_real()).ns - before.ns < INT64_C(60000000000));
    before = os_mono(os_clock_real());
    pool_give_way(p, 20000000);
    assert_true(os_mono(os_clock_real()).ns - before.ns >= 20000000);
    assert_int_equal(pthread_create(&other, NULL, give_way, p), 0);
    while (sem_wait(&running) < 0)
        ;
    sem_post(&may_end);
    pthread_join(other, &seen);
    assert_ptr_equal(seen, p);
    pool_free(p);
    sem_destroy(&running);
    sem_destroy(&may_end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_start_in_order),
        cmocka_unit_test(a_task_may_submit_itself_again_while_the_pool_ends),
        cmocka_unit_test(an_unused_pool_has_no_threads_to_wait_for),
        cmocka_unit_test(threads_work_at_the_same_time),
        cmocka_unit_test(a_task_may_free_itself),
        cmocka_unit_test(threads_take_no_signals),
        cmocka_unit_test(who_gives_way_waits_for_the_tasks_but_not_for_ever),
    };

    return cmocka_run_group_tests_name("os_pool", tests, NULL, NULL);
}
