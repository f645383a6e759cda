/* Numbers from org.apache.kafka.common.utils.Utils.murmur2 of kafka-clients 4.3.1, called from
 * Java; the keys with words in them are those of Kafka's own test (UtilsTest.testMurmur2). */
#include "client/partitioner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *key;
    size_t n;
    int32_t hash;
} known[] = {
    {"", 0, 275646681},
    {"a", 1, -1563381124},
    {"ab", 2, 316155434},
    {"abc", 3, 479470107},
    {"21", 2, -973932308},
    {"foobar", 6, -790332482},
    {"a-little-bit-long-string", 24, -985981536},
    {"a-little-bit-longer-string", 26, -1486304829},
    {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 48, -58897971},
    {"\x5c", 1, 1293872751},
    {"\xa6\xd0", 2, 1558060273},
    {"\x12\x47\xd9", 3, 683006800},
    {"\xc8\xc7\xae\xca", 4, -1264517056},
    {"\xe4\x9d\xa1\x26\xee", 5, -1544899673},
    {"\xa5\xe4\xf3\x4d\x2a\xa8", 6, 1948659917},
    {"\x81\xa7\xdc\x69\x13\x76\x8a", 7, 2016490604},
    {"\x8f\x4b\xec\x47\xb5\x4d\x5f\xe4", 8, 982210891},
    {"\x01\xe1\x1b\x42\x67\xa8\xc2\xe9\xb7", 9, -1751457403},
    {"\x9b\x1a\xb5\x2a\x43\xa9\x21\xdb\x16\xe1", 10, -1176023962},
    {"\x9b\xb6\x9f\x76\x3f\x18\xa4\xf4\x0e\xb5\x44", 11, 1191914190},
};

static void hashes_are_kafkas(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_int_equal((int32_t)murmur2(slice_of(known[i].key, known[i].n)), known[i].hash);
}

/* Every length to 1024, folded as h * 31 + hash. */
static void every_length(void **state)
{
    uint8_t all[1024];
    uint32_t h = 0;

    (void)state;
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    for (size_t i = 0; i <= sizeof all; i++)
        h = h * 31 + murmur2(slice_of(all, i));
    assert_int_equal((int32_t)h, -1730230794);
}

/* key-0 to key-9999 over 12 partitions, folded as sum * 7 mod 1000000007 + partition. */
static void partitions_are_kafkas(void **state)
{
    int64_t sum = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        char key[16];
        snprintf(key, sizeof key, "key-%d", i);
        sum = sum * 7 % 1000000007 + partition_for_key(slice_str(key), 12);
    }
    assert_int_equal(sum, 718296459);
    assert_int_equal(partition_for_key(slice_str("x"), 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_kafkas),
        cmocka_unit_test(every_length),
        cmocka_unit_test(partitions_are_kafkas),
    };

    return cmocka_run_group_tests_name("client_partitioner", tests, NULL, NULL);
}
