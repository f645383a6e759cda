#include "record/codec_impl.h"

#include <stdlib.h>

static int none_open(struct codec_stream *s, struct kerr *e)
{
    (void)s;
    (void)e;
    return 0;
}

static ssize_t none_read(struct codec_stream *s, uint8_t *p, size_t n, struct kerr *e)
{
    (void)e;
    if (n > s->in.n)
        n = s->in.n;
    if (n)
        memcpy(p, s->in.p, n);
    s->in = slice_of(s->in.p + n, s->in.n - n);
    return (ssize_t)n;
}

static void none_close(struct codec_stream *s)
{
    (void)s;
}

static int none_compress(int level, struct slice in, struct buf *out, struct kerr *e)
{
    (void)level;
    buf_put_slice(out, in);
    return out->failed ? kerr_set(e, KE_NOMEM, "%zu bytes of records", in.n) : 0;
}

static const struct codec_impl codec_none = {
    "none", 1, 0, sizeof(struct codec_stream), none_open, none_read, none_close, none_compress};

/* The order is that of enum codec. */
static const struct codec_impl *const codecs[CODEC_COUNT] = {
    &codec_none, &codec_gzip, &codec_snappy, &codec_lz4, &codec_zstd};

struct codec_reader {
    const struct codec_impl *impl;
    struct codec_stream *stream;
};

static const struct codec_impl *impl_of(enum codec c)
{
    return (unsigned)c < CODEC_COUNT ? codecs[c] : NULL;
}

const char *codec_name(enum codec c)
{
    const struct codec_impl *impl = impl_of(c);

    return impl ? impl->name : NULL;
}

bool codec_parse(const char *name, enum codec *c)
{
    for (int i = 0; i < CODEC_COUNT; i++)
        if (strcmp(name, codecs[i]->name) == 0) {
            *c = (enum codec)i;
            return true;
        }
    return false;
}

void codec_levels(enum codec c, int *min, int *max)
{
    const struct codec_impl *impl = impl_of(c);

    *min = impl ? impl->min_level : 1;
    *max = impl ? impl->max_level : 0;
}

int codec_compress(enum codec c, int level, struct slice in, struct buf *out, struct kerr *e)
{
    const struct codec_impl *impl = impl_of(c);

    if (!impl)
        return kerr_set(e, KE_CODEC, "unknown compression %d", (int)c);
    if (level != CODEC_LEVEL_DEFAULT && (level < impl->min_level || level > impl->max_level))
        return kerr_set(e, KE_INVALID, "compression level %d of %s, expected %d to %d", level,
                        impl->name, impl->min_level, impl->max_level);
    return impl->compress(level, in, out, e);
}

int codec_reader_new(struct codec_reader **out, enum codec c, struct slice in, size_t cap,
                     struct kerr *e)
{
    const struct codec_impl *impl = impl_of(c);
    struct codec_reader *r;
    int rc;

    *out = NULL;
    if (!impl)
        return kerr_set(e, KE_CODEC, "unknown compression %d", (int)c);
    r = calloc(1, sizeof *r);
    if (r)
        r->stream = calloc(1, impl->stream_size);
    if (!r || !r->stream) {
        free(r);
        return kerr_set(e, KE_NOMEM, "%s reader", impl->name);
    }
    r->impl = impl;
    *r->stream = (struct codec_stream){.in = in, .cap = cap};
    rc = impl->open(r->stream, e);
    if (rc < 0) {
        free(r->stream);
        free(r);
        return rc;
    }
    *out = r;
    return 0;
}

ssize_t codec_read(struct codec_reader *r, void *p, size_t n, struct kerr *e)
{
    ssize_t k = r->impl->read(r->stream, p, n, e);

    if (k < 0)
        return k;
    if ((size_t)k > r->stream->cap - r->stream->produced)
        return kerr_set(e, KE_TOOBIG, "%s stream decodes to over %zu bytes", r->impl->name,
                        r->stream->cap);
    r->stream->produced += (size_t)k;
    return k;
}

void codec_reader_free(struct codec_reader *r)
{
    if (!r)
        return;
    r->impl->close(r->stream);
    free(r->stream);
    free(r);
}
