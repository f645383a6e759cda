/*
 * The producer's id and epoch, and the sequences counted under them (KIP-98, KIP-360).
 */
#include "client/producer_impl.h"
#include "wire/api.h"
#include "wire/error.h"
#include "wire/init_producer_id_request.h"
#include "wire/init_producer_id_response.h"

#include <stdlib.h>

static int put_request(void *arg, struct buf *b, int16_t version)
{
    struct init_producer_id_request m;

    (void)arg;
    init_producer_id_request_init(&m);
    m.transactional_id = (struct slice){NULL, 0};
    m.transaction_timeout_ms = INT32_MAX;
    return init_producer_id_request_encode(&m, b, version);
}

static void begin_anew(struct producer *p)
{
    p->pid_lost = false;
    for (int32_t t = 0; t < p->topic_count; t++)
        for (int32_t i = 0; i < p->topics[t].n; i++) {
            struct ppart *part = p->topics[t].v[i];
            if (!part)
                continue;
            part->next_sequence = 0;
            part->acked = false;
        }
}

/* The question outlives a producer that is freed. */
struct question {
    struct producer *p;
};

static void try_again(struct producer *p, const struct kerr *why)
{
    p->pid_state = PID_NONE;
    p->pid_not_before = mono_add_ms(net_loop_now(client_loop(p->c)), p->conf->retry_backoff_ms);
    diag(client_diag(p->c), DIAG_DEBUG, "InitProducerId: %s", kerr_msg(why));
}

static void take(struct producer *p, const struct client_reply *r)
{
    struct init_producer_id_response m;
    struct wire_reader in;
    struct kerr why = {0};

    wire_reader_init(&in, r->body, NULL);
    if (init_producer_id_response_decode(&m, &in, r->version) < 0) {
        kerr_set(&why, KE_CORRUPT, "malformed answer to InitProducerId");
        try_again(p, &why);
    } else if (m.error_code) {
        client_refused(&why, m.error_code, (struct slice){NULL, 0}, "InitProducerId");
        if (wire_error_retriable(m.error_code))
            try_again(p, &why);
        else
            producer_lost(p, &why);
    } else {
        p->producer_id = m.producer_id;
        p->epoch = m.producer_epoch;
        p->pid_state = PID_READY;
        begin_anew(p);
    }
}

static void answered(void *arg, const struct client_reply *r)
{
    struct question *q = arg;
    struct producer *p = q->p;

    free(q);
    if (!p)
        return;
    p->pid_question = NULL;
    if (r->err == 0) {
        take(p, r);
    } else if (r->err == KE_UNSUPPORTED && !p->conf->idempotence_set) {
        diag(client_diag(p->c), DIAG_WARN,
             "the broker gives out no producer ids: a record whose answer is lost may be stored "
             "twice");
        p->idempotent = false;
    } else if (r->err == KE_UNSUPPORTED) {
        producer_lost(p, r->why);
    } else {
        try_again(p, r->why);
    }
    producer_drain(p);
}

static void ask(struct producer *p)
{
    struct client_request rq = {
        .key = API_INIT_PRODUCER_ID, .encode = put_request, .done = answered};
    struct question *q = malloc(sizeof *q);
    struct kerr e = {0};

    if (!q)
        return;
    q->p = p;
    rq.arg = q;
    p->pid_state = PID_ASKED;
    p->pid_question = q;
    if (client_send(p->c, CLIENT_ANY, &rq, &e) < 0) {
        free(q);
        p->pid_question = NULL;
        try_again(p, &e);
    }
}

void pid_forget(struct producer *p)
{
    if (p->pid_question)
        p->pid_question->p = NULL;
}

bool pid_ready(struct producer *p)
{
    if (!p->idempotent)
        return true;
    if (p->pid_lost && p->sequenced == 0) {
        if (p->epoch < INT16_MAX)
            p->epoch++;
        else
            p->pid_state = PID_NONE;
        begin_anew(p);
    }
    if (p->pid_lost)
        return false;
    if (p->pid_state == PID_NONE && p->pid_not_before.ns <= net_loop_now(client_loop(p->c)).ns)
        ask(p);
    return p->pid_state == PID_READY || !p->idempotent;
}

void pid_assign(struct pbatch *b)
{
    struct ppart *part = b->part;

    if (!part->p->idempotent || b->sequence >= 0)
        return;
    b->sequence = part->next_sequence;
    part->next_sequence =
        (int32_t)(((uint32_t)part->next_sequence + (uint32_t)b->w.count) & INT32_MAX);
    part->p->sequenced++;
    b->bytes = (struct slice){NULL, 0};
}

void pid_release(struct pbatch *b)
{
    if (b->sequence < 0)
        return;
    b->sequence = -1;
    b->bytes = (struct slice){NULL, 0};
    b->part->p->sequenced--;
}
