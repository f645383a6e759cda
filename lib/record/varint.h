/*
 * varint - the record format's zig-zag varints (protobuf's sint32 and sint64), inline: they are the
 * inner loop of everything that touches records. Readers never pass end and take at most 10 bytes.
 */
#ifndef KCORE_RECORD_VARINT_H
#define KCORE_RECORD_VARINT_H

#include <stddef.h>
#include <stdint.h>

#define VARINT_MAX ((size_t)10)

static inline uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

/* p has room for VARINT_MAX bytes. Returns behind what was written. */
static inline uint8_t *varint_put(uint8_t *p, int64_t v)
{
    uint64_t z = zigzag(v);

    for (; z > 127; z >>= 7)
        *p++ = (uint8_t)(z | 128);
    *p++ = (uint8_t)z;
    return p;
}

static inline size_t varint_size(int64_t v)
{
    uint64_t z = zigzag(v) | 1;

    return ((size_t)(63 - __builtin_clzll(z)) + 7) / 7; /* bits / 7, rounded up */
}

/* Behind the varint, or NULL where it passes end or is longer than 64 bits. */
static inline const uint8_t *varint_get(const uint8_t *p, const uint8_t *end, int64_t *v)
{
    uint64_t z = 0;

    for (int shift = 0; p < end && shift < 70; shift += 7) {
        uint8_t c = *p++;
        if (shift == 63 && c > 1)
            return NULL;
        z |= (uint64_t)(c & 127) << shift;
        if (!(c & 128)) {
            *v = (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
            return p;
        }
    }
    return NULL;
}

#endif
