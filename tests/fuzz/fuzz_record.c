/*
 * A batch from a peer, past its CRC: parsed, checked, walked. The checker and the iterator must be
 * of one mind, and nothing decodes to more than the cap.
 */
#include "record/batch.h"
#include "record/control.h"

#include <stdlib.h>

enum { CAP = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static bool inside(struct slice outer, struct slice s)
{
    return slice_is_null(s) || (s.p >= outer.p && s.n <= (size_t)(outer.p + outer.n - s.p));
}

/* Reads every byte that a record hands out. */
static uint32_t touch(struct slice s)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < s.n; i++)
        sum += s.p[i];
    return sum;
}

static void check_record(const struct batch *b, const struct record *r, bool plain)
{
    struct slice at = r->headers;
    int32_t epoch;
    int16_t type;

    must(r->offset >= b->base_offset && r->offset <= batch_last_offset(b));
    must(!plain || (inside(b->records, r->key) && inside(b->records, r->value)));
    touch(r->key);
    touch(r->value);
    for (int32_t i = 0; i < r->header_count; i++) {
        struct header h;
        must(record_header_next(&at, &h) == 0 && !slice_is_null(h.name));
        touch(h.name);
        touch(h.value);
    }
    must(at.n == 0);
    control_parse(r, &type, &epoch);
}

/* How many records come out; negative when the walk fails. Are offsets without gaps? */
static int64_t walk(struct record_iter *it, const struct batch *b, bool *dense)
{
    struct record r;
    int64_t n = 0;
    int rc = record_iter_begin(it, b, CAP, NULL);

    *dense = true;
    while (rc == 0 && (rc = record_next(it, &r, NULL)) == 1) {
        check_record(b, &r, batch_codec(b) == CODEC_NONE);
        *dense &= r.offset == b->base_offset + n;
        n++;
        rc = 0;
        if (n == b->count) {
            rc = record_next(it, &r, NULL);
            must(rc <= 0);
            break;
        }
    }
    return rc < 0 ? rc : n;
}

/* The same without holding the records, of which the same must be told. */
static int64_t skim(struct record_iter *skimming, struct record_iter *it, const struct batch *b)
{
    int64_t n = 0;
    int rc = record_iter_begin(skimming, b, CAP, NULL),
        walked = record_iter_begin(it, b, CAP, NULL);

    must(rc == walked);
    while (rc == 0) {
        struct record r, whole;
        rc = record_skim(skimming, &r, NULL);
        walked = record_next(it, &whole, NULL);
        must((rc < 0) == (walked < 0));
        if (rc <= 0)
            break;
        must(r.offset == whole.offset && r.timestamp == whole.timestamp);
        must(slice_is_null(r.key) == slice_is_null(whole.key));
        if (++n == b->count) {
            rc = record_skim(skimming, &r, NULL);
            must(rc <= 0);
            break;
        }
        rc = 0;
    }
    return rc < 0 ? rc : n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record_iter *it, *skimming;
    struct batch b;
    size_t need = 0;
    int64_t n, skimmed;
    bool dense;
    int rc = batch_parse(slice_of(data, size), &b, &need, NULL);

    must(rc == 0 || rc == KE_CORRUPT || (rc == KE_AGAIN && need > size));
    if (rc < 0 || record_iter_new(&it, NULL) < 0)
        return 0;
    if (record_iter_new(&skimming, NULL) < 0) {
        record_iter_free(it);
        return 0;
    }
    must(b.size <= size);
    batch_check_crc(&b, NULL);
    rc = batch_check_records(&b, CAP, NULL);
    n = walk(it, &b, &dense);
    /* The iterator also refuses offsets past the header's last. */
    must(n < 0 || n == b.count);
    must(n < 0 || dense == (rc == 0));
    skimmed = skim(skimming, it, &b);
    must(skimmed == n || (skimmed < 0 && n < 0));
    record_iter_free(skimming);
    record_iter_free(it);
    return 0;
}
