#include "record/codec_impl.h"

#include <zstd.h>
#include <zstd_errors.h>

struct zstd_stream {
    struct codec_stream base;
    ZSTD_DCtx *ctx;
    bool frame_ended;
};

/* The library's own limit on windows (2^27) is Java's too. */
static int zstd_open(struct codec_stream *s, struct kerr *e)
{
    struct zstd_stream *z = (struct zstd_stream *)s;

    z->ctx = ZSTD_createDCtx();
    return z->ctx ? 0 : kerr_set(e, KE_NOMEM, "zstd reader");
}

static ssize_t zstd_read(struct codec_stream *s, uint8_t *p, size_t n, struct kerr *e)
{
    struct zstd_stream *z = (struct zstd_stream *)s;
    ZSTD_outBuffer out = {p, n, 0};

    while (out.pos == 0 && !(z->frame_ended && s->in.n == 0)) {
        ZSTD_inBuffer in = {s->in.p, s->in.n, 0};
        size_t rc = ZSTD_decompressStream(z->ctx, &out, &in);
        if (ZSTD_isError(rc))
            return kerr_set(
                e, ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation ? KE_NOMEM : KE_CORRUPT,
                "zstd stream: %s", ZSTD_getErrorName(rc));
        s->in = slice_of(s->in.p + in.pos, s->in.n - in.pos);
        z->frame_ended = rc == 0;
        if (in.pos == 0 && out.pos == 0 && !z->frame_ended)
            return kerr_set(e, KE_CORRUPT, "zstd stream: ends too early");
    }
    return (ssize_t)out.pos;
}

static void zstd_close(struct codec_stream *s)
{
    ZSTD_freeDCtx(((struct zstd_stream *)s)->ctx);
}

static int zstd_compress(int level, struct slice in, struct buf *out, struct kerr *e)
{
    size_t bound = ZSTD_compressBound(in.n), n;

    if (!buf_reserve(out, bound))
        return kerr_set(e, KE_NOMEM, "zstd writer");
    n = ZSTD_compress(out->p + out->n, bound, in.p, in.n,
                      level == CODEC_LEVEL_DEFAULT ? ZSTD_CLEVEL_DEFAULT : level);
    if (ZSTD_isError(n))
        return kerr_set(e, KE_NOMEM, "zstd writer: %s", ZSTD_getErrorName(n));
    out->n += n;
    return 0;
}

const struct codec_impl codec_zstd = {"zstd",    -131072,   22,         sizeof(struct zstd_stream),
                                      zstd_open, zstd_read, zstd_close, zstd_compress};
