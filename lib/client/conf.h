/*
 * conf - a client's configuration, by Kafka's names for client properties (ProducerConfig,
 * ConsumerConfig, CommonClientConfigs; librdkafka's where Java has none).
 *
 * Names come one by one from files and command lines. Producer and consumer settings live in one
 * struct: a properties file serves all tools, and a setting of the other kind is no mistake.
 */
#ifndef KCORE_CLIENT_CONF_H
#define KCORE_CLIENT_CONF_H

#include "base/buf.h"
#include "base/err.h"
#include "record/codec.h"

#include <stdbool.h>
#include <stdint.h>

struct client_conf {
    char *bootstrap; /* bootstrap.servers: addresses with commas between; owned */
    char client_id[64];
    int64_t request_timeout_ms;
    int64_t retry_backoff_ms, retry_backoff_max_ms;
    int64_t reconnect_backoff_ms, reconnect_backoff_max_ms;
    int64_t connect_timeout_ms; /* socket.connection.setup.timeout.ms */
    int64_t idle_ms;            /* connections.max.idle.ms */
    int64_t metadata_age_ms;    /* metadata.max.age.ms */
    int64_t max_block_ms;       /* how long a missing topic's creation is waited for */
    /* producer */
    int16_t acks; /* 0, 1, -1: all */
    int32_t retries;
    int32_t batch_size;
    int64_t linger_ms;
    int64_t buffer_memory;
    int32_t max_in_flight; /* max.in.flight.requests.per.connection, 1 to 5 */
    bool idempotence;
    int64_t delivery_timeout_ms;
    enum codec codec;
    int levels[CODEC_COUNT]; /* compression.gzip.level and so on */
    int32_t max_request_size;
    /* consumer */
    int32_t fetch_min_bytes;
    int32_t fetch_max_wait_ms;
    int32_t fetch_max_bytes;
    int32_t partition_max_bytes; /* max.partition.fetch.bytes */
    bool read_committed;         /* isolation.level */
    bool check_crcs;
    /* which of these were set, for rules between them */
    bool idempotence_set;
    struct buf idle; /* names that Kafka knows and that have no effect here, one a line */
};

void client_conf_init(struct client_conf *c);
void client_conf_free(struct client_conf *c);
int client_conf_copy(struct client_conf *to, const struct client_conf *from, struct kerr *e);

/* KE_NOTFOUND: no client of Kafka has such a setting; KE_INVALID says what was expected;
 * KE_UNSUPPORTED: it asks for something that must not be passed over (TLS, SASL). */
int client_conf_set(struct client_conf *c, const char *name, const char *value, struct kerr *e);

/* What only the whole can tell: bootstrap.servers is there; idempotence asked for together with
 * acks other than all (KE_INVALID). Without being asked for it, it is switched off then. */
int client_conf_check(struct client_conf *c, struct kerr *e);

/* Every name that client_conf_set takes, for "did you mean"; NULL past the last. */
const char *client_conf_name(size_t i);

#endif
