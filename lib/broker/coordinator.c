/*
 * FindCoordinator names this broker for groups: it is the only one. There are no transactions yet,
 * and what Java and librdkafka both take as final for a transactional id is 53.
 */
#include "broker/dispatch.h"
#include "broker/self.h"
#include "wire/error.h"
#include "wire/find_coordinator_request.h"
#include "wire/find_coordinator_response.h"

enum key_type { KEY_GROUP, KEY_TRANSACTION, KEY_SHARE };

static int16_t refusal(const struct request *r, int8_t type, struct slice key)
{
    switch (type) {
    case KEY_GROUP:
        if (key.n == 0)
            return KAFKA_INVALID_GROUP_ID;
        return authz_check(r, OP_DESCRIBE, RES_GROUP, key) ? 0 : KAFKA_GROUP_AUTHORIZATION_FAILED;
    case KEY_TRANSACTION:
        authz_check(r, OP_DESCRIBE, RES_TRANSACTIONAL_ID, key);
        return KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    default:
        return KAFKA_INVALID_REQUEST;
    }
}

int handle_find_coordinator(struct request *r)
{
    struct find_coordinator_request q;
    struct find_coordinator_response m;
    const struct self self = self_of(r);
    struct buf b = {0};
    bool ok = true;
    int rc;

    if ((rc = find_coordinator_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    find_coordinator_response_init(&m);
    if (r->version < 4) {
        m.error_code = refusal(r, q.key_type, q.key);
        m.node_id = m.error_code ? -1 : r->broker->conf.node_id;
        m.host = m.error_code ? slice_str("") : slice_str(self.host);
        m.port = m.error_code ? -1 : self.port;
    } else {
        m.coordinators.n = q.coordinator_keys.n;
        m.coordinators.v =
            arena_array(&r->arena, (size_t)q.coordinator_keys.n, sizeof *m.coordinators.v);
        ok = m.coordinators.v != NULL;
    }
    for (int32_t i = 0; ok && r->version >= 4 && i < m.coordinators.n; i++) {
        struct find_coordinator_response_coordinator *c = &m.coordinators.v[i];
        find_coordinator_response_coordinator_init(c);
        c->key = q.coordinator_keys.v[i];
        c->error_code = refusal(r, q.key_type, c->key);
        c->node_id = c->error_code ? -1 : r->broker->conf.node_id;
        c->host = c->error_code ? slice_str("") : slice_str(self.host);
        c->port = c->error_code ? -1 : self.port;
    }
    r->failed = ok && find_coordinator_response_has_error(&m);
    request_reply_begin(r, &b);
    request_reply(r, &b, ok ? find_coordinator_response_encode(&m, &b, r->version) : KE_NOMEM);
    return 0;
}
