#include "log/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void names(void **state)
{
    static const char *const bad[] = {"0.log",
                                      "0000000000000000004.log",
                                      "000000000000000000042.log",
                                      "00000000000000000042.log.swap",
                                      "0000000000000000004x.log",
                                      "99999999999999999999.log",
                                      ""};
    char name[LOG_FILE_NAME];
    enum log_file kind;
    int64_t base;

    (void)state;
    assert_string_equal(log_file_name(name, 42, LOG_FILE_LOG), "00000000000000000042.log");
    for (int k = 0; k < LOG_FILE_COUNT; k++) {
        assert_true(log_file_parse(log_file_name(name, INT64_MAX, (enum log_file)k), &base, &kind));
        assert_int_equal(kind, k);
        assert_true(base == INT64_MAX);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(log_file_parse(bad[i], &base, &kind));
}

static void partition_names(void **state)
{
    static const char *const bad[] = {"t",    "-0",           "t-",    "t-00",
                                      "t-x",  "..",           "a b-0", ".-0",
                                      "..-1", "t-2147483648", "",      "t-0.abc-delete"};
    char topic[PARTITION_TOPIC], longest[260];
    int32_t p;

    (void)state;
    assert_true(partition_dir_parse("a-b.c_D-17", topic, &p));
    assert_string_equal(topic, "a-b.c_D");
    assert_int_equal(p, 17);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(partition_dir_parse(bad[i], topic, &p));
    memset(longest, 'a', sizeof longest);
    memcpy(longest + 249, "-1", 3);
    assert_true(partition_dir_parse(longest, topic, &p));
    memcpy(longest + 249, "a-1", 4);
    assert_false(partition_dir_parse(longest, topic, &p));
}

static void index_tails_of_zeros_are_not_entries(void **state)
{
    uint8_t bytes[10 * 12 + 5] = {0};

    (void)state;
    for (size_t used = 0; used <= 10; used++) {
        memset(bytes, 0, sizeof bytes);
        for (size_t i = 0; i < used; i++)
            index_entry_put(bytes + i * INDEX_ENTRY, (struct index_entry){(int32_t)i + 1, 7});
        assert_int_equal(index_used(slice_of(bytes, 85), LOG_FILE_INDEX), used);
        memset(bytes, 0, sizeof bytes);
        for (size_t i = 0; i < used; i++)
            time_entry_put(bytes + i * TIME_ENTRY, (struct time_entry){1700, (int32_t)i});
        assert_int_equal(index_used(slice_of(bytes, sizeof bytes), LOG_FILE_TIMEINDEX), used);
    }
    assert_int_equal(index_used(slice_of(bytes, 0), LOG_FILE_INDEX), 0);
    assert_int_equal(index_entry_get((const uint8_t *)"\0\0\1\2\0\0\0\3").relative, 258);
}

static void aborted_transactions(void **state)
{
    struct txn_entry v = {0, 1000, 5, 9, 3}, r;
    uint8_t p[TXN_ENTRY];

    (void)state;
    txn_entry_put(p, &v);
    r = txn_entry_get(p);
    assert_memory_equal(&r.producer_id, &v.producer_id, 4 * sizeof(int64_t));
    assert_int_equal(p[9] + p[8] * 256, 1000);
    assert_int_equal(p[33], 3);
}

static void snapshots(void **state)
{
    struct producer_entry in[3] = {
        {1, 2, 3, 4, 5, 6, 7, 8}, {.txn_first_offset = -1}, {.epoch = -1}};
    struct buf b = {0};
    int32_t n;

    (void)state;
    assert_true(snapshot_write(&b, in, 3));
    assert_int_equal(b.n, SNAPSHOT_HEADER + 3 * SNAPSHOT_ENTRY);
    assert_int_equal(snapshot_parse(buf_slice(&b), &n, NULL), 0);
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++) {
        struct producer_entry r = snapshot_entry(buf_slice(&b), i);
        assert_int_equal(r.producer_id, in[i].producer_id);
        assert_int_equal(r.epoch, in[i].epoch);
        assert_int_equal(r.last_sequence, in[i].last_sequence);
        assert_int_equal(r.last_offset, in[i].last_offset);
        assert_int_equal(r.offset_delta, in[i].offset_delta);
        assert_int_equal(r.timestamp, in[i].timestamp);
        assert_int_equal(r.coordinator_epoch, in[i].coordinator_epoch);
        assert_int_equal(r.txn_first_offset, in[i].txn_first_offset);
    }
    for (size_t cut = 0; cut < b.n; cut++)
        assert_int_equal(snapshot_parse(slice_of(b.p, cut), &n, NULL), KE_CORRUPT);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 4;
        assert_int_equal(snapshot_parse(buf_slice(&b), &n, NULL), KE_CORRUPT);
        b.p[i] ^= 4;
    }
    buf_free(&b);
}

static void epochs(void **state)
{
    static const char *const bad[] = {"",
                                      "1\n0\n",
                                      "0\n",
                                      "0\nx\n",
                                      "0\n2\n0 0\n",
                                      "0\n1\n0\n",
                                      "0\n1\n0 0 0\n",
                                      "0\n1\n0 0\n1 1\n",
                                      "0\n2\n1 5\n1 6\n",
                                      "0\n2\n1 5\n2 4\n",
                                      "0\n1\n-1 0\n",
                                      "0\n99999999999\n",
                                      "0\n1\n2147483648 0\n"};
    struct epoch_entry in[2] = {{0, 0}, {7, INT64_MAX}}, *out;
    struct buf b = {0};
    size_t n;

    (void)state;
    assert_true(epochs_write(&b, in, 2));
    assert_true(slice_eq_str(buf_slice(&b), "0\n2\n0 0\n7 9223372036854775807\n"));
    assert_int_equal(epochs_parse(buf_slice(&b), &out, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_int_equal(out[1].epoch, 7);
    assert_true(out[1].start == INT64_MAX);
    free(out);
    assert_int_equal(epochs_parse(slice_str("0\n1\n3 9"), &out, &n, NULL), 0);
    free(out);
    assert_int_equal(epochs_parse(slice_str("0\n0\n"), &out, &n, NULL), 0);
    assert_int_equal(n, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(epochs_parse(slice_str(bad[i]), &out, &n, NULL), KE_CORRUPT);
    buf_free(&b);
}

static void partition_metadata(void **state)
{
    struct uuid in = {{1, 2, 3, 255}}, out;
    struct buf b = {0};

    (void)state;
    assert_true(partition_metadata_write(&b, in));
    assert_int_equal(partition_metadata_parse(buf_slice(&b), &out, NULL), 0);
    assert_true(uuid_eq(in, out));
    buf_put_str(&b, "\n");
    assert_int_equal(partition_metadata_parse(buf_slice(&b), &out, NULL), 0);
    for (size_t cut = 0; cut + 1 < b.n; cut++)
        assert_int_equal(partition_metadata_parse(slice_of(b.p, cut), &out, NULL), KE_CORRUPT);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(partition_names),
        cmocka_unit_test(index_tails_of_zeros_are_not_entries),
        cmocka_unit_test(aborted_transactions),
        cmocka_unit_test(snapshots),
        cmocka_unit_test(epochs),
        cmocka_unit_test(partition_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
