/*
 * reader - a bounds-checked cursor over bytes that came from a peer.
 *
 * Failure is sticky: after the first bad read everything yields zero or null and r->bad stays set,
 * so a decoder reads all its fields and asks once. Nothing points outside [p, end). Counts of
 * arrays are checked against the bytes that remain before anything is allocated: wire_read_count()
 * wants to know the least size of an element.
 *
 * Strings are bytes: like Kafka (Readable.readString) the reader does not refuse malformed UTF-8;
 * who stores or prints one checks it.
 */
#ifndef KCORE_WIRE_READER_H
#define KCORE_WIRE_READER_H

#include "base/arena.h"
#include "base/slice.h"
#include "base/uuid.h"

#define WIRE_STRING_MAX 0x7fff

struct wire_reader {
    const uint8_t *p, *end;
    struct arena *arena; /* where arrays go */
    bool bad;            /* malformed, or ends too early */
    bool nomem;          /* set together with bad */
};

/* A null slice reads like an empty one. */
void wire_reader_init(struct wire_reader *r, struct slice s, struct arena *arena);

static inline size_t wire_left(const struct wire_reader *r)
{
    return (size_t)(r->end - r->p);
}

int8_t wire_read_i8(struct wire_reader *r);
int16_t wire_read_i16(struct wire_reader *r);
int32_t wire_read_i32(struct wire_reader *r);
int64_t wire_read_i64(struct wire_reader *r);
bool wire_read_bool(struct wire_reader *r);        /* any byte but 0 is true */
uint32_t wire_read_uvarint(struct wire_reader *r); /* unsigned, at most 5 bytes and 32 bits */
struct uuid wire_read_uuid(struct wire_reader *r);
/* int16 length; compact: unsigned varint n + 1. -1 (compact 0) is null: bad unless nullable. More
 * than WIRE_STRING_MAX bytes are bad in both forms. */
struct slice wire_read_string(struct wire_reader *r, bool compact, bool nullable);
/* int32 length; compact as above. Records are read the same way. */
struct slice wire_read_bytes(struct wire_reader *r, bool compact, bool nullable);
/* int32; compact as above. -1 is null. Bad (and 0) when count * least > bytes left; least > 0. */
int32_t wire_read_count(struct wire_reader *r, bool compact, bool nullable, size_t least);
/* The byte before a struct that may be null: 1 when the struct follows, 0 when it is null. */
int32_t wire_read_present(struct wire_reader *r);
/* Room for the elements that wire_read_count() allowed, from the arena; NULL for n <= 0. */
void *wire_read_array(struct wire_reader *r, int32_t n, size_t size);

/*
 * The tagged fields behind a struct. wire_tags_next() gives one after the other: t->tag, and a
 * reader *field over exactly its bytes. Who knows the tag reads it and calls wire_tag_done(), which
 * finds fault with bytes left over; who does not know it calls nothing. Tags that repeat or do not
 * ascend are bad (KIP-482).
 */
struct wire_tags {
    uint32_t left; /* fields not yet read */
    uint32_t tag;
    bool first;
};
struct wire_tags wire_read_tags(struct wire_reader *r);
bool wire_tags_next(struct wire_tags *t, struct wire_reader *r, struct wire_reader *field);
void wire_tag_done(struct wire_reader *r, const struct wire_reader *field);
/* Passes over all of them. */
void wire_skip_tags(struct wire_reader *r);

/* What a decoder returns: 0, KE_CORRUPT or KE_NOMEM. */
int wire_read_status(const struct wire_reader *r);

#endif
