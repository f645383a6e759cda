/*
 * wire - what the generated messages share.
 *
 * lib/wire/schema/<name>.schema describes one message (an API's request or response, a header, a
 * catalog command) in the protocol's own terms (schema/README); the build turns it into
 * $(B)/gen/wire/<name>.h and .c with plain structs. For the message ProduceRequest, #include
 * "wire/produce_request.h" gives
 *
 *     enum { PRODUCE_REQUEST_API_KEY, PRODUCE_REQUEST_MIN_VERSION, PRODUCE_REQUEST_MAX_VERSION };
 *
 *     struct produce_request_topic_produce_data { ... };
 *     struct produce_request {
 *         struct slice transactional_id;
 *         int16_t acks;
 *         int32_t timeout_ms;
 *         struct {
 *             struct produce_request_topic_produce_data *v;
 *             int32_t n;
 *         } topic_data;
 *     };
 *
 *     void produce_request_init(struct produce_request *m);        every default of the schema
 *     int produce_request_decode(struct produce_request *m, struct wire_reader *r, int16_t
 * version); int produce_request_encode(const struct produce_request *m, struct buf *b, int16_t
 * version);
 *
 * The keys and values of records have _RECORD_TYPE instead of _API_KEY.
 *
 * Names: fields are the schema's in snake_case. A nested struct is <message>_<struct>, however deep
 * it lies; where the schema's name begins with the message's, that is not said twice
 * (MetadataResponseBroker is struct metadata_response_broker).
 *
 * Every struct, nested too, has its _init: zeroed C structs are wrong (offsets default to -1).
 * Types: bool int8 int16 int32 int64 uuid; string, bytes and records are slices into the input
 * (null: p == NULL); arrays are {v, n} with n == -1 for null; a struct that may be null is a
 * pointer. Arrays and such structs are allocated from the reader's arena, so nothing is freed one
 * by one. A tagged struct that may be null is {v, is_null} instead: where the tag is missing it is
 * not null, but has its defaults. Unknown tagged fields are skipped. A field absent in the version
 * has its default after decoding.
 *
 * decode: 0; KE_CORRUPT (malformed: the struct's contents are then not to be used); KE_NOMEM;
 * KE_UNSUPPORTED for a version the schema does not have. It reads the body only and does not insist
 * that all bytes were used: wire_left() tells.
 *
 * encode appends to b: 0; KE_UNSUPPORTED for a version the schema does not have, and when a field
 * that the version cannot carry is neither default nor ignorable; KE_INVALID for a null where the
 * version allows none; KE_TOOBIG for a string over WIRE_STRING_MAX, or bytes or an array over
 * INT32_MAX; KE_NOMEM. After an error b is as long as it was before.
 *
 * A response that has error codes somewhere also has
 *
 *     bool produce_response_has_error(const struct produce_response *m);     one of them is not 0
 *
 * Records that are not in memory (a Fetch answer carries file ranges): messages with a records
 * field also have
 *
 *     int fetch_response_encode_gaps(const struct fetch_response *m, struct buf *b,
 *                                    int16_t version, struct wire_gaps *gaps);
 *
 * It encodes a records field made by wire_records_elsewhere(size) as its length alone and adds a
 * gap: the position in b where those size bytes belong. Gaps come in the order of the encoding, the
 * order of topics and partitions in the message. What is sent then is b up to the first gap, that
 * gap's bytes, b up to the next, and so on; the frame's length is b's plus gaps->total. Plain
 * _encode answers KE_INVALID to such a field.
 */
#ifndef KCORE_WIRE_WIRE_H
#define KCORE_WIRE_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "wire/reader.h"

struct wire_gap {
    size_t at;   /* index in the buf */
    size_t size; /* bytes that belong before b->p[at] */
};

struct wire_gaps {
    struct wire_gap *v; /* the caller's, room for max; more gaps than that: KE_INVALID */
    int32_t n, max;
    size_t total; /* sum of all sizes */
};

/* A records field whose bytes are elsewhere. size may be 0 (then it is simply empty, no gap). */
struct slice wire_records_elsewhere(size_t size);

/* The writer: big-endian onto a buf. Failure is sticky, and asked for once at the end. */
struct wire_writer {
    struct buf *b;
    size_t start;           /* b->n at the beginning */
    int rc;                 /* 0, or the first failure */
    struct wire_gaps *gaps; /* or NULL */
};

void wire_writer_init(struct wire_writer *w, struct buf *b, struct wire_gaps *gaps);
void wire_write_i8(struct wire_writer *w, int8_t v);
void wire_write_i16(struct wire_writer *w, int16_t v);
void wire_write_i32(struct wire_writer *w, int32_t v);
void wire_write_i64(struct wire_writer *w, int64_t v);
void wire_write_bool(struct wire_writer *w, bool v);
void wire_write_uvarint(struct wire_writer *w, uint32_t v);
void wire_write_uuid(struct wire_writer *w, struct uuid v);
void wire_write_string(struct wire_writer *w, struct slice s, bool compact, bool nullable);
void wire_write_bytes(struct wire_writer *w, struct slice s, bool compact, bool nullable);
void wire_write_records(struct wire_writer *w, struct slice s, bool compact, bool nullable);
/* n == -1 is null. */
void wire_write_count(struct wire_writer *w, int32_t n, bool compact, bool nullable);

/* One tagged field: begin, write the value, end (which puts the size in front of it). */
size_t wire_write_tag(struct wire_writer *w, uint32_t tag);
void wire_end_tag(struct wire_writer *w, size_t at);

/* Notes a failure, unless there was one before. */
void wire_write_fail(struct wire_writer *w, int rc);
/* What an encoder returns; cuts b back after a failure. */
int wire_write_status(struct wire_writer *w);

#endif
