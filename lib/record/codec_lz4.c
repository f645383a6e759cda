/*
 * The lz4 frame format (magic 0x184D2204). Blocks are written independent and of 64 KiB, because
 * Java's reader refuses others; what is read may be anything that the library can decode.
 */
#include "record/codec_impl.h"

#include <lz4frame.h>

struct lz4_stream {
    struct codec_stream base;
    LZ4F_dctx *ctx;
    bool ended;
};

static int lz4_open(struct codec_stream *s, struct kerr *e)
{
    struct lz4_stream *l = (struct lz4_stream *)s;

    if (LZ4F_isError(LZ4F_createDecompressionContext(&l->ctx, LZ4F_VERSION)))
        return kerr_set(e, KE_NOMEM, "lz4 reader");
    return 0;
}

static ssize_t lz4_read(struct codec_stream *s, uint8_t *p, size_t n, struct kerr *e)
{
    struct lz4_stream *l = (struct lz4_stream *)s;

    while (!l->ended) {
        size_t out = n, in = s->in.n;
        size_t hint = LZ4F_decompress(l->ctx, p, &out, s->in.p, &in, NULL);
        if (LZ4F_isError(hint))
            return kerr_set(e, KE_CORRUPT, "lz4 stream: %s", LZ4F_getErrorName(hint));
        s->in = slice_of(s->in.p + in, s->in.n - in);
        l->ended = hint == 0;
        if (out > 0)
            return (ssize_t)out;
        if (!l->ended && in == 0)
            return kerr_set(e, KE_CORRUPT, "lz4 stream: ends too early");
    }
    if (s->in.n > 0)
        return kerr_set(e, KE_CORRUPT, "lz4 stream: %zu bytes behind its frame", s->in.n);
    return 0;
}

static void lz4_close(struct codec_stream *s)
{
    LZ4F_freeDecompressionContext(((struct lz4_stream *)s)->ctx);
}

static int lz4_compress(int level, struct slice in, struct buf *out, struct kerr *e)
{
    LZ4F_preferences_t prefs = {
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
        .compressionLevel = level == CODEC_LEVEL_DEFAULT ? 0 : level,
    };
    size_t bound = LZ4F_compressFrameBound(in.n, &prefs), n;

    if (!buf_reserve(out, bound))
        return kerr_set(e, KE_NOMEM, "lz4 writer");
    n = LZ4F_compressFrame(out->p + out->n, bound, in.p, in.n, &prefs);
    if (LZ4F_isError(n))
        return kerr_set(e, KE_INVALID, "lz4 writer: %s", LZ4F_getErrorName(n));
    out->n += n;
    return 0;
}

const struct codec_impl codec_lz4 = {"lz4",    1,        17,        sizeof(struct lz4_stream),
                                     lz4_open, lz4_read, lz4_close, lz4_compress};
