#include "client/offsets.h"

#include "wire/api.h"
#include "wire/error.h"
#include "wire/list_offsets_request.h"
#include "wire/list_offsets_response.h"

#include <stdlib.h>
#include <string.h>

/* One round of questions, a request a leader. */
struct round {
    struct client *c;
    struct offset_query *q;
    size_t n;
    bool read_committed, abandoned;
    int flying;
    int fatal;       /* a KE_ code that ends it */
    bool again;      /* something has to be asked again */
    struct kerr why; /* of the last failure */
};

struct question {
    struct round *round;
    int32_t leader;
};

static int32_t leader_of(const struct offset_query *q)
{
    const struct client_topic *t = q->topic;

    return q->partition >= 0 && q->partition < t->count ? t->partitions[q->partition].leader : -1;
}

/* A topic entry for each partition: simple, and ListOffsets allows it. */
static int put_question(void *arg, struct buf *b, int16_t version)
{
    const struct question *k = arg;
    const struct round *r = k->round;
    struct list_offsets_request m;
    struct list_offsets_request_list_offsets_partition *parts;
    int rc = KE_NOMEM;

    if (r->abandoned)
        return KE_CLOSED;
    list_offsets_request_init(&m);
    m.replica_id = -1;
    m.isolation_level = r->read_committed;
    m.timeout_ms = (int32_t)client_conf_of(r->c)->request_timeout_ms;
    m.topics.v = calloc(r->n, sizeof *m.topics.v);
    m.topics.n = 0;
    parts = calloc(r->n, sizeof *parts);
    for (size_t i = 0; m.topics.v && parts && i < r->n; i++) {
        struct offset_query *q = &r->q[i];
        if (q->answered || leader_of(q) != k->leader)
            continue;
        list_offsets_request_list_offsets_partition_init(&parts[i]);
        parts[i].partition_index = q->partition;
        parts[i].current_leader_epoch = q->topic->partitions[q->partition].leader_epoch;
        parts[i].timestamp = q->at;
        q->asked = true;
        list_offsets_request_list_offsets_topic_init(&m.topics.v[m.topics.n]);
        m.topics.v[m.topics.n].name = slice_str(q->topic->name);
        m.topics.v[m.topics.n].partitions.v = &parts[i];
        m.topics.v[m.topics.n++].partitions.n = 1;
    }
    if (m.topics.v && parts)
        rc = list_offsets_request_encode(&m, b, version);
    free(m.topics.v);
    free(parts);
    return rc;
}

static void take_one(struct round *r, struct slice topic,
                     const struct list_offsets_response_list_offsets_partition_response *p,
                     size_t *hint)
{
    for (size_t k = 0; k < r->n; k++) {
        struct offset_query *q = &r->q[(*hint + k) % r->n];
        if (q->answered || q->partition != p->partition_index ||
            !slice_eq_str(topic, q->topic->name))
            continue;
        *hint = (*hint + k + 1) % r->n; /* answers come in the order of the questions */
        if (p->error_code == 0) {
            q->offset = p->offset;
            q->answered = true;
        } else {
            int rc = client_refused(&r->why, p->error_code, (struct slice){NULL, 0},
                                    "offsets of %s-%d", q->topic->name, q->partition);
            if (wire_error_retriable(p->error_code) || p->error_code == KAFKA_FENCED_LEADER_EPOCH)
                r->again = true;
            else
                r->fatal = rc;
        }
        return;
    }
}

static void take_answer(struct round *r, const struct client_reply *reply)
{
    struct list_offsets_response m;
    struct arena arena = {0};
    struct wire_reader in;
    size_t hint = 0;

    wire_reader_init(&in, reply->body, &arena);
    if (list_offsets_response_decode(&m, &in, reply->version) < 0)
        r->fatal = kerr_set(&r->why, KE_CORRUPT, "malformed answer to ListOffsets");
    for (int32_t i = 0; !r->fatal && i < m.topics.n; i++)
        for (int32_t k = 0; k < m.topics.v[i].partitions.n; k++)
            take_one(r, m.topics.v[i].name, &m.topics.v[i].partitions.v[k], &hint);
    arena_free(&arena);
}

static void answered(void *arg, const struct client_reply *reply)
{
    struct question *k = arg;
    struct round *r = k->round;

    free(k);
    r->flying--;
    if (r->abandoned) {
        if (r->flying == 0)
            free(r);
        return;
    }
    if (reply->err == 0) {
        take_answer(r, reply);
        return;
    }
    if (reply->why)
        r->why = *reply->why;
    if (reply->err == KE_IO || reply->err == KE_TIMEOUT)
        r->again = true;
    else
        r->fatal = reply->err;
}

static int ask(struct round *r, int32_t leader)
{
    struct client_request rq = {
        .key = API_LIST_OFFSETS, .encode = put_question, .done = answered, .timeout_ms = 0};
    struct question *k = malloc(sizeof *k);
    int rc;

    if (!k)
        return kerr_set(&r->why, KE_NOMEM, "request");
    *k = (struct question){r, leader};
    rq.arg = k;
    r->flying++;
    rc = client_send(r->c, leader, &rq, &r->why);
    if (rc < 0) {
        r->flying--;
        free(k);
    }
    if (rc == KE_NOTFOUND) {
        r->again = true;
        rc = 0;
    }
    return rc;
}

/* Asks every leader that has not been asked in this round. */
static int ask_all(struct round *r)
{
    int rc = 0;

    r->again = false;
    for (size_t i = 0; rc == 0 && i < r->n; i++) {
        int32_t leader = leader_of(&r->q[i]);
        bool first = true;
        if (r->q[i].answered)
            continue;
        r->q[i].asked = false;
        if (leader < 0) {
            kerr_set(&r->why, KE_REMOTE, "partition %s-%d has no leader", r->q[i].topic->name,
                     r->q[i].partition);
            r->again = true;
            continue;
        }
        for (size_t k = 0; first && k < i; k++)
            first = r->q[k].answered || leader_of(&r->q[k]) != leader;
        if (first)
            rc = ask(r, leader);
    }
    return rc;
}

/* All have answered that were asked: what of those that got no answer? A leader may have moved
 * after the request to it was queued, and before it was written. */
static int unanswered(struct round *r)
{
    int rc = 0;

    for (size_t i = 0; i < r->n && !rc; i++)
        if (!r->q[i].answered && r->q[i].asked)
            rc = kerr_set(&r->why, KE_CORRUPT, "the answer to ListOffsets lacks %s-%d",
                          r->q[i].topic->name, r->q[i].partition);
        else if (!r->q[i].answered)
            rc = KE_AGAIN;
    return rc;
}

/* 0: all is answered; KE_AGAIN; or the end. */
static int one_round(struct round *r, bool (*go_on)(void *), void *arg)
{
    int rc = ask_all(r);

    while (rc == 0 && r->flying > 0 && go_on(arg))
        client_poll(r->c, 100);
    if (rc < 0)
        return rc;
    if (r->flying > 0)
        return KE_TIMEOUT;
    return r->fatal ? r->fatal : r->again ? KE_AGAIN : unanswered(r);
}

struct limit {
    const struct client *c;
    const struct os_clock *clock;
    mono_ns deadline;
};

static bool in_time(void *arg)
{
    const struct limit *l = arg;

    return !client_interrupted(l->c) && os_mono(l->clock).ns < l->deadline.ns;
}

int client_offsets(struct client *c, struct offset_query *q, size_t n, bool read_committed,
                   int64_t timeout_ms, struct kerr *e)
{
    struct limit limit = {c, net_loop_clock(client_loop(c)), {0}};
    int64_t ms = timeout_ms < 0 ? client_conf_of(c)->request_timeout_ms : timeout_ms;
    struct round *r = calloc(1, sizeof *r);
    int rc = 0;

    if (!r)
        return kerr_set(e, KE_NOMEM, "request");
    *r = (struct round){.c = c, .q = q, .n = n, .read_committed = read_committed};
    limit.deadline = mono_add_ms(os_mono(limit.clock), ms);
    for (size_t i = 0; i < n; i++)
        q[i].answered = false;
    while ((rc = one_round(r, in_time, &limit)) == KE_AGAIN && in_time(&limit)) {
        mono_ns next = mono_add_ms(os_mono(limit.clock), client_conf_of(c)->retry_backoff_ms);
        client_refresh(c);
        while (in_time(&limit) && os_mono(limit.clock).ns < next.ns)
            client_poll(c, client_conf_of(c)->retry_backoff_ms);
    }
    if (client_interrupted(c))
        rc = kerr_set(e, KE_CLOSED, "interrupted");
    else if (rc < 0 && (rc == KE_AGAIN || rc == KE_TIMEOUT))
        rc = kerr_set(e, KE_TIMEOUT, "%s", r->why.code ? r->why.msg : "no answer in time");
    else if (rc < 0 && e)
        *e = r->why;
    if (r->flying > 0)
        r->abandoned = true;
    else
        free(r);
    return rc;
}
