/* Growing bytes and arenas: what is put in is there, sizes that overflow are refused. */
#include "base/arena.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- buf ---- */

static void an_empty_buffer_is_an_empty_slice(void **state)
{
    struct buf b = {0};

    (void)state;
    assert_int_equal(buf_slice(&b).n, 0);
    assert_false(slice_is_null(buf_slice(&b)));
    assert_string_equal(buf_cstr(&b), "");
    buf_free(&b);
}

static void everything_appended_is_there(void **state)
{
    struct buf b = {0};
    char want[4096];
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        buf_printf(&b, "%d,", i);
        n += (size_t)sprintf(want + n, "%d,", i);
        buf_put_u8(&b, (uint8_t)(i % 26 + 'a'));
        want[n++] = (char)(i % 26 + 'a');
        buf_put_str(&b, "--");
        memcpy(want + n, "--", 2);
        n += 2;
        buf_put_slice(&b, slice_of(want, 3));
        memcpy(want + n, want, 3);
        n += 3;
        buf_put(&b, NULL, 0);
        assert_true(slice_eq(buf_slice(&b), slice_of(want, n)));
    }
    assert_false(b.failed);
    assert_int_equal(strlen(buf_cstr(&b)), n);
    assert_int_equal(b.n, n); /* the NUL is not counted */
    buf_free(&b);
    assert_null(b.p);
}

/* Growth doubles: a million single bytes do not cost a million copies. */
static void growth_is_geometric(void **state)
{
    struct buf b = {0};
    size_t cap = 0, grown = 0;

    (void)state;
    for (int i = 0; i < 1000000; i++) {
        buf_put_u8(&b, 1);
        grown += b.cap != cap;
        cap = b.cap;
    }
    assert_true(grown < 20);
    buf_free(&b);
}

static void a_size_that_overflows_fails_for_good(void **state)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2 + 1, SIZE_MAX / 2};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct buf b = {0};
        buf_put_str(&b, "before");
        assert_false(buf_reserve(&b, sizes[i]));
        assert_true(b.failed);
        buf_put_str(&b, "after");
        assert_null(buf_add(&b, 1));
        assert_null(buf_cstr(&b));
        assert_true(slice_eq_str(buf_slice(&b), "before"));
        buf_clear(&b);
        buf_put_str(&b, "again");
        assert_string_equal(buf_cstr(&b), "again");
        buf_free(&b);
    }
}

/* ---- arena ---- */

static void memory_is_zeroed_aligned_and_apart(void **state)
{
    struct arena a = {0};
    uint8_t *p[300];
    size_t n[300];

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 300; i++) {
            n[i] = i * i % 977;
            p[i] = arena_alloc(&a, n[i]);
            assert_non_null(p[i]);
            assert_int_equal((uintptr_t)p[i] % alignof(max_align_t), 0);
            for (size_t k = 0; k < n[i]; k++)
                assert_int_equal(p[i][k], 0);
            memset(p[i], (int)i, n[i]);
        }
        for (size_t i = 0; i < 300; i++)
            for (size_t k = 0; k < n[i]; k++)
                assert_int_equal(p[i][k], (uint8_t)i);
        arena_reset(&a);
    }
    arena_free(&a);
    assert_int_equal(a.total, 0);
}

static void a_large_piece_gets_its_own_room(void **state)
{
    struct arena a = {0};
    uint8_t *p;

    (void)state;
    assert_non_null(arena_alloc(&a, 1));
    p = arena_alloc(&a, 5 << 20);
    assert_non_null(p);
    memset(p, 1, 5 << 20);
    assert_true(a.total >= 5 << 20);
    arena_reset(&a); /* but it is not kept for ever */
    assert_true(a.total <= 1 << 20);
    arena_free(&a);
}

static void products_that_overflow_are_refused(void **state)
{
    struct arena a = {0};

    (void)state;
    assert_null(arena_array(&a, SIZE_MAX, 2));
    assert_null(arena_array(&a, SIZE_MAX / 16 + 1, 16));
    assert_null(arena_array(&a, (size_t)1 << 32, (size_t)1 << 32));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_int_equal(a.total, 0);
    assert_non_null(arena_array(&a, 0, 16));
    arena_free(&a);
}

static void a_copy_tells_null_from_empty(void **state)
{
    struct arena a = {0};
    bool ok = true;
    struct slice s;

    (void)state;
    assert_true(slice_is_null(arena_dup(&a, (struct slice){NULL, 0}, &ok)));
    s = arena_dup(&a, slice_str(""), &ok);
    assert_false(slice_is_null(s));
    assert_int_equal(s.n, 0);
    s = arena_dup(&a, slice_str("abc"), &ok);
    assert_true(slice_eq_str(s, "abc"));
    assert_true(ok);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_slice),
        cmocka_unit_test(everything_appended_is_there),
        cmocka_unit_test(growth_is_geometric),
        cmocka_unit_test(a_size_that_overflows_fails_for_good),
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(a_large_piece_gets_its_own_room),
        cmocka_unit_test(products_that_overflow_are_refused),
        cmocka_unit_test(a_copy_tells_null_from_empty),
    };

    return cmocka_run_group_tests_name("base_buf", tests, NULL, NULL);
}
