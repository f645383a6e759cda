/* Partitions whose disk does not come back keep nobody else waiting. */
#include "broker_support.h"

#include "broker/core.h"
#include "broker/partition.h"
#include "os/file.h"
#include "wire/produce_request.h"
#include "wire/produce_response.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { SLOW = 12, STALL_MS = 40, ENOUGH = 4 /* that wait: as many as a small pool has threads */ };

/* Writes to the topics slow0.. take a while, or wait until they are let go. */
static struct {
    pthread_mutex_t mu;
    pthread_cond_t change;
    enum mood { QUICK, TAKES_A_WHILE, WAITS } mood;
    int waiting;
    struct partition *behind; /* its queue is let go and worked off by the next quick write */
} disk = {.mu = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

static void set_mood(enum mood mood)
{
    pthread_mutex_lock(&disk.mu);
    disk.mood = mood;
    pthread_cond_broadcast(&disk.change);
    pthread_mutex_unlock(&disk.mu);
}

static void work_off_behind(void)
{
    struct partition *p = disk.behind;
    bool working = p != NULL;

    disk.behind = NULL;
    if (p)
        set_mood(QUICK);
    while (working) {
        pthread_mutex_lock(&p->mu);
        working = p->working;
        pthread_mutex_unlock(&p->mu);
    }
}

static int slow_disk(void *arg, enum os_op op, int fd, const char *name, size_t *len)
{
    struct timespec while_ = {0, STALL_MS * 1000000};
    char link[64], path[512] = "";

    (void)arg;
    (void)name;
    (void)len;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (op != OS_WRITE || readlink(link, path, sizeof path - 1) < 0)
        return 0;
    if (strstr(path, "/quick"))
        work_off_behind();
    if (!strstr(path, "/slow"))
        return 0;
    pthread_mutex_lock(&disk.mu);
    if (disk.mood == WAITS) {
        disk.waiting++;
        pthread_cond_broadcast(&disk.change);
        while (disk.mood == WAITS)
            pthread_cond_wait(&disk.change, &disk.mu);
    } else if (disk.mood == TAKES_A_WHILE) {
        pthread_mutex_unlock(&disk.mu);
        nanosleep(&while_, NULL);
        return 0;
    }
    pthread_mutex_unlock(&disk.mu);
    return 0;
}

/* As a client sees it: more partitions stall than any pool has threads, and another topic's
 * acks=all is answered all the same; so are they, once they are let go. */
static void others_are_flushed(void **state)
{
    struct batch_builder w = {0};
    struct slice batch = make_batch(&w, 0, 1, 0, -1, -1);
    struct uuid quick, id[SLOW];
    struct raw slow, other;
    struct produced out;
    struct rig rig;
    char name[SLOW][8];

    (void)state;
    os_hook_set(slow_disk, NULL);
    rig_start(&rig, NULL);
    raw_open(&slow, &rig);
    raw_open(&other, &rig);
    quick = raw_create(&other, "quick", 1, NULL);
    for (int i = 0; i < SLOW; i++) {
        snprintf(name[i], sizeof name[i], "slow%d", i);
        id[i] = raw_create(&other, name[i], 1, NULL);
    }
    set_mood(TAKES_A_WHILE);
    /* the first of each stalls where it is; from then on it is known */
    for (int i = 0; i < SLOW; i++) {
        out = raw_produce(&slow, 9, name[i], id[i], 1, batch);
        assert_int_equal(out.error, 0);
    }
    set_mood(WAITS);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < SLOW; i++)
            raw_send_produce(&slow, 9, name[i], id[i], 1, batch, 100 + round * SLOW + i);
    pthread_mutex_lock(&disk.mu);
    while (disk.waiting < ENOUGH)
        pthread_cond_wait(&disk.change, &disk.mu);
    pthread_mutex_unlock(&disk.mu);
    for (int i = 0; i < 3; i++) {
        out = raw_produce(&other, 9, "quick", quick, -1, batch);
        assert_true(out.error == 0 && out.base_offset == i);
    }
    set_mood(QUICK);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < SLOW; i++) {
            raw_receive_produce(&slow, 9, 100 + round * SLOW + i, &out);
            assert_true(out.error == 0 && out.base_offset == 1 + round);
        }
    raw_close(&slow);
    raw_close(&other);
    rig_stop(&rig);
    os_hook_set(NULL, NULL);
    batch_builder_free(&w);
}

/* A request that names slow0, quick and slow0 again. */
static void send_around(struct raw *c, struct slice batch)
{
    struct produce_request_topic_produce_data t[3];
    struct produce_request_partition_produce_data p;
    struct produce_request q;
    struct buf b = {0};

    produce_request_init(&q);
    produce_request_partition_produce_data_init(&p);
    p.records = batch;
    for (int i = 0; i < 3; i++) {
        produce_request_topic_produce_data_init(&t[i]);
        t[i].name = slice_str(i == 1 ? "quick" : "slow0");
        t[i].partition_data.v = &p;
        t[i].partition_data.n = 1;
    }
    q.acks = 1;
    q.timeout_ms = 30000;
    q.topic_data.v = t;
    q.topic_data.n = 3;
    assert_int_equal(produce_request_encode(&q, &b, 9), 0);
    raw_send(c, API_PRODUCE, 9, 100, &b);
}

/* While its first batch is on the way to the queue that queue becomes empty: the second one does
 * not overtake it. */
static void a_partition_named_twice_keeps_its_order(void **state)
{
    struct batch_builder w = {0};
    struct slice batch = make_batch(&w, 0, 1, 0, -1, -1);
    struct produce_response m;
    struct wire_reader r;
    struct produced out;
    struct uuid slow;
    struct rig rig;
    struct raw c;
    const int64_t offsets[] = {3, 0, 4};

    (void)state;
    os_hook_set(slow_disk, NULL);
    rig_start(&rig, NULL);
    raw_open(&c, &rig);
    slow = raw_create(&c, "slow0", 1, NULL);
    raw_create(&c, "quick", 1, NULL);
    set_mood(TAKES_A_WHILE);
    raw_produce(&c, 9, "slow0", slow, 1, batch);
    set_mood(WAITS);
    disk.waiting = 0;
    for (int i = 0; i < 2; i++) /* the second one tells the log that it is quick again */
        raw_send_produce(&c, 9, "slow0", slow, 1, batch, i);
    pthread_mutex_lock(&disk.mu);
    while (disk.waiting == 0)
        pthread_cond_wait(&disk.change, &disk.mu);
    pthread_mutex_unlock(&disk.mu);
    disk.behind = partitions_get(&rig.broker->partitions, slow, 0);
    partition_release(&rig.broker->partitions, disk.behind);
    send_around(&c, batch);
    for (int i = 0; i < 2; i++)
        raw_receive_produce(&c, 9, i, &out);
    raw_receive(&c, API_PRODUCE, 9, 100, &r);
    assert_int_equal(produce_response_decode(&m, &r, 9), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(m.responses.v[i].partition_responses.v[0].base_offset, offsets[i]);
    raw_close(&c);
    rig_stop(&rig);
    os_hook_set(NULL, NULL);
    batch_builder_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_are_flushed),
        cmocka_unit_test(a_partition_named_twice_keeps_its_order),
    };

    alarm(60);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
