/* A batch in another codec. The records are a stream of bytes that no codec looks into, so they are
 * decoded and encoded as they are. */
#include "record/batch.h"

#include "base/bytes.h"
#include "os/crc32c.h"

enum { STEP = 64 << 10 };

/* Appends the decoded records. */
static int decode(const struct batch *b, size_t cap, struct buf *out, struct kerr *e)
{
    struct codec_reader *r;
    size_t start = out->n;
    int rc = codec_reader_new(&r, batch_codec(b), b->records, cap, e);
    ssize_t k = 0;

    if (rc < 0)
        return rc;
    do {
        if (!buf_reserve(out, STEP)) {
            rc = kerr_set(e, KE_NOMEM, "records to be recoded");
            break;
        }
        k = codec_read(r, out->p + out->n, STEP, e);
        if (k > 0)
            out->n += (size_t)k;
        if (k < 0)
            rc = (int)k;
        else if (out->n - start > cap)
            rc = kerr_set(e, KE_TOOBIG, "records of more than %zu bytes", cap);
    } while (rc == 0 && k > 0);
    codec_reader_free(r);
    return rc;
}

int batch_recode(const struct batch *b, enum codec codec, int level, size_t cap, struct buf *out,
                 struct kerr *e)
{
    size_t start = out->n;
    struct buf plain = {0};
    uint8_t *p;
    int rc;

    buf_put(out, b->bytes.p, BATCH_HEADER);
    rc = decode(b, cap, codec == CODEC_NONE ? out : &plain, e);
    if (rc == 0 && codec != CODEC_NONE)
        rc = codec_compress(codec, level, buf_slice(&plain), out, e);
    buf_free(&plain);
    if (rc == 0 && out->failed)
        rc = kerr_set(e, KE_NOMEM, "recoded batch");
    if (rc == 0 && out->n - start > INT32_MAX)
        rc = kerr_set(e, KE_TOOBIG, "batch of %zu bytes", out->n - start);
    if (rc < 0)
        return rc;
    p = out->p + start;
    put_be32(p + 8, (uint32_t)(out->n - start - BATCH_PREFIX));
    put_be16(p + 21, (uint16_t)(b->attributes - batch_codec(b) + codec));
    put_be32(p + 17, os_crc32c(0, p + 21, out->n - start - 21));
    return 0;
}
