/*
 * codec_impl - one codec as a value; lib/record/codec.c has the table of them.
 */
#ifndef KCORE_RECORD_CODEC_IMPL_H
#define KCORE_RECORD_CODEC_IMPL_H

#include "record/codec.h"

/* What every reader begins with; in is what has not been consumed. */
struct codec_stream {
    struct slice in;
    size_t cap, produced;
};

struct codec_impl {
    const char *name;
    int min_level, max_level; /* min > max: no levels */
    size_t stream_size;       /* of the reader's struct, whose first member is a codec_stream */
    int (*open)(struct codec_stream *s, struct kerr *e);
    ssize_t (*read)(struct codec_stream *s, uint8_t *p, size_t n, struct kerr *e);
    void (*close)(struct codec_stream *s);
    int (*compress)(int level, struct slice in, struct buf *out, struct kerr *e);
};

extern const struct codec_impl codec_gzip, codec_snappy, codec_lz4, codec_zstd;

#endif
