#include "os/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* RFC 3720, B.4 */
static void rfc_vectors(void **state)
{
    uint8_t b[32] = {0};

    (void)state;
    assert_int_equal(os_crc32c(0, b, 32), 0x8a9136aau);
    assert_int_equal(os_crc32c_portable(0, b, 32), 0x8a9136aau);
    for (int i = 0; i < 32; i++)
        b[i] = 0xff;
    assert_int_equal(os_crc32c(0, b, 32), 0x62a8ab43u);
    for (uint8_t i = 0; i < 32; i++)
        b[i] = i;
    assert_int_equal(os_crc32c(0, b, 32), 0x46dd794eu);
    assert_int_equal(os_crc32c(0, "123456789", 9), 0xe3069283u);
}

static void fast_equals_portable(void **state)
{
    enum { N = 5000 };
    static uint8_t b[N];

    (void)state;
    srand(3);
    for (int i = 0; i < N; i++)
        b[i] = (uint8_t)rand();
    for (int i = 0; i < 2000; i++) {
        size_t from = (size_t)rand() % N, n = (size_t)rand() % (N - from),
               cut = n ? (size_t)rand() % n : 0;
        uint32_t whole = os_crc32c_portable(0, b + from, n);
        assert_int_equal(os_crc32c(0, b + from, n), whole);
        assert_int_equal(os_crc32c(os_crc32c(0, b + from, cut), b + from + cut, n - cut), whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_vectors),
        cmocka_unit_test(fast_equals_portable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
