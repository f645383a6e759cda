/*
 * reader - a bounds-checked cursor over bytes that came from a peer.
 *
 * Failure is sticky: after the first bad read everything yields zero or null and r->bad stays set,
 * so a decoder reads all its fields and asks once. Nothing points outside [p, end). Counts of
 * arrays are checked against the bytes that remain before anything is allocated: wire_read_count()
 * wants to know the least size of an element.
 */
#ifndef KCORE_WIRE_READER_H
#define KCORE_WIRE_READER_H

#include "base/arena.h"
#include "base/slice.h"
#include "base/uuid.h"

struct wire_reader {
    const uint8_t *p, *end;
    struct arena *arena; /* where arrays go */
    bool bad;            /* malformed, or ends too early */
    bool nomem;          /* set together with bad */
};

void wire_reader_init(struct wire_reader *r, struct slice s, struct arena *arena);

static inline size_t wire_left(const struct wire_reader *r)
{
    return (size_t)(r->end - r->p);
}

int8_t wire_read_i8(struct wire_reader *r);
int16_t wire_read_i16(struct wire_reader *r);
int32_t wire_read_i32(struct wire_reader *r);
int64_t wire_read_i64(struct wire_reader *r);
double wire_read_f64(struct wire_reader *r);
uint16_t wire_read_u16(struct wire_reader *r);
bool wire_read_bool(struct wire_reader *r);
uint32_t wire_read_uvarint(struct wire_reader *r); /* unsigned, at most 5 bytes */
struct uuid wire_read_uuid(struct wire_reader *r);
/* int16 length; compact: unsigned varint n + 1. -1 (compact 0) is null: bad unless nullable. */
struct slice wire_read_string(struct wire_reader *r, bool compact, bool nullable);
/* int32 length; compact as above. Records are read the same way. */
struct slice wire_read_bytes(struct wire_reader *r, bool compact, bool nullable);
/* -1 is null. Fails when count * least > bytes left. */
int32_t wire_read_count(struct wire_reader *r, bool compact, bool nullable, size_t least);

#endif
