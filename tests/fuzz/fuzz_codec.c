/*
 * A compressed stream from a peer: the first byte is the codec, the second how large the reader's
 * pieces are. Decoded in pieces or at once it is the same, and never more than the cap.
 */
#include "record/codec.h"

#include <stdlib.h>

enum { CAP = 1 << 18 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* 0 and all bytes, or the error and those before it. */
static int decode(enum codec c, struct slice in, size_t piece, struct buf *out)
{
    struct codec_reader *r;
    ssize_t k = codec_reader_new(&r, c, in, CAP, NULL);

    if (k < 0)
        return (int)k;
    do {
        uint8_t *p = buf_add(out, piece);
        must(p != NULL);
        k = codec_read(r, p, piece, NULL);
        must(k <= (ssize_t)piece);
        out->n -= piece - (k > 0 ? (size_t)k : 0);
        must(out->n <= CAP);
    } while (k > 0);
    codec_reader_free(r);
    return (int)k;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf a = {0}, b = {0}, packed = {0}, c = {0};
    enum codec codec;
    struct slice in;

    if (size < 2)
        return 0;
    codec = (enum codec)(data[0] % CODEC_COUNT);
    in = slice_of(data + 2, size - 2);
    if (decode(codec, in, (size_t)data[1] + 1, &a) == 0) {
        must(decode(codec, in, CAP, &b) == 0);
        must(slice_eq(buf_slice(&a), buf_slice(&b)));
        must(codec_compress(codec, CODEC_LEVEL_DEFAULT, buf_slice(&a), &packed, NULL) == 0);
        must(decode(codec, buf_slice(&packed), 4096, &c) == 0);
        must(slice_eq(buf_slice(&a), buf_slice(&c)));
    }
    buf_free(&a);
    buf_free(&b);
    buf_free(&c);
    buf_free(&packed);
    return 0;
}
