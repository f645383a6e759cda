/*
 * Records from brokers.
 */
#include "kcons.h"

#include "cli/exit.h"
#include "cli/nearest.h"
#include "client/consumer.h"
#include "client/offsets.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const char tool[] = "kcons";

/* A partition that is read. */
struct place {
    struct client_topic *topic;
    int32_t partition;
    int64_t from, to;
    bool begun; /* something of it has been written */
};

struct live {
    struct kcons *k;
    struct client *client;
    struct consumer *consumer;
    struct place *places;
    size_t count;
    struct net_watch signals, hangup;
    struct net_timer timeout;
};

/* ---- topics ---- */

static void near_name(void *arg, struct slice name, bool internal)
{
    struct nearest *n = arg;
    const char *before = n->best;
    char *copy = internal ? NULL : strndup((const char *)name.p, name.n);

    if (!copy)
        return;
    nearest_try(n, copy);
    if (n->best != copy)
        free(copy);
    else
        free((char *)(uintptr_t)before);
}

static int no_such_topic(struct live *v, const char *name, struct kerr *e)
{
    struct nearest n = {.word = name};
    char shown[DIAG_ESCAPED_MAX];

    client_each_topic(v->client, 2000, near_name, &n, NULL);
    if (n.best)
        kerr_set(e, KE_NOTFOUND, "topic %s does not exist (did you mean %s?)", name,
                 diag_escape(shown, sizeof shown, slice_str(n.best)));
    else
        kerr_set(e, KE_NOTFOUND, "topic %s does not exist", name);
    free((char *)(uintptr_t)n.best);
    return KE_NOTFOUND;
}

static int add_topic(struct live *v, struct client_topic *t, struct kerr *e)
{
    struct place *more;
    int rc = client_topic_wait(v->client, t, false, kcons_left_ms(v->k), NULL, e);

    if (rc == KE_NOTFOUND)
        return no_such_topic(v, t->name, e);
    if (rc == 0)
        rc = kcons_check_partitions(v->k, t->name, t->count, e);
    if (rc < 0)
        return rc;
    more = realloc(v->places, (v->count + (size_t)t->count) * sizeof *more);
    if (!more)
        return kerr_set(e, KE_NOMEM, "out of memory");
    v->places = more;
    for (int32_t i = 0; i < t->count; i++)
        if (kcons_wants(v->k, i))
            v->places[v->count++] = (struct place){.topic = t, .partition = i};
    return 0;
}

/* A topic named twice is read once. */
static bool named_before(const struct kcons *k, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (strcmp(k->topics[i], k->topics[j]) == 0)
            return true;
    return false;
}

static int find_topics(struct live *v, struct kerr *e)
{
    struct kcons *k = v->k;
    int rc = 0;

    /* all are asked for before the first is waited for */
    for (size_t i = 0; i < k->topic_count; i++)
        if (!client_topic(v->client, slice_str(k->topics[i])))
            return kerr_set(e, KE_NOMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < k->topic_count; i++)
        if (!named_before(k, i))
            rc = add_topic(v, client_topic(v->client, slice_str(k->topics[i])), e);
    return rc;
}

/* ---- where to begin and to end ---- */

/* One question for each place; the answers go to out. */
static int ask(struct live *v, int64_t at, int64_t *out, struct kerr *e)
{
    struct offset_query *q = calloc(v->count + 1, sizeof *q);
    int rc = q ? 0 : kerr_set(e, KE_NOMEM, "out of memory");

    for (size_t i = 0; rc == 0 && i < v->count; i++)
        q[i] = (struct offset_query){
            .topic = v->places[i].topic, .partition = v->places[i].partition, .at = at};
    if (rc == 0)
        rc = client_offsets(v->client, q, v->count, v->k->conf.read_committed, kcons_left_ms(v->k),
                            e);
    for (size_t i = 0; rc == 0 && i < v->count; i++)
        out[i] = q[i].offset;
    free(q);
    return rc;
}

static int find_bounds(struct live *v, struct kerr *e)
{
    const struct kcons *k = v->k;
    size_t n = v->count;
    int64_t *start = calloc(n + 1, sizeof *start), *end = calloc(n + 1, sizeof *end),
            *at = calloc(n + 1, sizeof *at);
    int rc = start && end && at ? 0 : kerr_set(e, KE_NOMEM, "out of memory");

    /* the end first: what comes in meanwhile is not below it */
    if (rc == 0 && bounds_need_end(k))
        rc = ask(v, OFFSETS_END, end, e);
    if (rc == 0 && bounds_need_start(k))
        rc = ask(v, OFFSETS_START, start, e);
    if (rc == 0 && k->start.kind == WHEN_TIME)
        rc = ask(v, k->start.value, at, e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct place *p = &v->places[i];
        struct extent x = {p->topic->name, p->partition, start[i], end[i], at[i]};
        rc = bounds_of(k, &x, &p->from, &p->to, e);
    }
    free(start);
    free(end);
    free(at);
    return rc;
}

/* ---- reading ---- */

/* What was to be read is not there. Where nothing has been read yet and the start was no offset,
 * the start is simply elsewhere by now; else something is missing, and that is said. */
static int out_of_range(struct live *v, const struct consumer_batch *b, struct kerr *e)
{
    struct place *p = b->tag;
    struct offset_query q[2] = {
        {.topic = p->topic, .partition = p->partition, .at = OFFSETS_START},
        {.topic = p->topic, .partition = p->partition, .at = OFFSETS_END},
    };
    int rc = output_flush(v->k, e);

    for (int i = 0; rc == 0 && i < 2; i++)
        rc = client_offsets(v->client, &q[i], 1, v->k->conf.read_committed, kcons_left_ms(v->k), e);
    if (rc < 0)
        return rc;
    if (b->from > q[1].offset)
        return kerr_set(e, KE_RANGE,
                        "%s-%d ends at offset %lld now: what was read up to %lld has "
                        "been lost there",
                        p->topic->name, p->partition, (long long)q[1].offset, (long long)b->from);
    if (p->begun || v->k->start.kind == WHEN_OFFSET || b->from >= q[0].offset)
        return kerr_set(e, KE_RANGE,
                        "%s-%d: the records from offset %lld to %lld were deleted before they were "
                        "read; go on with -p %d -o %lld",
                        p->topic->name, p->partition, (long long)b->from,
                        (long long)q[0].offset - 1, p->partition, (long long)q[0].offset);
    return consumer_assign(v->consumer, p->topic, p->partition, q[0].offset, p->to, p, e);
}

/* Until there is something to do. */
static int wait_for_more(struct live *v, struct kerr *e)
{
    int rc = output_flush(v->k, e);

    if (rc == 0 && !kcons_over(v->k))
        client_poll(v->client, -1);
    if (output_closed())
        cli_die_by(SIGPIPE);
    return rc;
}

/* 0: what was asked for is done, or the user wants no more. */
static int read_all(struct live *v, struct kerr *e)
{
    struct kcons *k = v->k;
    struct consumer_batch b;
    bool looked = false;
    int rc = 0;

    while (rc == 0 && !kcons_over(k)) {
        rc = consumer_next(v->consumer, &b, e);
        if (rc == 1) {
            looked = false;
            ((struct place *)b.tag)->begun = true;
            rc = output_batch(k, b.topic->name, b.partition, &b.batch, b.from, b.to, e);
        } else if (rc == KE_RANGE) {
            rc = out_of_range(v, &b, e);
        } else if (rc == 0 && consumer_active(v->consumer) == 0) {
            break;
        } else if (rc == 0 && !looked) {
            client_poll(v->client, 0); /* the next answer may be here */
            looked = true;
        } else if (rc == 0) {
            rc = wait_for_more(v, e);
            looked = false;
        }
    }
    return rc > 0 ? 0 : rc;
}

static int start(struct live *v, struct kerr *e)
{
    int rc = consumer_new(&v->consumer, v->client, e);

    for (size_t i = 0; rc == 0 && i < v->count; i++) {
        struct place *p = &v->places[i];
        rc = consumer_assign(v->consumer, p->topic, p->partition, p->from, p->to, p, e);
    }
    return rc;
}

/* ---- what wakes it ---- */

static void signalled(struct net_watch *w, bool readable, bool writable)
{
    (void)readable;
    (void)writable;
    net_watch_clear(w); /* it stays readable */
}

static void hung_up(struct net_watch *w, bool readable, bool writable)
{
    (void)readable;
    (void)writable;
    if (output_closed())
        cli_die_by(SIGPIPE);
    net_watch_clear(w); /* a socket that says something: of no interest */
}

static void timed_out(struct net_timer *t)
{
    struct live *v = (struct live *)((char *)t - offsetof(struct live, timeout));

    v->k->timed_out = true;
    client_interrupt(v->client, true);
}

static int watch(struct live *v, struct kerr *e)
{
    struct net_loop *l = client_loop(v->client);

    kcons_interrupts(v->client);
    net_timer_init(&v->timeout, l, timed_out);
    if (v->k->common.timeout_ms >= 0) {
        client_be_patient(v->client);
        net_timer_set(&v->timeout, v->k->common.timeout_ms);
    }
    v->signals.ready = signalled;
    v->hangup.ready = hung_up;
    if (net_watch_set(&v->signals, l, kcons_signal_fd(), true, false) < 0 ||
        (output_watchable() && net_watch_set(&v->hangup, l, STDOUT_FILENO, true, false) < 0))
        return kerr_sys(e, KE_IO, "stdout");
    return 0;
}

/* ---- all of it ---- */

static int run(struct live *v, struct kerr *e)
{
    int rc = client_new(&v->client, &v->k->conf, &v->k->diag, e);

    if (rc == 0)
        rc = watch(v, e);
    if (rc == 0)
        rc = find_topics(v, e);
    if (rc == 0)
        rc = find_bounds(v, e);
    if (rc == 0)
        rc = start(v, e);
    return rc == 0 ? read_all(v, e) : rc;
}

int live_run(struct kcons *k)
{
    struct live v = {.k = k};
    struct kerr e = {0}, late = {0};
    int rc = run(&v, &e);

    /* what has been read whole is written, whatever happened then */
    if (output_flush(k, &late) < 0 && rc == 0) {
        rc = late.code;
        e = late;
    }
    kcons_interrupts(NULL);
    consumer_free(v.consumer);
    if (v.client) {
        net_watch_clear(&v.signals);
        net_watch_clear(&v.hangup);
        net_timer_clear(&v.timeout);
    }
    client_free(v.client);
    free(v.places);
    if (kcons_signal())
        return CLI_FAILED; /* main dies by it */
    if (k->timed_out) {
        cli_say(tool, "timed out");
        return CLI_TIMEOUT;
    }
    return rc < 0 ? cli_fail(tool, &e) : CLI_DONE;
}
