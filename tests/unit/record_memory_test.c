/* Batches are built and walked in every codec while the n-th allocation fails, for every n. */
#include "fail_malloc.h"
#include "record/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RECORDS = 50, VALUE = 400 };

static int build(struct batch_builder *w, enum codec codec, struct slice *out, struct kerr *e)
{
    static const struct header headers[] = {{{(const uint8_t *)"h", 1}, {(const uint8_t *)"v", 1}}};
    struct batch_fields f = {.codec = codec,
                             .level = CODEC_LEVEL_DEFAULT,
                             .producer_id = -1,
                             .producer_epoch = -1,
                             .base_sequence = -1};
    char value[VALUE];

    batch_start(w);
    for (int i = 0; i < RECORDS; i++) {
        memset(value, i, sizeof value);
        if (!batch_add(w, 1000 + i, slice_str("key"), slice_of(value, sizeof value), headers, 1))
            return KE_NOMEM;
    }
    return batch_finish(w, &f, out, e);
}

/* The number of records, or an error. */
static int walk(struct slice bytes, struct kerr *e)
{
    struct record_iter *it;
    struct record r;
    struct batch b;
    int n = 0, rc = batch_parse(bytes, &b, NULL, e);

    if (rc == 0)
        rc = record_iter_new(&it, e);
    if (rc < 0)
        return rc;
    rc = record_iter_begin(it, &b, 0, e);
    while (rc == 0 && (rc = record_next(it, &r, e)) == 1) {
        assert_int_equal(r.value.n, VALUE);
        assert_int_equal(r.value.p[VALUE - 1], n);
        n++;
        rc = 0;
    }
    record_iter_free(it);
    return rc < 0 ? rc : n;
}

static void batches_are_built_or_not(void **state)
{
    (void)state;
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        long n = 0;
        bool failed;
        do {
            struct batch_builder w = {0};
            struct kerr e = {0};
            struct slice out;
            int rc;
            fail_begin(n++, 1);
            rc = build(&w, (enum codec)codec, &out, &e);
            failed = fail_end();
            assert_int_equal(rc, failed ? KE_NOMEM : 0);
            if (failed) /* and the builder can be used again */
                assert_int_equal(build(&w, (enum codec)codec, &out, &e), 0);
            assert_int_equal(walk(out, &e), RECORDS);
            batch_builder_free(&w);
        } while (failed);
        assert_true(n > 3);
    }
}

static void batches_are_walked_or_not(void **state)
{
    (void)state;
    for (int codec = 0; codec < CODEC_COUNT; codec++) {
        struct batch_builder w = {0};
        struct slice bytes;
        bool failed;
        long n = 0;
        assert_int_equal(build(&w, (enum codec)codec, &bytes, NULL), 0);
        do {
            struct kerr e = {0};
            int rc;
            fail_begin(n++, 1);
            rc = walk(bytes, &e);
            failed = fail_end();
            assert_int_equal(rc, failed ? KE_NOMEM : RECORDS);
            if (failed)
                assert_int_equal(e.code, KE_NOMEM);
        } while (failed);
        assert_true(n > 1);
        batch_builder_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_built_or_not),
        cmocka_unit_test(batches_are_walked_or_not),
    };

    return cmocka_run_group_tests_name("record_memory", tests, NULL, NULL);
}
