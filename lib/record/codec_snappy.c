/*
 * Snappy knows only whole blocks. A stream is either one raw block (librdkafka) or snappy-java's
 * framing: 82 'SNAPPY' 00, two int32 (version, oldest compatible version), then blocks with an
 * int32 length each. The library is loaded at the first use, because it brings 1.4 MB of C++
 * runtime along.
 */
#include "record/codec_impl.h"

#include "base/bytes.h"

#include <dlfcn.h>
#include <pthread.h>
#include <snappy-c.h>
#include <stdlib.h>

#define JAVA_HEADER ((size_t)16)
#define JAVA_BLOCK  ((size_t)32 << 10)
/* A copy of three bytes gives at most 64: nothing honest expands more. */
#define MOST_EXPANSION ((size_t)32)

static const uint8_t java_magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

static struct {
    pthread_once_t once;
    bool loaded;
    __typeof__(snappy_compress) *compress;
    __typeof__(snappy_uncompress) *uncompress;
    __typeof__(snappy_max_compressed_length) *bound;
    __typeof__(snappy_uncompressed_length) *length;
} lib = {.once = PTHREAD_ONCE_INIT};

static void load(void)
{
    void *h = dlopen("libsnappy.so.1", RTLD_NOW | RTLD_LOCAL);

    if (!h)
        return;
    *(void **)&lib.compress = dlsym(h, "snappy_compress");
    *(void **)&lib.uncompress = dlsym(h, "snappy_uncompress");
    *(void **)&lib.bound = dlsym(h, "snappy_max_compressed_length");
    *(void **)&lib.length = dlsym(h, "snappy_uncompressed_length");
    lib.loaded = lib.compress && lib.uncompress && lib.bound && lib.length;
}

static int need_library(struct kerr *e)
{
    pthread_once(&lib.once, load);
    return lib.loaded
               ? 0
               : kerr_set(e, KE_CODEC, "snappy needs libsnappy.so.1, which is not installed");
}

struct snappy_stream {
    struct codec_stream base;
    bool java, started;
    struct buf block; /* the decoded one */
    size_t used;      /* of it */
};

static int snappy_open(struct codec_stream *s, struct kerr *e)
{
    struct snappy_stream *y = (struct snappy_stream *)s;

    y->java = s->in.n >= sizeof java_magic && memcmp(s->in.p, java_magic, sizeof java_magic) == 0;
    if (y->java) {
        if (s->in.n < JAVA_HEADER)
            return kerr_set(e, KE_CORRUPT, "snappy stream: header of %zu bytes", s->in.n);
        s->in = slice_of(s->in.p + JAVA_HEADER, s->in.n - JAVA_HEADER);
        y->started = true; /* an empty framed stream is whole */
    }
    return need_library(e);
}

static int decode_block(struct snappy_stream *y, struct slice in, struct kerr *e)
{
    size_t cap = y->base.cap - y->base.produced, n;
    uint8_t *to;

    if (lib.length((const char *)in.p, in.n, &n) != SNAPPY_OK || n / MOST_EXPANSION > in.n)
        return kerr_set(e, KE_CORRUPT, "snappy block of %zu bytes is malformed", in.n);
    if (n > cap)
        return kerr_set(e, KE_TOOBIG, "snappy block decodes to %zu bytes, over %zu", n, cap);
    buf_clear(&y->block);
    y->used = 0;
    /* an empty block is one, too: it must not look like missing memory */
    to = buf_reserve(&y->block, n + 1) ? buf_add(&y->block, n) : NULL;
    if (!to)
        return kerr_set(e, KE_NOMEM, "snappy block of %zu bytes", n);
    if (lib.uncompress((const char *)in.p, in.n, (char *)to, &n) != SNAPPY_OK)
        return kerr_set(e, KE_CORRUPT, "snappy block of %zu bytes is malformed", in.n);
    y->block.n = n;
    return 0;
}

/* The next block's bytes: the whole input, or one frame of it. */
static int next_block(struct snappy_stream *y, struct slice *block, struct kerr *e)
{
    struct slice *in = &y->base.in;
    size_t n = in->n, head = 0;

    if (y->java) {
        if (in->n < 4 || get_be32(in->p) > in->n - 4)
            return kerr_set(e, KE_CORRUPT, "snappy stream: ends within a block");
        head = 4;
        n = get_be32(in->p);
    }
    *block = slice_of(in->p + head, n);
    *in = slice_of(in->p + head + n, in->n - head - n);
    y->started = true;
    return 0;
}

static ssize_t snappy_read(struct codec_stream *s, uint8_t *p, size_t n, struct kerr *e)
{
    struct snappy_stream *y = (struct snappy_stream *)s;

    while (y->used == y->block.n) {
        struct slice block = {NULL, 0};
        int rc;
        if (s->in.n == 0 && y->started)
            return 0;
        rc = next_block(y, &block, e);
        if (rc == 0)
            rc = decode_block(y, block, e);
        if (rc < 0)
            return rc;
    }
    if (n > y->block.n - y->used)
        n = y->block.n - y->used;
    if (n)
        memcpy(p, y->block.p + y->used, n);
    y->used += n;
    return (ssize_t)n;
}

static void snappy_close(struct codec_stream *s)
{
    buf_free(&((struct snappy_stream *)s)->block);
}

static int compress_block(struct slice in, struct buf *out, struct kerr *e)
{
    size_t n = lib.bound(in.n);
    size_t at = out->n;

    if (!buf_reserve(out, 4 + n))
        return kerr_set(e, KE_NOMEM, "snappy writer");
    if (lib.compress((const char *)in.p, in.n, (char *)out->p + at + 4, &n) != SNAPPY_OK)
        return kerr_set(e, KE_INVALID, "snappy writer");
    put_be32(out->p + at, (uint32_t)n);
    out->n = at + 4 + n;
    return 0;
}

static int snappy_compress_java(int level, struct slice in, struct buf *out, struct kerr *e)
{
    uint8_t version[8];
    int rc = need_library(e);

    (void)level;
    put_be32(version, 1);
    put_be32(version + 4, 1);
    buf_put(out, java_magic, sizeof java_magic);
    buf_put(out, version, sizeof version);
    while (rc == 0 && in.n > 0) {
        size_t n = in.n < JAVA_BLOCK ? in.n : JAVA_BLOCK;
        rc = compress_block(slice_of(in.p, n), out, e);
        in = slice_of(in.p + n, in.n - n);
    }
    return rc;
}

const struct codec_impl codec_snappy = {"snappy",
                                        1,
                                        0,
                                        sizeof(struct snappy_stream),
                                        snappy_open,
                                        snappy_read,
                                        snappy_close,
                                        snappy_compress_java};
