/*
 * The codecs by themselves. Streams that Kafka's classes made are in log_kafka_test; here is what
 * no well-behaved peer sends.
 */
#include "base/bytes.h"
#include "record/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <lz4frame.h>

#include "record_support.h"

enum { SIZE = 200000 };

static uint8_t *text(void)
{
    uint8_t *p = malloc(SIZE);

    assert_non_null(p);
    for (size_t i = 0; i < SIZE; i++)
        p[i] = (uint8_t)(i % 251 < 200 ? i * i >> 9 : 'k');
    return p;
}

static struct buf pack(enum codec c, int level, struct slice in)
{
    struct buf b = {0};

    assert_int_equal(codec_compress(c, level, in, &b, NULL), 0);
    return b;
}

/* 0 when in decodes to exactly want in pieces of that size, else the error, or 1: to other bytes.
 */
static int unpack(enum codec c, struct slice in, size_t cap, size_t piece, struct slice want)
{
    struct codec_reader *r;
    struct buf out = {0};
    ssize_t k = codec_reader_new(&r, c, in, cap, NULL);
    bool same;

    if (k < 0)
        return (int)k;
    do {
        uint8_t *p = buf_add(&out, piece);
        k = codec_read(r, p, piece, NULL);
        out.n -= piece - (k > 0 ? (size_t)k : 0);
    } while (k > 0);
    codec_reader_free(r);
    same = slice_eq(buf_slice(&out), want);
    buf_free(&out);
    return k < 0 ? (int)k : !same;
}

static void every_level_and_piece(void **state)
{
    uint8_t *p = text();
    struct slice in = slice_of(p, SIZE), few = slice_of(p, 700);

    (void)state;
    for (int c = 0; c < CODEC_COUNT; c++) {
        int min, max;
        struct buf b = pack((enum codec)c, CODEC_LEVEL_DEFAULT, in);
        assert_int_equal(unpack((enum codec)c, buf_slice(&b), SIZE, SIZE, in), 0);
        assert_int_equal(unpack((enum codec)c, buf_slice(&b), SIZE, 4097, in), 0);
        assert_int_equal(unpack((enum codec)c, buf_slice(&b), SIZE - 1, 4097, in), KE_TOOBIG);
        buf_free(&b);
        b = pack((enum codec)c, CODEC_LEVEL_DEFAULT, few);
        assert_int_equal(unpack((enum codec)c, buf_slice(&b), SIZE, 1, few), 0);
        buf_free(&b);
        b = pack((enum codec)c, CODEC_LEVEL_DEFAULT, slice_of("", 0));
        assert_int_equal(unpack((enum codec)c, buf_slice(&b), SIZE, 10, slice_of("", 0)), 0);
        buf_free(&b);
        codec_levels((enum codec)c, &min, &max);
        for (int level = min; level <= max; level += level < -5 ? 40000 : 1) {
            b = pack((enum codec)c, level, few);
            assert_int_equal(unpack((enum codec)c, buf_slice(&b), SIZE, 99, few), 0);
            buf_free(&b);
        }
        if (min <= max)
            assert_int_equal(codec_compress((enum codec)c, max + 1, few, &b, NULL), KE_INVALID);
    }
    free(p);
}

/* Cut anywhere it is corrupt; so it is with a byte behind it. A raw snappy block cannot be told
 * from a cut one by its end alone, but its length is in front. */
static void cut_or_followed_by_garbage(void **state)
{
    uint8_t *p = text();
    struct slice in = slice_of(p, 3000);

    (void)state;
    for (int c = 1; c < CODEC_COUNT; c++) {
        struct buf b = pack((enum codec)c, CODEC_LEVEL_DEFAULT, in);
        for (size_t cut = 0; cut < b.n; cut++) {
            int rc = unpack((enum codec)c, slice_of(b.p, cut), SIZE, 512, in);
            /* the framing's header alone is an empty stream */
            if (c == CODEC_SNAPPY && cut == 16)
                assert_int_equal(rc, 1);
            else
                assert_int_equal(rc, KE_CORRUPT);
        }
        buf_put(&b, "garbage", 7);
        assert_int_equal(unpack((enum codec)c, buf_slice(&b), SIZE, 512, in), KE_CORRUPT);
        buf_free(&b);
    }
    free(p);
}

/* As Java's GZIPInputStream and ZstdInputStream do. */
static void gzip_members_and_zstd_frames_follow_each_other(void **state)
{
    static const enum codec both[] = {CODEC_GZIP, CODEC_ZSTD};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct buf b = pack(both[i], CODEC_LEVEL_DEFAULT, slice_str("one "));
        assert_int_equal(codec_compress(both[i], CODEC_LEVEL_DEFAULT, slice_str("two"), &b, NULL),
                         0);
        assert_int_equal(unpack(both[i], buf_slice(&b), SIZE, 5, slice_str("one two")), 0);
        buf_free(&b);
    }
}

/* librdkafka sends one raw block; 0x0c is its length, 11 << 2 the tag of a literal of 12. */
static void raw_snappy(void **state)
{
    static const uint8_t raw[] = "\x0c\x2chello snappy";
    static const uint8_t huge[] = "\xff\xff\xff\xff\x0f\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    (void)state;
    assert_int_equal(unpack(CODEC_SNAPPY, slice_of(raw, 14), 12, 5, slice_str("hello snappy")), 0);
    assert_int_equal(unpack(CODEC_SNAPPY, slice_of(raw, 14), 11, 5, slice_str("hello snappy")),
                     KE_TOOBIG);
    assert_int_equal(unpack(CODEC_SNAPPY, slice_of(raw, 13), 99, 5, slice_str("hello snappy")),
                     KE_CORRUPT);
    assert_int_equal(unpack(CODEC_SNAPPY, slice_of(huge, 30), SIZE_MAX, 5, slice_str("")),
                     KE_CORRUPT);
}

/* One block of 256 MB of 'a': its length, a literal of one byte, copies of 64 from one back. */
static void a_raw_snappy_bomb(void **state)
{
    size_t copies = (size_t)4 << 20, n = 7 + 3 * copies;
    uint8_t *p = malloc(n);
    long mark;

    (void)state;
    assert_non_null(p);
    memcpy(p, "\x81\x80\x80\x80\x01\0a", 7);
    for (size_t i = 0; i < copies; i++)
        memcpy(p + 7 + 3 * i, "\xfe\1\0", 3);
    mark = memory_mark();
    assert_int_equal(unpack(CODEC_SNAPPY, slice_of(p, n), 1 << 20, 4096, slice_str("")), KE_TOOBIG);
    assert_true(memory_grown(mark) < 4 << 10);
    free(p);
}

/* What Java looks for in what it is sent (Lz4BlockInputStream: version 1, independent blocks, no
 * larger than 4 MB) and snappy-java's 32 KiB blocks. */
static void what_is_written_is_what_java_reads(void **state)
{
    uint8_t *p = text();
    struct buf lz4 = pack(CODEC_LZ4, CODEC_LEVEL_DEFAULT, slice_of(p, SIZE));
    struct buf snappy = pack(CODEC_SNAPPY, CODEC_LEVEL_DEFAULT, slice_of(p, SIZE));
    size_t at = 16, blocks = 0;

    (void)state;
    assert_int_equal(lz4.p[4] >> 6, 1);     /* version */
    assert_int_equal(lz4.p[4] >> 5 & 1, 1); /* independent */
    assert_int_equal(lz4.p[5] >> 4, LZ4F_max64KB);
    assert_memory_equal(snappy.p, "\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
    for (; at < snappy.n; blocks++)
        at += 4 + get_be32(snappy.p + at);
    assert_int_equal(at, snappy.n);
    assert_int_equal(blocks, (SIZE + 32767) / 32768);
    buf_free(&lz4);
    buf_free(&snappy);
    free(p);
}

static void linked_lz4_blocks_are_read(void **state)
{
    LZ4F_preferences_t prefs = {.frameInfo = {.blockSizeID = LZ4F_max256KB,
                                              .blockMode = LZ4F_blockLinked,
                                              .contentChecksumFlag = LZ4F_contentChecksumEnabled}};
    size_t bound = LZ4F_compressFrameBound(SIZE, &prefs), n;
    uint8_t *p = text(), *to = malloc(bound);

    (void)state;
    n = LZ4F_compressFrame(to, bound, p, SIZE, &prefs);
    assert_int_equal(unpack(CODEC_LZ4, slice_of(to, n), SIZE, 10000, slice_of(p, SIZE)), 0);
    to[n - 1] ^= 1; /* the checksum of the contents */
    assert_int_equal(unpack(CODEC_LZ4, slice_of(to, n), SIZE, 10000, slice_of(p, SIZE)),
                     KE_CORRUPT);
    free(to);
    free(p);
}

static void names_and_numbers(void **state)
{
    struct codec_reader *r;
    enum codec c;

    (void)state;
    for (int i = 0; i < CODEC_COUNT; i++) {
        assert_true(codec_parse(codec_name((enum codec)i), &c));
        assert_int_equal(c, i);
    }
    assert_false(codec_parse("GZIP", &c));
    assert_null(codec_name(CODEC_COUNT));
    assert_int_equal(codec_reader_new(&r, (enum codec)7, slice_str(""), 0, NULL), KE_CODEC);
    assert_int_equal(codec_compress((enum codec)5, 0, slice_str(""), NULL, NULL), KE_CODEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_and_piece),
        cmocka_unit_test(cut_or_followed_by_garbage),
        cmocka_unit_test(gzip_members_and_zstd_frames_follow_each_other),
        cmocka_unit_test(raw_snappy),
        cmocka_unit_test(a_raw_snappy_bomb),
        cmocka_unit_test(what_is_written_is_what_java_reads),
        cmocka_unit_test(linked_lz4_blocks_are_read),
        cmocka_unit_test(names_and_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
