/*
 * What becomes of batches that have been sent.
 */
#include "client/producer_impl.h"
#include "wire/error.h"
#include "wire/produce_response.h"

#include <stdlib.h>

enum verdict {
    STORED,
    AGAIN,  /* later, under the same sequence */
    HALVES, /* something in it is refused: it is looked for */
    ANEW,   /* its sequence is refused for good: not stored */
    FAILED,
};

/* One partition's answer. */
struct outcome {
    int err;      /* of the request as a whole: a KE_ code */
    int16_t code; /* Kafka's */
    bool sent;
    int64_t base_offset;
    struct kerr why;
};

/* Whether every batch before b in its partition is settled. */
static bool is_first(const struct pbatch *b)
{
    const struct ppart *part = b->part;

    if (part->ready && part->ready->sequence >= 0 && part->ready->order < b->order)
        return false;
    return part->flying == 0 || part->flight[0]->order >= b->order;
}

static bool is_refusal_of_a_record(int16_t code)
{
    return code == KAFKA_MESSAGE_TOO_LARGE || code == KAFKA_RECORD_LIST_TOO_LARGE ||
           code == KAFKA_INVALID_TIMESTAMP || code == KAFKA_INVALID_RECORD;
}

/* These say nothing about whether the batch is in the log. */
static bool is_ambiguous(int16_t code)
{
    return code == KAFKA_REQUEST_TIMED_OUT || code == KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND ||
           code == KAFKA_NETWORK_EXCEPTION || code == KAFKA_KAFKA_STORAGE_ERROR ||
           code == KAFKA_UNKNOWN_SERVER_ERROR;
}

static enum verdict judge(struct pbatch *b, const struct outcome *o)
{
    if (o->err)
        return o->err == KE_IO || o->err == KE_TIMEOUT || o->err == KE_CORRUPT ? AGAIN : FAILED;
    switch (o->code) {
    case KAFKA_NONE:
    case KAFKA_DUPLICATE_SEQUENCE_NUMBER: /* stored, so long ago that its offset is forgotten */
        return STORED;
    case KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER:
        return b->sequence < 0 ? FAILED : is_first(b) ? ANEW : AGAIN;
    case KAFKA_UNKNOWN_PRODUCER_ID:
        /* an earlier attempt may have been stored, and the memory of it be gone */
        return b->sequence < 0 || b->maybe_stored ? FAILED : is_first(b) ? ANEW : AGAIN;
    default:
        if (is_refusal_of_a_record(o->code))
            return b->w.count > 1 ? HALVES : FAILED;
        return wire_error_retriable(o->code) ? AGAIN : FAILED;
    }
}

static void stored(struct pbatch *b, int64_t base_offset)
{
    struct ppart *part = b->part;

    /* not before the last of those that were under way at the failure: were others sent behind
     * them, they could be the sixth from the end, which the broker has forgotten */
    if (part->flying == 0 && (!part->ready || part->ready->attempts == 0))
        part->recovering = false;
    part->acked = true;
    pbatch_settle(b, 0, base_offset, NULL);
}

/* What lies behind a batch that has lost its sequence cannot be stored under its own. */
static void lose_sequence(struct pbatch *b)
{
    const struct pbatch *first = b->part->ready;

    if (b->sequence < 0 || !first || first->sequence >= 0 || first->order >= b->order)
        return;
    pid_release(b);
    b->maybe_stored = false;
}

/* Back into the queue, if it may be tried again at all. */
static void again(struct pbatch *b, const struct outcome *o)
{
    struct ppart *part = b->part;
    struct producer *p = part->p;
    mono_ns now = net_loop_now(client_loop(p->c));

    lose_sequence(b);
    if (pbatch_is_dead(b)) {
        pbatch_settle(b, KE_CLOSED, -1, &o->why);
        return;
    }
    b->why = o->why;
    if (b->attempts > p->conf->retries) {
        producer_fail(p, b, o->err ? o->err : KE_REMOTE, &o->why);
        return;
    }
    part->recovering = true;
    /* a sequence that was only early need not wait */
    if (o->code != KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER) {
        part->not_before = mono_add_ms(now, producer_backoff(p->conf, b->attempts));
        client_refresh(p->c);
    }
    diag(client_diag(p->c), DIAG_INFO, "%s-%d: %s; trying again", part->topic->name, part->index,
         kerr_msg(&o->why));
    ppart_insert(part, b);
}

static void halve(struct pbatch *b, const struct outcome *o)
{
    struct ppart *part = b->part;
    struct pbatch *rest = pbatch_is_dead(b) ? NULL : pbatch_split(b, b->w.count / 2);

    if (!rest) {
        producer_fail(part->p, b, KE_REMOTE, &o->why);
        return;
    }
    part->recovering = true;
    ppart_insert(part, b);
    ppart_insert(part, rest);
}

static void anew(struct pbatch *b, const struct outcome *o)
{
    struct ppart *part = b->part;
    struct producer *p = part->p;

    if (!p->pid_lost)
        diag(client_diag(p->c), DIAG_WARN,
             "%s-%d: the broker does not know the records before these any more%s",
             part->topic->name, part->index,
             part->acked ? "; acknowledged records may have been lost there" : "");
    p->pid_lost = true;
    pid_release(b);
    b->maybe_stored = false;
    /* those behind it have sequences that cannot be stored either */
    for (struct pbatch *x = part->ready; x; x = x->next) {
        pid_release(x);
        x->maybe_stored = false;
    }
    again(b, o);
}

static void settle(struct pbatch *b, const struct outcome *o)
{
    struct ppart *part = b->part;
    enum verdict v = judge(b, o);

    ppart_land(part, b);
    if ((o->err && o->sent) || (!o->err && is_ambiguous(o->code)))
        b->maybe_stored = true;
    switch (v) {
    case STORED:
        stored(b, o->base_offset);
        break;
    case AGAIN:
        again(b, o);
        break;
    case HALVES:
        halve(b, o);
        break;
    case ANEW:
        anew(b, o);
        break;
    case FAILED:
        producer_fail(part->p, b, o->err ? o->err : KE_REMOTE, &o->why);
        break;
    }
}

/* ---- reading the answer ---- */

/* The batch that an answer is about, taken out of the request; NULL: none was asked about. */
static struct pbatch *claim(struct prequest *q, const struct client_topic *t, int32_t index)
{
    for (int32_t k = 0; k < q->n; k++) {
        int32_t i = (q->settled + k) % q->n;
        struct pbatch *b = q->v[i];
        if (b && b->part->topic == t && b->part->index == index) {
            q->v[i] = NULL;
            q->settled = (i + 1) % q->n;
            return b;
        }
    }
    return NULL;
}

static void take_part(struct prequest *q, const struct client_topic *t,
                      const struct produce_response_partition_produce_response *m)
{
    struct pbatch *b = claim(q, t, m->index);
    struct outcome o = {.code = m->error_code, .base_offset = m->base_offset, .sent = true};

    if (!b)
        return;
    if (m->error_code)
        client_refused(&o.why, m->error_code, m->error_message, "%s-%d", t->name, m->index);
    settle(b, &o);
}

static void take_answer(struct prequest *q, const struct client_reply *r, struct outcome *rest)
{
    struct produce_response m;
    struct arena arena = {0};
    struct wire_reader in;
    bool good;

    wire_reader_init(&in, r->body, &arena);
    good = produce_response_decode(&m, &in, r->version) == 0;
    for (int32_t i = 0; good && i < m.responses.n; i++) {
        const struct produce_response_topic_produce_response *t = &m.responses.v[i];
        const struct client_topic *topic = r->version >= 13
                                               ? client_topic_by_id(q->p->c, t->topic_id)
                                               : client_topic_known(q->p->c, t->name);
        for (int32_t k = 0; topic && k < t->partition_responses.n; k++)
            take_part(q, topic, &t->partition_responses.v[k]);
    }
    arena_free(&arena);
    rest->err = KE_CORRUPT;
    rest->sent = true;
    kerr_set(&rest->why, KE_CORRUPT,
             good ? "the answer to Produce lacks a partition" : "malformed answer to Produce");
}

static void forget(struct prequest *q)
{
    for (struct prequest **at = &q->p->requests; *at; at = &(*at)->next)
        if (*at == q) {
            *at = q->next;
            return;
        }
}

void prequest_done(void *arg, const struct client_reply *r)
{
    struct prequest *q = arg;
    struct producer *p = q->p;
    struct outcome rest = {.err = r->err, .sent = r->sent, .base_offset = -1};

    if (!p) {
        for (int32_t i = 0; i < q->n; i++)
            pbatch_free(q->v[i]);
        free(q);
        return;
    }
    forget(q);
    if (r->why)
        rest.why = *r->why;
    if (r->err == 0 && p->conf->acks != 0)
        take_answer(q, r, &rest);
    for (int32_t i = 0; i < q->n; i++)
        if (q->v[i])
            settle(q->v[i], &rest);
    free(q);
    producer_drain(p);
}
