#include "record/codec_impl.h"

#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* zlib: the largest window, with gzip's header and trailer */

struct gzip_stream {
    struct codec_stream base;
    z_stream z;
    bool member_ended;
};

static int gzip_open(struct codec_stream *s, struct kerr *e)
{
    struct gzip_stream *g = (struct gzip_stream *)s;

    if (inflateInit2(&g->z, GZIP_WINDOW) != Z_OK)
        return kerr_set(e, KE_NOMEM, "gzip reader");
    return 0;
}

/* One call of inflate; several members in a row are one stream, as gzip -c a b makes and Java
 * reads. */
static int inflate_some(struct gzip_stream *g, struct kerr *e)
{
    struct slice *in = &g->base.in;
    uInt offered = in->n > (1u << 30) ? 1u << 30 : (uInt)in->n;
    int rc;

    if (g->member_ended) {
        if (inflateReset(&g->z) != Z_OK)
            return kerr_set(e, KE_CORRUPT, "gzip member");
        g->member_ended = false;
    }
    g->z.next_in = (Bytef *)(uintptr_t)in->p; /* zlib only reads it */
    g->z.avail_in = offered;
    rc = inflate(&g->z, Z_NO_FLUSH);
    *in = slice_of(in->p + (offered - g->z.avail_in), in->n - (offered - g->z.avail_in));
    if (rc == Z_STREAM_END) {
        g->member_ended = true;
        return 0;
    }
    if (rc == Z_OK)
        return 0;
    if (rc == Z_MEM_ERROR)
        return kerr_set(e, KE_NOMEM, "gzip reader");
    return kerr_set(e, KE_CORRUPT, "gzip stream: %s",
                    rc == Z_BUF_ERROR ? "ends too early" : (g->z.msg ? g->z.msg : "malformed"));
}

static ssize_t gzip_read(struct codec_stream *s, uint8_t *p, size_t n, struct kerr *e)
{
    struct gzip_stream *g = (struct gzip_stream *)s;
    uInt room = n > (1u << 30) ? 1u << 30 : (uInt)n;

    g->z.next_out = p;
    g->z.avail_out = room;
    while (g->z.avail_out == room) {
        int rc;
        if (g->member_ended && s->in.n == 0)
            return 0;
        rc = inflate_some(g, e);
        if (rc < 0)
            return rc;
    }
    return (ssize_t)(room - g->z.avail_out);
}

static void gzip_close(struct codec_stream *s)
{
    inflateEnd(&((struct gzip_stream *)s)->z);
}

static int gzip_compress(int level, struct slice in, struct buf *out, struct kerr *e)
{
    z_stream z = {0};
    size_t bound;
    uint8_t *to;
    int rc;

    if (in.n > INT32_MAX)
        return kerr_set(e, KE_TOOBIG, "%zu bytes to compress", in.n);
    if (deflateInit2(&z, level == CODEC_LEVEL_DEFAULT ? Z_DEFAULT_COMPRESSION : level, Z_DEFLATED,
                     GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return kerr_set(e, KE_NOMEM, "gzip writer");
    bound = deflateBound(&z, (uLong)in.n);
    if (!buf_reserve(out, bound)) {
        deflateEnd(&z);
        return kerr_set(e, KE_NOMEM, "gzip writer");
    }
    to = out->p + out->n;
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = to;
    z.avail_out = (uInt)bound;
    rc = deflate(&z, Z_FINISH);
    out->n += z.total_out;
    deflateEnd(&z);
    return rc == Z_STREAM_END ? 0 : kerr_set(e, KE_INVALID, "gzip writer: error %d", rc);
}

const struct codec_impl codec_gzip = {"gzip",    1,         9,          sizeof(struct gzip_stream),
                                      gzip_open, gzip_read, gzip_close, gzip_compress};
