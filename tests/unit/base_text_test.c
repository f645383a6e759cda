/* Errors, ids, escapes and the order of bytes. The ids' texts are those of
 * org.apache.kafka.common.Uuid.toString() of kafka-clients 4.3.1. */
#include "base/diag.h"
#include "base/err.h"
#include "base/uuid.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- err ---- */

static void every_code_has_a_text(void **state)
{
    struct kerr e = {0};

    (void)state;
    for (int code = KE_UNKNOWN_OUTCOME; code < 0; code++) {
        assert_string_not_equal(kerr_text(code), "unknown error");
        e = (struct kerr){.code = code};
        assert_string_equal(kerr_msg(&e), kerr_text(code));
    }
    assert_string_equal(kerr_text(0), "no error");
    assert_string_equal(kerr_text(-1000), "unknown error");
}

static void setting_fills_everything(void **state)
{
    struct kerr e = {.code = 1, .sys = 2, .remote = 3};

    (void)state;
    assert_int_equal(kerr_set(&e, KE_CORRUPT, "%d of %s", 3, "them"), KE_CORRUPT);
    assert_int_equal(e.code, KE_CORRUPT);
    assert_int_equal(e.sys, 0);
    assert_int_equal(e.remote, 0);
    assert_string_equal(e.msg, "3 of them");
    assert_int_equal(kerr_set(NULL, KE_CORRUPT, "nobody asks"), KE_CORRUPT);
    assert_int_equal(kerr_sys(NULL, KE_IO, "nobody asks"), KE_IO);
    assert_int_equal(kerr_ctx(NULL, KE_IO, "nobody asks"), KE_IO);
}

static void errno_is_told_and_a_full_disk_is_its_own_error(void **state)
{
    static const struct {
        int sys, in, out;
        const char *msg;
    } cases[] = {{ENOENT, KE_IO, KE_IO, "open x: No such file or directory"},
                 {ENOENT, KE_NOTFOUND, KE_NOTFOUND, "open x: No such file or directory"},
                 {ENOSPC, KE_IO, KE_NOSPACE, "open x: No space left on device"},
                 {EDQUOT, KE_IO, KE_NOSPACE, "open x: Disk quota exceeded"},
                 {ENOSPC, KE_NOMEM, KE_NOMEM, "open x: No space left on device"},
                 {987654, KE_IO, KE_IO, "open x: unknown error"}};
    struct kerr e;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        errno = cases[i].sys;
        assert_int_equal(kerr_sys(&e, cases[i].in, "open %s", "x"), cases[i].out);
        assert_int_equal(e.sys, cases[i].sys);
        assert_string_equal(e.msg, cases[i].msg);
    }
}

static void context_goes_in_front(void **state)
{
    struct kerr e = {0};
    char lengthy[1000];

    (void)state;
    kerr_set(&e, KE_IO, "inner");
    e.remote = 7;
    assert_int_equal(kerr_ctx(&e, KE_CORRUPT, "outer %d", 1), KE_CORRUPT);
    assert_string_equal(e.msg, "outer 1: inner");
    assert_int_equal(e.remote, 7);
    e = (struct kerr){.code = KE_TIMEOUT};
    kerr_ctx(&e, KE_TIMEOUT, "waiting");
    assert_string_equal(e.msg, "waiting: timed out");
    memset(lengthy, 'x', sizeof lengthy);
    lengthy[999] = 0;
    for (int i = 0; i < 3; i++) { /* cut, never overrun */
        kerr_ctx(&e, KE_IO, "%s", lengthy);
        assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
    }
    errno = EIO;
    kerr_sys(&e, KE_IO, "%s", lengthy);
    assert_int_equal(strlen(e.msg), sizeof e.msg - 1);
}

/* ---- uuid ---- */

static struct uuid pattern(int seed)
{
    struct uuid u;

    for (int i = 0; i < 16; i++)
        u.b[i] = (uint8_t)(i * seed + seed);
    return u;
}

static void ids_are_printed_as_kafka_does(void **state)
{
    static const struct {
        int seed;
        const char *text;
    } texts[] = {{0, "AAAAAAAAAAAAAAAAAAAAAA"},  {1, "AQIDBAUGBwgJCgsMDQ4PEA"},
                 {7, "Bw4VHCMqMTg_Rk1UW2JpcA"},  {37, "JUpvlLneAyhNcpe84QYrUA"},
                 {61, "PXq39DFuq-glYp_cGVaT0A"}, {101, "ZcovlPlewyiN8le8IYbrUA"},
                 {255, "__79_Pv6-fj39vX08_Lx8A"}};
    char out[UUID_TEXT];
    struct uuid u;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_string_equal(uuid_format(pattern(texts[i].seed), out), texts[i].text);
        assert_true(uuid_parse(slice_str(texts[i].text), &u));
        assert_true(uuid_eq(u, pattern(texts[i].seed)));
    }
    assert_true(uuid_is_zero((struct uuid){{0}}));
    assert_false(uuid_is_zero(pattern(1)));
    assert_false(uuid_eq(pattern(1), pattern(2)));
}

static void other_texts_are_no_ids(void **state)
{
    static const char *const bad[] = {"",
                                      "AAAAAAAAAAAAAAAAAAAAA",   /* short */
                                      "AAAAAAAAAAAAAAAAAAAAAAA", /* long */
                                      "AAAAAAAAAAAAAAAAAAAAAB",  /* bits past the last byte */
                                      "AAAAAAAAAAAAAAAAAAAAA=",  /* padding */
                                      "AAAAAAAAAA+AAAAAAAAAAA",  /* the other alphabet */
                                      "AAAAAAAAAA/AAAAAAAAAAA",
                                      "AAAAAAAAAA AAAAAAAAAAA"};
    static const char nul[22] = "AAAAAAAAAA\0AAAAAAAAAAA";
    struct uuid u;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(uuid_parse(slice_str(bad[i]), &u));
    assert_false(uuid_parse(slice_of(nul, sizeof nul), &u));
}

/* ---- slices ---- */

static void bytes_are_ordered(void **state)
{
    static const char *const sorted[] = {"", "a", "a\x01", "aa", "ab", "b", "\x7f", "\x80", "\xff"};
    const size_t n = sizeof sorted / sizeof sorted[0];

    (void)state;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            int c = slice_cmp(slice_str(sorted[i]), slice_str(sorted[k]));
            assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
            assert_int_equal(slice_eq(slice_str(sorted[i]), slice_str(sorted[k])), i == k);
        }
    assert_true(slice_eq(slice_str(NULL), slice_str(NULL)));
    assert_false(slice_eq(slice_str(NULL), slice_str("")));
    assert_false(slice_eq_str(slice_str(""), NULL));
}

/* ---- diag ---- */

static void what_a_peer_sent_is_escaped(void **state)
{
    char out[DIAG_ESCAPED_MAX];
    uint8_t all[600];

    (void)state;
    assert_string_equal(diag_escape(out, sizeof out, slice_str("plain text ~")), "plain text ~");
    assert_string_equal(diag_escape(out, sizeof out, slice_str("a\nb\\\x1b[0m\xff")),
                        "a\\x0ab\\x5c\\x1b[0m\\xff");
    assert_string_equal(diag_escape(out, sizeof out, (struct slice){NULL, 0}), "");
    memset(all, 0, sizeof all);
    diag_escape(out, sizeof out, slice_of(all, sizeof all)); /* the longest there is */
    assert_true(strlen(out) < sizeof out);
    assert_string_equal(out + strlen(out) - 3, "...");
}

static void escapes_stay_within_any_room(void **state)
{
    uint8_t all[300];

    (void)state;
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)(i % 3 ? 'a' : 0);
    for (size_t cap = 1; cap < 200; cap++) {
        char *out = malloc(cap); /* of exactly this size, for a sanitizer to see */
        assert_non_null(out);
        diag_escape(out, cap, slice_of(all, sizeof all));
        assert_true(strlen(out) < cap);
        for (const char *p = out; *p; p++)
            assert_true(*p >= 0x20 && *p < 0x7f);
        free(out);
    }
}

struct heard {
    int n;
    enum diag_level level;
    char msg[4096];
};

static void hear(void *arg, enum diag_level level, const char *msg)
{
    struct heard *h = arg;

    h->n++;
    h->level = level;
    snprintf(h->msg, sizeof h->msg, "%s", msg);
}

static void messages_above_the_level_are_dropped(void **state)
{
    struct heard h = {0};
    struct diag d = {DIAG_INFO, hear, &h};
    char lengthy[5000];

    (void)state;
    diag(&d, DIAG_DEBUG, "no");
    assert_int_equal(h.n, 0);
    diag(&d, DIAG_INFO, "yes %d", 1);
    assert_int_equal(h.n, 1);
    assert_int_equal(h.level, DIAG_INFO);
    assert_string_equal(h.msg, "yes 1");
    memset(lengthy, 'x', sizeof lengthy);
    lengthy[4999] = 0;
    diag(&d, DIAG_ERROR, "%s", lengthy);
    assert_int_equal(strlen(h.msg), 2047);
    diag(NULL, DIAG_ERROR, "nobody");
    d.sink = NULL;
    diag(&d, DIAG_ERROR, "nobody");
    assert_int_equal(h.n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_text),
        cmocka_unit_test(setting_fills_everything),
        cmocka_unit_test(errno_is_told_and_a_full_disk_is_its_own_error),
        cmocka_unit_test(context_goes_in_front),
        cmocka_unit_test(ids_are_printed_as_kafka_does),
        cmocka_unit_test(other_texts_are_no_ids),
        cmocka_unit_test(bytes_are_ordered),
        cmocka_unit_test(what_a_peer_sent_is_escaped),
        cmocka_unit_test(escapes_stay_within_any_room),
        cmocka_unit_test(messages_above_the_level_are_dropped),
    };

    return cmocka_run_group_tests_name("base_text", tests, NULL, NULL);
}
