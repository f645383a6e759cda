/*
 * InitProducerId: ids come from blocks that the catalog hands out, so that none is ever given
 * twice, whatever crashes.
 */
#include "broker/dispatch.h"
#include "broker/propose.h"
#include "broker/reactor.h"
#include "wire/error.h"
#include "wire/init_producer_id_request.h"
#include "wire/init_producer_id_response.h"

#define BLOCK 1000

struct asking {
    struct proposal proposal;
    struct request *r;
};

static void reply(struct request *r, int16_t error, int64_t id)
{
    struct init_producer_id_response m;
    struct buf b = {0};

    init_producer_id_response_init(&m);
    m.error_code = error;
    m.producer_id = error ? -1 : id;
    m.producer_epoch = error ? -1 : 0;
    r->failed = error != 0;
    request_reply_begin(r, &b);
    request_reply(r, &b, init_producer_id_response_encode(&m, &b, r->version));
}

static void block_came(struct proposal *p)
{
    struct asking *a = (struct asking *)p;
    struct broker *b = a->r->broker;
    int16_t error = proposal_error(p);

    if (!error) {
        /* two may have asked at once: the ids of the block replaced are simply never used */
        pthread_mutex_lock(&b->ids_mu);
        b->next_id = p->value + 1;
        b->last_id = p->value + BLOCK;
        pthread_mutex_unlock(&b->ids_mu);
    }
    reply(a->r, error ? KAFKA_COORDINATOR_NOT_AVAILABLE : 0, p->value);
}

static void ask_for_block(struct request *r)
{
    struct catalog_stamp s = broker_stamp(r->broker);
    struct asking *a = arena_alloc(&r->arena, sizeof *a);
    struct buf cmd = {0};
    int rc = a ? catalog_cmd_producer_ids(&cmd, &s, BLOCK) : KE_NOMEM;

    if (rc == 0) {
        a->r = r;
        a->proposal.done = block_came;
        a->proposal.loop = r->reactor->loop;
        rc = propose(r->broker, buf_slice(&cmd), &a->proposal);
    }
    buf_free(&cmd);
    if (rc < 0)
        reply(r, KAFKA_COORDINATOR_NOT_AVAILABLE, -1);
}

int handle_init_producer_id(struct request *r)
{
    struct init_producer_id_request q;
    struct broker *b = r->broker;
    int64_t id = -1;
    int rc;

    if ((rc = init_producer_id_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    if (!slice_is_null(q.transactional_id)) {
        authz_check(r, OP_WRITE, RES_TRANSACTIONAL_ID, q.transactional_id);
        /* there are no transactions yet, and clients take this one as final */
        reply(r,
              q.transactional_id.n ? KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
                                   : KAFKA_INVALID_REQUEST,
              -1);
        return 0;
    }
    if (!authz_cluster(r, OP_IDEMPOTENT_WRITE)) {
        reply(r, KAFKA_CLUSTER_AUTHORIZATION_FAILED, -1);
        return 0;
    }
    pthread_mutex_lock(&b->ids_mu);
    if (b->next_id < b->last_id)
        id = b->next_id++;
    pthread_mutex_unlock(&b->ids_mu);
    if (id >= 0)
        reply(r, 0, id);
    else
        ask_for_block(r);
    return 0;
}
