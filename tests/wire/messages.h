/*
 * messages - every message of lib/wire/schema in one table, for tests that treat them all alike.
 */
#ifndef KCORE_TESTS_WIRE_MESSAGES_H
#define KCORE_TESTS_WIRE_MESSAGES_H

#include "base/buf.h"
#include "wire/reader.h"

#include <jansson.h>

struct message {
    const char *name;
    int16_t record;   /* -1: neither key nor value of a record */
    int16_t min, max; /* versions */
    size_t size;      /* of its struct */
    void (*init)(void *m);
    int (*decode)(void *m, struct wire_reader *r, int16_t version);
    int (*encode)(const void *m, struct buf *b, int16_t version);
    json_t *(*json)(const void *m, int version); /* as Kafka's converter, a new reference */
};

extern const struct message *const messages[];
extern const size_t message_count;

/* NULL when there is none of that name. */
const struct message *message_find(const char *name);

/* For the generated printers. */
json_t *message_json_string(struct slice s);
json_t *message_json_bytes(struct slice s);
json_t *message_json_records(struct slice s); /* the size alone */
json_t *message_json_uuid(struct uuid u);
bool message_json_differs(json_t *a, json_t *b); /* takes both */

#endif
