/* The reactor: timers by a clock that the test moves, messages from threads, watched descriptors.
 */
#include "net/loop.h"

#include "net_support.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { TIMERS = 2000, THREADS = 4, POSTS = 20000 };

static struct fake_clock clk;
static struct net_loop *loop;

static int start(void **state)
{
    (void)state;
    fake_clock_init(&clk);
    return net_loop_new(&loop, &clk.clock, NULL);
}

static int stop(void **state)
{
    (void)state;
    net_loop_free(loop);
    return 0;
}

struct timed {
    struct net_timer t;
    int64_t due; /* ms from the start; -1: not set. The model. */
    int fired;
    mono_ns at;
};

static struct timed timers[TIMERS];

static void fired(struct net_timer *t)
{
    struct timed *x = (struct timed *)(void *)t;

    x->fired++;
    x->at = net_loop_now(t->loop);
}

/* Set, moved and cleared at random: at each time those have fired that the list says, no others. */
static void timers_fire_when_due(void **state)
{
    const int64_t origin = clk.ns;
    uint64_t x = 11;
    int64_t now = 0;

    (void)state;
    for (int i = 0; i < TIMERS; i++) {
        net_timer_init(&timers[i].t, loop, fired);
        timers[i].due = -1;
    }
    for (int round = 0; round < 300; round++) {
        for (int k = 0; k < 50; k++) {
            struct timed *t = &timers[next_random(&x) % TIMERS];
            if (next_random(&x) % 4 == 0) {
                net_timer_clear(&t->t);
                t->due = -1;
            } else {
                int64_t in = (int64_t)(next_random(&x) % 5000);
                assert_int_equal(net_timer_set(&t->t, in), 0);
                t->due = now + in;
            }
        }
        now += (int64_t)(next_random(&x) % 100);
        clk.ns = origin + now * 1000000;
        net_loop_once(loop, 0);
        for (int i = 0; i < TIMERS; i++) {
            bool due = timers[i].due >= 0 && timers[i].due <= now;
            assert_int_equal(timers[i].fired, due);
            if (due)
                timers[i].due = -1;
            timers[i].fired = 0;
        }
    }
    for (int i = 0; i < TIMERS; i++)
        net_timer_clear(&timers[i].t);
}

static struct timed again;

static void sets_itself(struct net_timer *t)
{
    again.fired++;
    assert_int_equal(net_timer_set(t, 0), 0);
}

/* A timer that is always due does not keep the loop from returning. */
static void a_timer_that_sets_itself(void **state)
{
    (void)state;
    again.fired = 0;
    net_timer_init(&again.t, loop, sets_itself);
    assert_int_equal(net_timer_set(&again.t, 0), 0);
    net_loop_once(loop, 0);
    assert_in_range(again.fired, 1, 2);
    net_timer_clear(&again.t);
}

static void stops(struct net_timer *t)
{
    fired(t);
    net_loop_stop(t->loop);
}

/* Under the kernel's clock libevent wakes the loop, never too early. */
static void real_time(void **state)
{
    const struct os_clock *c = os_clock_real();
    struct timed t = {.due = 0};
    struct net_loop *l;
    mono_ns begin;

    (void)state;
    assert_int_equal(net_loop_new(&l, NULL, NULL), 0);
    begin = os_mono(c);
    net_timer_init(&t.t, l, stops);
    assert_int_equal(net_timer_set(&t.t, 30), 0);
    net_loop_run(l);
    assert_int_equal(t.fired, 1);
    assert_true(mono_diff_ms(os_mono(c), begin) >= 30);
    net_loop_free(l);
}

/* ---- messages ---- */

struct message {
    struct net_task task;
    int thread, number;
};

static struct message *messages[THREADS];
static int next_of[THREADS], in_all;

static void arrives(struct net_task *t)
{
    struct message *m = (struct message *)(void *)t;

    assert_int_equal(m->number, next_of[m->thread]++);
    in_all++;
}

static void *posts(void *arg)
{
    struct message *m = arg;

    for (int i = 0; i < POSTS; i++)
        net_post(loop, &m[i].task);
    return NULL;
}

static void messages_from_many_threads(void **state)
{
    pthread_t t[THREADS];

    (void)state;
    in_all = 0;
    for (int i = 0; i < THREADS; i++) {
        messages[i] = calloc(POSTS, sizeof *messages[i]);
        assert_non_null(messages[i]);
        for (int k = 0; k < POSTS; k++)
            messages[i][k] = (struct message){{.run = arrives}, i, k};
        assert_int_equal(pthread_create(&t[i], NULL, posts, messages[i]), 0);
    }
    while (in_all < THREADS * POSTS)
        net_loop_once(loop, -1);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        free(messages[i]);
    }
}

static void posts_another(struct net_task *t)
{
    static struct message last;

    (void)t;
    last.task.run = arrives;
    net_post(loop, &last.task);
}

/* What was posted is run before the loop goes, and what that posts. */
static void posted_before_the_end(void **state)
{
    struct net_task t = {.run = posts_another};

    in_all = next_of[0] = 0;
    assert_int_equal(start(state), 0);
    net_post(loop, &t);
    net_loop_free(loop);
    assert_int_equal(in_all, 1);
}

static void *runs(void *arg)
{
    net_loop_run(arg);
    return NULL;
}

static void stopped_from_another_thread(void **state)
{
    pthread_t t;

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pthread_create(&t, NULL, runs, loop), 0);
        net_loop_stop(loop);
        pthread_join(t, NULL);
    }
}

/* ---- descriptors ---- */

static int readable, writable;

static void ready(struct net_watch *w, bool r, bool wr)
{
    (void)w;
    readable += r;
    writable += wr;
}

static void watched_descriptors(void **state)
{
    struct net_watch w = {.ready = ready};
    int fd[2];

    (void)state;
    socket_pair(WAY_UNIX, fd);
    assert_int_equal(net_watch_set(&w, loop, fd[0], true, false), 0);
    net_loop_once(loop, 0);
    assert_int_equal(readable + writable, 0);
    assert_int_equal(write(fd[1], "x", 1), 1);
    net_loop_once(loop, -1);
    assert_true(readable == 1 && writable == 0);
    assert_int_equal(net_watch_set(&w, loop, fd[0], false, true), 0);
    net_loop_once(loop, -1);
    assert_true(readable == 1 && writable == 1);
    net_watch_clear(&w);
    net_loop_once(loop, 0);
    assert_true(readable == 1 && writable == 1);
    close(fd[0]);
    close(fd[1]);
}

static void left_unread(struct net_watch *w, bool r, bool wr)
{
    (void)r;
    (void)wr;
    if (++readable == 100)
        net_watch_clear(w); /* so that it fails, not hangs */
}

/* What is ready and stays ready keeps the loop to one round, whether or not a timer is due. */
static void one_round_at_a_time(void **state)
{
    struct net_watch w = {.ready = left_unread};
    struct timed t = {.due = 0};
    int fd[2];

    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(write(fd[1], "x", 1), 1);
    assert_int_equal(net_watch_set(&w, loop, fd[0], true, false), 0);
    readable = 0;
    net_loop_once(loop, 0);
    assert_int_equal(readable, 1);
    net_timer_init(&t.t, loop, fired);
    assert_int_equal(net_timer_set(&t.t, 5), 0);
    clk.ns += 10000000;
    net_loop_once(loop, -1);
    assert_int_equal(t.fired, 1);
    assert_int_equal(readable, 2);
    net_loop_once(loop, -1);
    assert_int_equal(readable, 3);
    net_watch_clear(&w);
    close(fd[0]);
    close(fd[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_fire_when_due, start, stop),
        cmocka_unit_test_setup_teardown(a_timer_that_sets_itself, start, stop),
        cmocka_unit_test(real_time),
        cmocka_unit_test_setup_teardown(messages_from_many_threads, start, stop),
        cmocka_unit_test(posted_before_the_end),
        cmocka_unit_test_setup_teardown(stopped_from_another_thread, start, stop),
        cmocka_unit_test_setup_teardown(watched_descriptors, start, stop),
        cmocka_unit_test_setup_teardown(one_round_at_a_time, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
