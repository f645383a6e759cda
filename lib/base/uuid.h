/*
 * uuid - Kafka's 128-bit ids (topics, directories, clusters), printed as 22 characters of URL-safe
 * base64 without padding (org.apache.kafka.common.Uuid). All zeros means "none".
 */
#ifndef KCORE_BASE_UUID_H
#define KCORE_BASE_UUID_H

#include "base/slice.h"

struct uuid {
    uint8_t b[16];
};

#define UUID_TEXT 23 /* characters and the NUL */

bool uuid_is_zero(struct uuid u);
bool uuid_eq(struct uuid a, struct uuid b);

/* Writes the text and returns out. */
const char *uuid_format(struct uuid u, char out[UUID_TEXT]);

/* False unless s is exactly one id's text. */
bool uuid_parse(struct slice s, struct uuid *u);

#endif
