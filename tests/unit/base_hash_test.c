#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Key, length and bytes all count. */
static void siphash_is_keyed(void **state)
{
    uint8_t m[15];

    (void)state;
    for (uint8_t i = 0; i < 15; i++)
        m[i] = i;
    assert_true(siphash(slice_of(m, 15), 1, 2) != siphash(slice_of(m, 15), 1, 3));
    assert_true(siphash(slice_of(m, 15), 1, 2) != siphash(slice_of(m, 14), 1, 2));
    assert_true(siphash(slice_of(m, 15), 1, 2) == siphash(slice_of(m, 15), 1, 2));
}

/* Against a model that is dumber: an array indexed by the key. */
static void table_agrees_with_an_array(void **state)
{
    enum { KEYS = 300, STEPS = 20000 };
    uintptr_t model[KEYS] = {0};
    struct hash t;
    size_t live = 0, seen = 0;

    (void)state;
    srand(1);
    hash_init(&t, 7, 9);
    for (int i = 0; i < STEPS; i++) {
        int k = rand() % KEYS;
        char name[16];
        struct slice key = slice_of(name, (size_t)snprintf(name, sizeof name, "k%d", k));
        void *old;
        switch (rand() % 3) {
        case 0:
            assert_true(hash_put(&t, key, (void *)(uintptr_t)(i + 1), &old));
            assert_true((uintptr_t)old == model[k]);
            live += model[k] == 0;
            model[k] = (uintptr_t)(i + 1);
            break;
        case 1:
            assert_true((uintptr_t)hash_del(&t, key) == model[k]);
            live -= model[k] != 0;
            model[k] = 0;
            break;
        default:
            assert_true((uintptr_t)hash_get(&t, key) == model[k]);
        }
        assert_int_equal(t.n, live);
    }
    struct slice key;
    void *v;
    for (size_t i = 0; (v = hash_next(&t, &i, &key)) != NULL; seen++) {
        char name[16] = "";
        memcpy(name, key.p, key.n);
        assert_true((uintptr_t)v == model[atoi(name + 1)]);
    }
    assert_int_equal(seen, live);
    hash_free(&t);
}

static void empty_key_and_embedded_nul(void **state)
{
    struct hash t;
    int a, b;

    (void)state;
    hash_init(&t, 0, 0);
    assert_null(hash_get(&t, slice_of("", 0)));
    assert_true(hash_put(&t, slice_of("", 0), &a, NULL));
    assert_true(hash_put(&t, slice_of("\0", 1), &b, NULL));
    assert_ptr_equal(hash_get(&t, slice_of("", 0)), &a);
    assert_ptr_equal(hash_get(&t, slice_of("\0", 1)), &b);
    hash_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_is_keyed),
        cmocka_unit_test(table_agrees_with_an_array),
        cmocka_unit_test(empty_key_and_embedded_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
