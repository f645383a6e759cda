/* The one reader of peers' bytes, against bytes that lie. */
#include "wire/reader.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena arena;

#define READER(...)                                                                                \
    reader_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static struct wire_reader reader_of(const uint8_t *p, size_t n)
{
    struct wire_reader r;

    wire_reader_init(&r, slice_of(p, n), &arena);
    return r;
}

static int32_t count_of(struct wire_reader r, bool compact, bool nullable, size_t least, bool *bad)
{
    int32_t n = wire_read_count(&r, compact, nullable, least);

    *bad = r.bad;
    return n;
}

static void a_count_is_held_against_the_bytes_left(void **state)
{
    bool bad;

    (void)state;
    assert_int_equal(count_of(READER(0, 0, 0, 2, 1, 1, 1, 1), false, false, 2, &bad), 2);
    assert_false(bad);
    assert_int_equal(count_of(READER(0, 0, 0, 3, 1, 1, 1, 1), false, false, 2, &bad), 0);
    assert_true(bad);
    assert_int_equal(count_of(READER(0x7f, 0xff, 0xff, 0xff, 1, 1), false, false, 1, &bad), 0);
    assert_true(bad);
    assert_int_equal(count_of(READER(3, 1, 1, 1, 1), true, false, 2, &bad), 2);
    assert_false(bad);
    assert_int_equal(count_of(READER(4, 1, 1, 1, 1), true, false, 2, &bad), 0);
    assert_true(bad);
    assert_int_equal(count_of(READER(0xff, 0xff, 0xff, 0xff, 0x0f, 1), true, true, 1, &bad), 0);
    assert_true(bad);
}

static void only_what_may_be_null_is(void **state)
{
    bool bad;
    struct wire_reader r;

    (void)state;
    assert_int_equal(count_of(READER(0xff, 0xff, 0xff, 0xff), false, true, 1, &bad), -1);
    assert_false(bad);
    assert_int_equal(count_of(READER(0xff, 0xff, 0xff, 0xff), false, false, 1, &bad), 0);
    assert_true(bad);
    assert_int_equal(count_of(READER(0xff, 0xff, 0xff, 0xfe), false, true, 1, &bad), 0);
    assert_true(bad);
    r = READER(0xff, 0xff, 9);
    assert_true(slice_is_null(wire_read_string(&r, false, true)));
    assert_false(r.bad);
    r = READER(0xff, 0xff, 9);
    wire_read_string(&r, false, false);
    assert_true(r.bad);
    r = READER(0xff, 0xfe, 9);
    wire_read_string(&r, false, true);
    assert_true(r.bad);
    r = READER(0, 9);
    wire_read_bytes(&r, true, false);
    assert_true(r.bad);
    assert_int_equal(wire_read_i8(&r), 0); /* and stays bad */
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(wire_read_status(&r), KE_CORRUPT);
}

static uint32_t uvarint_of(struct wire_reader r, bool *bad)
{
    uint32_t v = wire_read_uvarint(&r);

    *bad = r.bad;
    return v;
}

static void a_varint_has_32_bits(void **state)
{
    bool bad;

    (void)state;
    assert_int_equal(uvarint_of(READER(0xff, 0xff, 0xff, 0xff, 0x0f), &bad), UINT32_MAX);
    assert_false(bad);
    uvarint_of(READER(0xff, 0xff, 0xff, 0xff, 0x1f), &bad);
    assert_true(bad);
    uvarint_of(READER(0x80, 0x80, 0x80, 0x80, 0x80, 0x00), &bad);
    assert_true(bad);
    uvarint_of(READER(0x80, 0x80), &bad);
    assert_true(bad);
}

static bool skips(struct wire_reader r)
{
    wire_skip_tags(&r);
    return !r.bad && wire_left(&r) == 0;
}

static void tags_ascend(void **state)
{
    (void)state;
    assert_true(skips(READER(0)));
    assert_true(skips(READER(2, 0, 1, 9, 7, 0)));
    assert_false(skips(READER(2, 7, 1, 9, 7, 0))); /* the same twice */
    assert_false(skips(READER(2, 7, 1, 9, 3, 0)));
    assert_false(skips(READER(1, 0, 2, 9)));    /* longer than what is there */
    assert_false(skips(READER(3, 0, 0, 1, 0))); /* more than there can be */
    assert_false(skips(READER(0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0)));
}

/* A field that its reader does not use up was not what it was taken for. */
static void a_tagged_field_is_used_up(void **state)
{
    struct wire_reader r = READER(1, 5, 3, 1, 2, 3), field;
    struct wire_tags t = wire_read_tags(&r);

    (void)state;
    assert_true(wire_tags_next(&t, &r, &field));
    assert_int_equal(t.tag, 5);
    assert_int_equal(wire_read_i16(&field), 0x102);
    wire_tag_done(&r, &field);
    assert_true(r.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_count_is_held_against_the_bytes_left),
        cmocka_unit_test(only_what_may_be_null_is),
        cmocka_unit_test(a_varint_has_32_bits),
        cmocka_unit_test(tags_ascend),
        cmocka_unit_test(a_tagged_field_is_used_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
