/*
 * Records from a log directory, without a broker.
 */
#include "kcons.h"

#include "cli/exit.h"
#include "cli/nearest.h"
#include "log/committed.h"
#include "log/segdir.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* A partition that is read. */
struct place {
    const char *topic;
    int32_t partition;
    struct offline *o;
    struct committed *c; /* NULL: all that is there */
    int64_t from, to;
    bool done, told;
};

struct dirs {
    struct kcons *k;
    struct place *places;
    size_t count;
    int changes; /* inotify; -1: not wanted */
};

/* ---- what is there ---- */

static int no_such_topic(const struct kcons *k, const char *name, const struct partition_name *all,
                         size_t n, struct kerr *e)
{
    struct nearest near = {.word = name};

    for (size_t i = 0; i < n; i++)
        nearest_try(&near, all[i].topic);
    if (near.best)
        return kerr_set(e, KE_NOTFOUND, "topic %s is not in %s (did you mean %s?)", name, k->dir,
                        near.best);
    return kerr_set(e, KE_NOTFOUND, "topic %s is not in %s", name, k->dir);
}

/* A partition asked for may be in another directory: then it is not in this one. */
static int add_topic(struct dirs *d, const char *name, const struct partition_name *all, size_t n,
                     struct kerr *e)
{
    const struct kcons *k = d->k;
    size_t found = 0, before = d->count;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i].topic, name) != 0)
            continue;
        found++;
        if (kcons_wants(k, all[i].partition))
            d->places[d->count++] = (struct place){.topic = name, .partition = all[i].partition};
    }
    if (found == 0)
        return no_such_topic(k, name, all, n, e);
    for (size_t i = 0; i < k->partitions.n; i++) {
        bool is = false;
        for (size_t j = before; j < d->count; j++)
            is |= d->places[j].partition == k->partitions.v[i];
        if (!is)
            return kerr_set(e, KE_NOTFOUND, "topic %s has no partition %d in %s", name,
                            k->partitions.v[i], k->dir);
    }
    return 0;
}

static bool named_before(const struct kcons *k, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (strcmp(k->topics[i], k->topics[j]) == 0)
            return true;
    return false;
}

static int find_topics(struct dirs *d, struct kerr *e)
{
    const struct kcons *k = d->k;
    struct partition_name *all = NULL;
    size_t n = 0;
    int rc = segdir_partitions(k->dir, &all, &n, e);

    d->places = calloc(n + 1, sizeof *d->places);
    if (rc == 0 && !d->places)
        rc = kerr_set(e, KE_NOMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < k->topic_count; i++)
        if (!named_before(k, i))
            rc = add_topic(d, k->topics[i], all, n, e);
    free(all);
    return rc;
}

/* ---- where to begin and to end ---- */

static int open_place(const struct dirs *d, struct place *p, struct kerr *e)
{
    const struct kcons *k = d->k;
    struct extent x = {p->topic, p->partition, 0, 0, -1};
    int rc = offline_open(&p->o, k->dir, p->topic, p->partition, e);

    if (rc == 0 && k->conf.read_committed)
        rc = committed_open(&p->c, k->dir, p->topic, p->partition, e);
    if (rc == 0 && p->c)
        x.end = committed_end(p->c);
    else if (rc == 0)
        rc = offline_end(p->o, &x.end, e);
    if (rc == 0 && k->start.kind == WHEN_TIME)
        rc = offline_find_time(p->o, k->start.value, KCONS_DECODED_MAX, &x.at_time, e);
    if (rc == 0) {
        x.start = offline_start(p->o);
        if (x.at_time > x.end)
            x.at_time = -1;
        rc = bounds_of(k, &x, &p->from, &p->to, e);
    }
    if (rc == 0)
        rc = offline_seek(p->o, p->from, e);
    if (rc < 0)
        return kerr_ctx(e, rc, "%s", k->dir);
    p->done = p->from >= p->to;
    return 0;
}

/* ---- reading ---- */

static void tell_torn(const struct dirs *d, struct place *p)
{
    if (offline_torn(p->o) && !p->told)
        diag(&d->k->diag, DIAG_INFO,
             "%s-%d: behind the last whole batch there are bytes that are none", p->topic,
             p->partition);
    p->told = offline_torn(p->o);
}

/* To its end as it is now. 0; 1: -c is reached; negative. */
static int read_place(const struct dirs *d, struct place *p, struct kerr *e)
{
    struct kcons *k = d->k;
    struct batch b;
    int rc;

    for (;;) {
        rc = p->c ? committed_next(p->c, p->o, &b, e) : offline_next(p->o, &b, e);
        if (rc < 0)
            return kerr_ctx(e, rc, "%s/%s-%d", k->dir, p->topic, p->partition);
        if (rc == 0)
            break;
        if (b.base_offset < p->to && !(b.attributes & BATCH_CONTROL))
            rc = output_batch(k, p->topic, p->partition, &b, p->from, p->to, e);
        if (batch_last_offset(&b) + 1 >= p->to)
            p->done = true;
        if (rc < 0 || p->done || kcons_over(k) || k->written == k->count)
            return rc < 0 ? rc : k->written == k->count;
    }
    /* a bound was the end when it was set: nothing more can come below it */
    if (p->to != INT64_MAX)
        p->done = true;
    tell_torn(d, p);
    return 0;
}

static bool all_done(const struct dirs *d)
{
    for (size_t i = 0; i < d->count; i++)
        if (!d->places[i].done)
            return false;
    return true;
}

/* ---- waiting for growth ---- */

static int watch(struct dirs *d, struct kerr *e)
{
    char path[4096];

    d->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (d->changes < 0)
        return kerr_sys(e, KE_IO, "inotify");
    for (size_t i = 0; i < d->count; i++) {
        const struct place *p = &d->places[i];
        snprintf(path, sizeof path, "%s/%s-%d", d->k->dir, p->topic, p->partition);
        if (!p->done &&
            inotify_add_watch(d->changes, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
            return kerr_sys(e, KE_IO, "watch %s", path);
    }
    return 0;
}

/* False when it is time to end. */
static bool wait_for_more(struct dirs *d)
{
    struct pollfd p[3] = {
        {d->changes, POLLIN, 0},
        {kcons_signal_fd(), POLLIN, 0},
        {output_watchable() ? STDOUT_FILENO : -1, 0, 0},
    };
    int64_t left = kcons_left_ms(d->k);
    char events[4096];

    if (poll(p, 3, left > INT32_MAX ? INT32_MAX : (int)left) > 0 && p[2].revents && output_closed())
        cli_die_by(SIGPIPE);
    while (read(d->changes, events, sizeof events) > 0)
        ;
    return !kcons_over(d->k);
}

/* ---- all of it ---- */

static int read_all(struct dirs *d, struct kerr *e)
{
    int rc = 0;

    do {
        for (size_t i = 0; rc == 0 && i < d->count && !kcons_over(d->k); i++)
            if (!d->places[i].done)
                rc = read_place(d, &d->places[i], e);
        if (rc == 0)
            rc = output_flush(d->k, e);
    } while (rc == 0 && !kcons_over(d->k) && !all_done(d) && wait_for_more(d));
    return rc;
}

static int run(struct dirs *d, struct kerr *e)
{
    int rc = find_topics(d, e);

    for (size_t i = 0; rc == 0 && i < d->count; i++)
        rc = open_place(d, &d->places[i], e);
    /* before the first look, so that nothing comes in between */
    if (rc == 0 && !d->k->to_end && !d->k->until_text)
        rc = watch(d, e);
    return rc == 0 ? read_all(d, e) : rc;
}

int dir_run(struct kcons *k)
{
    struct dirs d = {.k = k, .changes = -1};
    struct kerr e = {0}, late = {0};
    int rc = run(&d, &e);

    if (output_flush(k, &late) < 0 && rc >= 0) {
        rc = late.code;
        e = late;
    }
    for (size_t i = 0; i < d.count; i++) {
        committed_free(d.places[i].c);
        offline_close(d.places[i].o);
    }
    free(d.places);
    if (d.changes >= 0)
        close(d.changes);
    if (kcons_signal())
        return CLI_FAILED; /* main dies by it */
    if (k->timed_out) {
        cli_say("kcons", "timed out");
        return CLI_TIMEOUT;
    }
    return rc < 0 ? cli_fail("kcons", &e) : CLI_DONE;
}
