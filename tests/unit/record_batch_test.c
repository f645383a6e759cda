#include "base/bytes.h"
#include "record/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "record_support.h"

enum { RECORDS = 200 };

static const struct batch_fields plain = {
    .level = CODEC_LEVEL_DEFAULT, .producer_id = -1, .producer_epoch = -1, .base_sequence = -1};

/* A record's fields from its number: nulls, empties, long ones, headers. */
struct made {
    char key[32], value[3000];
    struct slice k, v;
    struct header h[3];
    int32_t headers;
    int64_t timestamp;
};

static void make(struct made *m, int i)
{
    size_t n = i % 50 == 3 ? 2900 : (size_t)(i % 40);

    snprintf(m->key, sizeof m->key, "key %d", i);
    memset(m->value, i, n);
    m->k = i % 5 ? slice_str(m->key) : (struct slice){NULL, 0};
    m->v = i % 7 ? slice_of(m->value, n) : (struct slice){NULL, 0};
    m->headers = i % 4;
    m->h[0] = (struct header){slice_str("n"), slice_str(m->key)};
    m->h[1] = (struct header){slice_str(""), {NULL, 0}};
    m->h[2] = (struct header){slice_str("n"), slice_of("", 0)};
    m->timestamp = 1700000000000 + (i % 3 - 1) * 1000000 * (int64_t)i;
}

static struct slice build(struct batch_builder *w, enum codec c)
{
    struct batch_fields f = plain;
    struct slice out;
    struct made m;

    f.codec = c;
    f.base_offset = 1000;
    batch_start(w);
    for (int i = 0; i < RECORDS; i++) {
        size_t before = w->buf.n, size;
        make(&m, i);
        size = batch_add_size(w, m.timestamp, m.k, m.v, m.h, m.headers);
        assert_true(batch_add(w, m.timestamp, m.k, m.v, m.h, m.headers));
        assert_int_equal(w->buf.n - before, size);
    }
    assert_int_equal(batch_finish(w, &f, &out, NULL), 0);
    return out;
}

static void assert_record(const struct record *r, int i)
{
    struct slice at = r->headers;
    struct made m;

    make(&m, i);
    assert_int_equal(r->offset, 1000 + i);
    assert_int_equal(r->timestamp, m.timestamp);
    assert_true(slice_eq(r->key, m.k));
    assert_true(slice_eq(r->value, m.v));
    assert_int_equal(r->header_count, m.headers);
    for (int k = 0; k < m.headers; k++) {
        struct header h;
        assert_int_equal(record_header_next(&at, &h), 0);
        assert_true(slice_eq(h.name, m.h[k].name));
        assert_true(slice_eq(h.value, m.h[k].value));
    }
}

static int walk(struct slice bytes, size_t cap, bool check)
{
    struct record_iter *it;
    struct record r;
    struct batch b;
    int rc, n = 0;

    rc = batch_parse(bytes, &b, NULL, NULL);
    if (rc < 0)
        return rc;
    assert_int_equal(record_iter_new(&it, NULL), 0);
    rc = record_iter_begin(it, &b, cap, NULL);
    while (rc == 0 && (rc = record_next(it, &r, NULL)) == 1) {
        if (check)
            assert_record(&r, n);
        n++;
        rc = 0;
        if (n == b.count) {
            rc = record_next(it, &r, NULL);
            break;
        }
    }
    record_iter_free(it);
    return rc;
}

/* The same without holding the records. */
static int skim(struct slice bytes, size_t cap)
{
    struct record_iter *it;
    struct record r;
    struct batch b;
    int rc;

    assert_int_equal(batch_parse(bytes, &b, NULL, NULL), 0);
    assert_int_equal(record_iter_new(&it, NULL), 0);
    rc = record_iter_begin(it, &b, cap, NULL);
    for (int n = 0; rc == 0 && n <= b.count; n++) {
        rc = record_skim(it, &r, NULL);
        if (rc == 1) {
            assert_true(n < b.count);
            rc = 0;
        }
    }
    record_iter_free(it);
    return rc;
}

static void every_codec_gives_back_what_went_in(void **state)
{
    struct batch_builder w = {0};

    (void)state;
    for (int c = 0; c < CODEC_COUNT; c++) {
        struct slice s = build(&w, (enum codec)c);
        struct batch b;
        assert_int_equal(batch_parse(s, &b, NULL, NULL), 0);
        assert_int_equal(batch_codec(&b), c);
        assert_int_equal(b.count, RECORDS);
        assert_int_equal(batch_last_offset(&b), 1000 + RECORDS - 1);
        assert_int_equal(batch_check_crc(&b, NULL), 0);
        assert_int_equal(batch_check_records(&b, 1 << 20, NULL), 0);
        assert_int_equal(walk(s, 1 << 20, true), 0);
    }
    batch_builder_free(&w);
}

static void a_cut_or_flipped_batch_is_never_taken(void **state)
{
    struct batch_builder w = {0};

    (void)state;
    for (int c = 0; c < CODEC_COUNT; c++) {
        struct slice s = build(&w, (enum codec)c);
        uint8_t *copy = malloc(s.n);
        struct batch b;
        for (size_t n = 0; n < s.n; n++) {
            size_t need = 0;
            memcpy(copy, s.p, n);
            assert_int_equal(batch_parse(slice_of(copy, n), &b, &need, NULL), KE_AGAIN);
            assert_true(need > n && need <= s.n);
        }
        for (size_t i = 0; i < s.n; i++) {
            memcpy(copy, s.p, s.n);
            copy[i] = (uint8_t)(copy[i] ^ 1 << i % 8);
            if (batch_parse(slice_of(copy, s.n), &b, NULL, NULL) == 0 && i >= 17)
                assert_int_equal(batch_check_crc(&b, NULL), KE_CORRUPT);
        }
        free(copy);
    }
    batch_builder_free(&w);
}

/* What lies inside a good CRC: any single byte of the records changed is refused or read within
 * bounds. */
static void lies_inside_a_good_crc_stay_within_bounds(void **state)
{
    struct batch_builder w = {0};

    (void)state;
    for (int c = 0; c < CODEC_COUNT; c++) {
        struct slice s = build(&w, (enum codec)c);
        for (size_t i = BATCH_HEADER; i < s.n; i += c ? 1 : 3) {
            uint8_t *copy = malloc(s.n);
            struct batch b;
            memcpy(copy, s.p, s.n);
            copy[i] ^= (uint8_t)(1 + rand() % 255);
            assert_int_equal(batch_parse(slice_of(copy, s.n), &b, NULL, NULL), 0);
            batch_check_records(&b, 1 << 20, NULL);
            walk(slice_of(copy, s.n), 1 << 20, false);
            free(copy);
        }
    }
    batch_builder_free(&w);
}

static void counts_and_deltas_must_agree(void **state)
{
    struct batch_builder w = {0};
    struct slice s = build(&w, CODEC_NONE);
    uint8_t *p = (uint8_t *)(uintptr_t)s.p;
    struct batch b;

    (void)state;
    put_be32(p + 57, RECORDS - 1);
    assert_int_equal(batch_parse(s, &b, NULL, NULL), 0);
    assert_int_equal(batch_check_records(&b, 0, NULL), KE_CORRUPT);
    put_be32(p + 57, RECORDS + 1);
    assert_int_equal(batch_parse(s, &b, NULL, NULL), 0);
    assert_int_equal(batch_check_records(&b, 0, NULL), KE_CORRUPT);
    put_be32(p + 57, INT32_MAX);
    assert_int_equal(batch_parse(s, &b, NULL, NULL), 0);
    assert_int_equal(batch_check_records(&b, 0, NULL), KE_CORRUPT);
    batch_builder_free(&w);
}

/* ---- records made by hand ---- */

/* A batch of count records from these bytes, with last as its last offset delta. */
static struct slice by_hand(struct buf *out, enum codec c, struct slice records, int32_t count,
                            int32_t last)
{
    uint8_t *p;

    buf_clear(out);
    buf_add(out, BATCH_HEADER);
    assert_int_equal(codec_compress(c, CODEC_LEVEL_DEFAULT, records, out, NULL), 0);
    p = out->p;
    memset(p, 0, BATCH_HEADER);
    put_be32(p + 8, (uint32_t)(out->n - BATCH_PREFIX));
    p[16] = 2;
    put_be16(p + 21, (uint16_t)c);
    put_be32(p + 23, (uint32_t)last);
    put_be64(p + 27, INT64_MAX - 1);
    put_be64(p + 35, INT64_MAX - 1);
    put_be32(p + 57, (uint32_t)count);
    return buf_slice(out);
}

/* Zig-zag: 2 is 1, 4 is 2, 1 is -1, 3 is -2. A record: length, attributes, time, offset, key,
 * value, headers. */
#define RECORD(delta) "\x10\0\0" delta "\2k\2v\0"
static const struct by_hand_case {
    const char *what;
    const char *bytes;
    size_t n;
    int32_t count, last;
    int check, walk;
} by_hand_cases[] = {
#define CASE(what, bytes, count, last, check, walk)                                                \
    {                                                                                              \
        what, bytes, sizeof bytes - 1, count, last, check, walk                                    \
    }
    CASE("two good ones", RECORD("\0") RECORD("\2"), 2, 1, 0, 0),
    CASE("a gap, as compaction leaves", RECORD("\0") RECORD("\4"), 2, 2, KE_CORRUPT, 0),
    CASE("the same offset twice", RECORD("\0") RECORD("\0"), 2, 1, KE_CORRUPT, KE_CORRUPT),
    CASE("offsets that go back", RECORD("\2") RECORD("\0"), 2, 1, KE_CORRUPT, KE_CORRUPT),
    CASE("a negative offset", RECORD("\1"), 1, 1, KE_CORRUPT, KE_CORRUPT),
    CASE("an offset past the last", RECORD("\4"), 1, 1, KE_CORRUPT, KE_CORRUPT),
    CASE("one more than counted", RECORD("\0") RECORD("\2"), 1, 1, KE_CORRUPT, KE_CORRUPT),
    CASE("one less than counted", RECORD("\0"), 2, 1, KE_CORRUPT, KE_CORRUPT),
    CASE("bytes behind the headers", "\x12\0\0\0\2k\2v\0z", 1, 0, KE_CORRUPT, KE_CORRUPT),
    CASE("headers without their bytes", "\x10\0\0\0\2k\2v\2", 1, 0, KE_CORRUPT, KE_CORRUPT),
    CASE("a negative count of headers", "\x10\0\0\0\2k\2v\1", 1, 0, KE_CORRUPT, KE_CORRUPT),
    CASE("a header", "\x18\0\0\0\2k\2v\2\2n\2h", 1, 0, 0, 0),
    CASE("a header without value", "\x14\0\0\0\2k\2v\2\0\1", 1, 0, 0, 0),
    CASE("a header without name", "\x14\0\0\0\2k\2v\2\1\0", 1, 0, KE_CORRUPT, KE_CORRUPT),
    CASE("a header past the end", "\x18\0\0\0\2k\2v\2\2n\4h", 1, 0, KE_CORRUPT, KE_CORRUPT),
    CASE("no key, no value", "\x0c\0\0\0\1\1\0", 1, 0, 0, 0),
    CASE("a key of length -2", "\x0c\0\0\0\3\1\0", 1, 0, KE_CORRUPT, KE_CORRUPT),
    CASE("a value past the record", RECORD("\0") "\x10\0\0\2\2k\6v\0", 2, 1, KE_CORRUPT,
         KE_CORRUPT),
    CASE("a record of no bytes", "\0\0\0\0\0\0\0\0", 1, 0, KE_CORRUPT, KE_CORRUPT),
    CASE("a record of negative length", "\1\0\0\0\0\0\0\0", 1, 0, KE_CORRUPT, KE_CORRUPT),
    CASE("a record past the batch", "\x40\0\0\0\2k\2v\0", 1, 0, KE_CORRUPT, KE_CORRUPT),
    CASE("a length of eleven bytes", "\x90\x80\x80\x80\x80\x80\x80\x80\x80\x80\0\0\0\0\2k\2v\0", 1,
         0, KE_CORRUPT, KE_CORRUPT),
    CASE("a length of 65 bits", "\x90\x80\x80\x80\x80\x80\x80\x80\x80\2\0\0\0\2k\2v\0", 1, 0,
         KE_CORRUPT, KE_CORRUPT),
    CASE("a time that overflows", "\x10\0\4\0\2k\2v\0", 1, 0, KE_CORRUPT, KE_CORRUPT),
#undef CASE
};

static void records_made_by_hand(void **state)
{
    static const enum codec codecs[] = {CODEC_NONE, CODEC_GZIP};
    struct buf b = {0};

    (void)state;
    for (size_t i = 0; i < sizeof by_hand_cases / sizeof by_hand_cases[0]; i++)
        for (int k = 0; k < 2; k++) {
            const struct by_hand_case *t = &by_hand_cases[i];
            struct slice s = by_hand(&b, codecs[k], slice_of(t->bytes, t->n), t->count, t->last);
            struct batch batch;
            int check, walked = walk(s, 0, false);
            assert_int_equal(batch_parse(s, &batch, NULL, NULL), 0);
            check = batch_check_records(&batch, 0, NULL);
            if (walked != t->walk || check != t->check || skim(s, 0) != t->walk)
                fail_msg("%s, %s: check %d, walk %d", t->what, codec_name(codecs[k]), check,
                         walked);
        }
    buf_free(&b);
}

static void append_time_is_stamped_with_a_new_crc(void **state)
{
    struct batch_builder w = {0};
    struct slice s = build(&w, CODEC_NONE);
    struct record_iter *it;
    struct record r;
    struct batch b;

    (void)state;
    batch_set_append_time((uint8_t *)(uintptr_t)s.p, s.n, 42);
    assert_int_equal(batch_parse(s, &b, NULL, NULL), 0);
    assert_int_equal(batch_check_crc(&b, NULL), 0);
    assert_int_equal(record_iter_new(&it, NULL), 0);
    assert_int_equal(record_iter_begin(it, &b, 0, NULL), 0);
    assert_int_equal(record_next(it, &r, NULL), 1);
    assert_int_equal(r.timestamp, 42);
    record_iter_free(it);
    batch_builder_free(&w);
}

/* A record of 128 MB in a batch that is small, and right: who only checks it does not hold it.
 * Snappy alone has to: its copies may reach back to the first byte. */
static void a_huge_record_is_checked_in_little_memory(void **state)
{
    size_t n = (size_t)128 << 20;
    uint8_t *zeros = calloc(1, n);

    (void)state;
    assert_non_null(zeros);
    for (int c = CODEC_GZIP; c < CODEC_COUNT; c++) {
        struct batch_builder w = {0};
        struct batch_fields f = plain;
        struct slice out;
        struct batch b;
        long mark;
        if (c == CODEC_SNAPPY)
            continue;
        f.codec = (enum codec)c;
        batch_start(&w);
        assert_true(batch_add(&w, 0, slice_of(zeros, n / 2), slice_of(zeros, n / 2), NULL, 0));
        assert_int_equal(batch_finish(&w, &f, &out, NULL), 0);
        buf_free(&w.buf);
        assert_int_equal(batch_parse(out, &b, NULL, NULL), 0);
        mark = memory_mark();
        assert_int_equal(batch_check_records(&b, n * 2, NULL), 0);
        if (memory_grown(mark) > 12 << 10)
            fail_msg("%s took %ld KB", codec_name((enum codec)c), memory_grown(mark));
        batch_builder_free(&w);
    }
    free(zeros);
}

/* 256 MB of zeros in one record, in each codec: refused at the cap, and no more memory taken than
 * a few times the cap. */
static void bombs_stop_at_the_cap(void **state)
{
    size_t n = (size_t)256 << 20;

    (void)state;
    for (int c = 1; c < CODEC_COUNT; c++) {
        uint8_t *zeros = calloc(1, n);
        struct batch_builder w = {0};
        struct batch_fields f = plain;
        struct slice out;
        struct batch b;
        long mark;
        assert_non_null(zeros);
        f.codec = (enum codec)c;
        batch_start(&w);
        assert_true(batch_add(&w, 0, (struct slice){NULL, 0}, slice_of(zeros, n), NULL, 0));
        assert_int_equal(batch_finish(&w, &f, &out, NULL), 0);
        free(zeros);
        buf_free(&w.buf);
        assert_int_equal(batch_parse(out, &b, NULL, NULL), 0);
        mark = memory_mark();
        assert_int_equal(batch_check_records(&b, 1 << 20, NULL), KE_TOOBIG);
        assert_int_equal(walk(out, 1 << 20, false), KE_TOOBIG);
        if (memory_grown(mark) > 12 << 10)
            fail_msg("%s took %ld KB", codec_name((enum codec)c), memory_grown(mark));
        batch_builder_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_codec_gives_back_what_went_in),
        cmocka_unit_test(a_cut_or_flipped_batch_is_never_taken),
        cmocka_unit_test(lies_inside_a_good_crc_stay_within_bounds),
        cmocka_unit_test(counts_and_deltas_must_agree),
        cmocka_unit_test(records_made_by_hand),
        cmocka_unit_test(append_time_is_stamped_with_a_new_crc),
        cmocka_unit_test(a_huge_record_is_checked_in_little_memory),
        cmocka_unit_test(bombs_stop_at_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
