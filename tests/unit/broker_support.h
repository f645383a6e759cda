/*
 * A broker in this process, on a directory of its own, and a raw client: what is sent and what
 * comes back is the generated messages' bytes, one blocking socket.
 */
#ifndef KCORE_TESTS_BROKER_SUPPORT_H
#define KCORE_TESTS_BROKER_SUPPORT_H

#include "broker/broker.h"
#include "record/batch.h"
#include "wire/api.h"
#include "wire/header.h"
#include "wire/wire.h"

struct rig {
    char dir[64];
    struct broker *broker;
};

/* settings: "name=value" strings, NULL at the end; may be NULL. */
void rig_start(struct rig *r, const char *const *settings);
void rig_restart(struct rig *r, const char *const *settings);
void rig_stop(struct rig *r);

struct raw {
    int fd;
    struct arena arena;
    uint8_t *answer;
    size_t size;
};

void raw_open(struct raw *c, const struct rig *r);
void raw_close(struct raw *c);

/* Sends header and body (made by an encoder into b, which is emptied). */
void raw_send(struct raw *c, int16_t key, int16_t version, int32_t correlation, struct buf *body);
/* Reads one answer and checks its correlation id; the reader stands at its body. */
void raw_receive(struct raw *c, int16_t key, int16_t version, int32_t correlation,
                 struct wire_reader *r);
/* True when the broker has closed the connection without a byte. */
bool raw_closed(struct raw *c);

/* Creates a topic and gives its id. settings: config pairs "k", "v", ..., NULL. */
struct uuid raw_create(struct raw *c, const char *topic, int32_t partitions,
                       const char *const *settings);
int16_t raw_delete(struct raw *c, const char *topic);

/* One batch of count records "v<from>".. of size bytes at least; belongs to the builder. */
struct slice make_batch(struct batch_builder *w, int from, int count, size_t size,
                        int64_t producer_id, int32_t sequence);

struct produced {
    int16_t error;
    int64_t base_offset;
};
struct produced raw_produce(struct raw *c, int16_t version, const char *topic, struct uuid id,
                            int16_t acks, struct slice batch);
void raw_send_produce(struct raw *c, int16_t version, const char *topic, struct uuid id,
                      int16_t acks, struct slice batch, int32_t correlation);
void raw_receive_produce(struct raw *c, int16_t version, int32_t correlation, struct produced *out);

struct fetched {
    int16_t error;
    int64_t high_watermark, last_stable, log_start;
    struct slice records; /* until the next answer */
    bool null_records;
};
struct fetch_ask {
    const char *topic;
    struct uuid id;
    int64_t offset;
    int32_t max_wait, min_bytes, max_bytes, partition_max;
    int8_t isolation;
};
struct fetched raw_fetch(struct raw *c, int16_t version, const struct fetch_ask *a);
void raw_send_fetch(struct raw *c, int16_t version, const struct fetch_ask *a, int32_t correlation);
void raw_receive_fetch(struct raw *c, int16_t version, int32_t correlation, struct fetched *out);

#endif
