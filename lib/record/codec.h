/*
 * codec - the four compressions of record batches, numbered as in a batch's attributes.
 *
 * Decoding is a stream with a window of the caller's choosing, so nothing announced by a peer is
 * ever allocated. Reads: gzip; snappy raw and framed by snappy-java (82 'SNAPPY' 0, two int32, then
 * int32-length blocks); the lz4 frame format; zstd. Writes what Java reads: gzip, snappy-java
 * framing, lz4 frames of independent blocks, zstd.
 * The snappy library is loaded on first use (it brings the C++ runtime).
 */
#ifndef KCORE_RECORD_CODEC_H
#define KCORE_RECORD_CODEC_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#include <sys/types.h>

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD, CODEC_COUNT };

#define CODEC_LEVEL_DEFAULT (-1000)

/* "none", "gzip", ... as in compression.type; NULL past the last. */
const char *codec_name(enum codec c);
/* False for an unknown name. */
bool codec_parse(const char *name, enum codec *c);
/* The levels that the codec has: *min > *max where it has none. */
void codec_levels(enum codec c, int *min, int *max);

/* Appends the compressed form of in to out. */
int codec_compress(enum codec c, int level, struct slice in, struct buf *out, struct kerr *e);

struct codec_reader;
/* in must outlive the reader. CODEC_NONE hands the bytes through. KE_CODEC for an unknown number.
 */
/* cap: no more decoded bytes are wanted in all; formats that announce a block's size (snappy)
 * refuse a larger one before they allocate. */
int codec_reader_new(struct codec_reader **out, enum codec c, struct slice in, size_t cap,
                     struct kerr *e);
/* Up to n decoded bytes into p: the count, 0 at the end (all input consumed), or KE_CORRUPT. */
ssize_t codec_read(struct codec_reader *r, void *p, size_t n, struct kerr *e);
void codec_reader_free(struct codec_reader *r);

#endif
