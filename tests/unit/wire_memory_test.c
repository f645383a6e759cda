/* Every message in every version: whichever allocation fails, decoding says so, and a buffer that
 * was being encoded into is as long as before. */
#include "fail_malloc.h"
#include "wire/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/err.h"

enum { LONGEST_LINE = 1 << 20 };

static void unhex(struct buf *b, const char *hex)
{
    for (; hex[0] && hex[1]; hex += 2) {
        unsigned v;
        assert_int_equal(sscanf(hex, "%2x", &v), 1);
        buf_put_u8(b, (uint8_t)v);
    }
}

static long decode_until_it_works(const struct message *t, int16_t version, struct slice bytes,
                                  void *m, struct arena *arena)
{
    for (long n = 0;; n++) {
        struct wire_reader r;
        int rc;
        wire_reader_init(&r, bytes, arena);
        fail_begin(n, 1);
        rc = t->decode(m, &r, version);
        if (!fail_end()) {
            assert_int_equal(rc, 0);
            return n;
        }
        assert_int_equal(rc, KE_NOMEM);
        arena_free(arena);
    }
}

static long encode_until_it_works(const struct message *t, int16_t version, const void *m,
                                  struct slice want)
{
    for (long n = 0;; n++) {
        struct buf b = {0};
        int rc;
        buf_put_str(&b, "before");
        fail_begin(n, 1);
        rc = t->encode(m, &b, version);
        if (!fail_end()) {
            assert_int_equal(rc, 0);
            assert_true(slice_eq(slice_of(b.p + 6, b.n - 6), want));
            buf_free(&b);
            return n;
        }
        assert_int_equal(rc, KE_NOMEM);
        assert_int_equal(b.n, 6);
        buf_free(&b);
    }
}

static void each_allocation_may_fail(void **state)
{
    gzFile f = gzopen("tests/vectors/wire.txt.gz", "rb");
    static char line[LONGEST_LINE];
    long decoders = 0, encoders = 0;

    (void)state;
    assert_non_null(f);
    while (gzgets(f, line, sizeof line)) {
        char *at = line, *name = strsep(&at, "\t"), *version = strsep(&at, "\t");
        const struct message *t = message_find(name);
        struct arena arena = {0};
        struct buf b = {0};
        void *m;
        assert_non_null(t);
        strsep(&at, "\t");
        unhex(&b, strsep(&at, "\t"));
        m = calloc(1, t->size);
        assert_non_null(m);
        decoders += decode_until_it_works(t, (int16_t)atoi(version), buf_slice(&b), m, &arena);
        encoders += encode_until_it_works(t, (int16_t)atoi(version), m, buf_slice(&b));
        free(m);
        arena_free(&arena);
        buf_free(&b);
    }
    gzclose(f);
    assert_true(decoders > 100);
    assert_true(encoders > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests_name("wire_memory", tests, NULL, NULL);
}
