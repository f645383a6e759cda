/*
 * wire - what the generated messages share.
 *
 * lib/wire/schema/<name>.schema describes one message (an API's request or response, a header, a
 * catalog command) in the protocol's own terms; the build turns it into $(B)/gen/wire/<name>.h and
 * .c with plain structs. For the message ProduceRequest:
 *
 *     struct produce_request { struct slice transactional_id; int16_t acks; int32_t timeout_ms;
 *                              struct { struct produce_request_topic_produce_data *v; int32_t n; }
 * topic_data; }; void produce_request_init(struct produce_request *m);             every default of
 * the schema int  produce_request_decode(struct produce_request *m, struct wire_reader *r, int16_t
 * version); int  produce_request_encode(const struct produce_request *m, struct buf *b, int16_t
 * version);
 *
 * Every struct, nested too, has its _init: zeroed C structs are wrong (offsets default to -1).
 * Field names are the schema's in snake_case. Types: bool int8 int16 uint16 int32 int64 float64
 * uuid; string, bytes and records are slices into the input (null: p == NULL); arrays are {v, n}
 * with n == -1 for null, allocated from the reader's arena, so nothing is freed one by one. Unknown
 * tagged fields are skipped. A field absent in the version keeps its default.
 *
 * decode: 0; KE_CORRUPT (malformed); KE_NOMEM. It reads the body only and does not insist that all
 * bytes were used: wire_left() tells. encode: 0; KE_UNSUPPORTED when a field that the version
 * cannot carry is neither default nor ignorable; KE_NOMEM (b->failed).
 *
 * Response records: Fetch answers carry file ranges, not bytes. A records field is encoded as its
 * slice; where a response must leave room instead, lib/broker encodes the parts by hand around it
 * with the writer below.
 */
#ifndef KCORE_WIRE_WIRE_H
#define KCORE_WIRE_WIRE_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "wire/reader.h"

/* The writer: big-endian onto a buf; failure is the buf's. */
void wire_write_i8(struct buf *b, int8_t v);
void wire_write_i16(struct buf *b, int16_t v);
void wire_write_u16(struct buf *b, uint16_t v);
void wire_write_i32(struct buf *b, int32_t v);
void wire_write_i64(struct buf *b, int64_t v);
void wire_write_f64(struct buf *b, double v);
void wire_write_uvarint(struct buf *b, uint32_t v);
void wire_write_uuid(struct buf *b, struct uuid v);
void wire_write_string(struct buf *b, struct slice s, bool compact);
void wire_write_bytes(struct buf *b, struct slice s, bool compact);
void wire_write_count(struct buf *b, int32_t n, bool compact);

/* Skips a struct's tagged fields (flexible versions). */
void wire_skip_tags(struct wire_reader *r);

#endif
