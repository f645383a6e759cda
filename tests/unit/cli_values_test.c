/* nearest, num, when: words, numbers and times of a command line. */
#include "cli/nearest.h"
#include "cli/num.h"
#include "cli/when.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void near_names_are_found(void **state)
{
    static const char *const names[] = {"list", "create", "describe", "delete",
                                        "log.retention.hours"};
    static const char *const pairs[][2] = {
        {"lst", "list"},
        {"creat", "create"},
        {"craete", "create"},
        {"delte", "delete"},
        {"list", "list"},
        {"zebra", NULL},
        {"", NULL},
        {"x", NULL},
        {"descrbie", "describe"},
        {"log.retention.hour", "log.retention.hours"},
        {"access", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const char *got = nearest(pairs[i][0], names, sizeof names / sizeof names[0]);
        if (pairs[i][1])
            assert_string_equal(got, pairs[i][1]);
        else
            assert_null(got);
    }
}

static void a_long_name_is_no_overflow(void **state)
{
    char word[300];
    const char *const names[] = {word};

    (void)state;
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = 0;
    assert_null(nearest("aaa", names, 1));
    assert_null(nearest(word, names, 1));
}

static void numbers_in(void **state)
{
    struct kerr e;
    int64_t v;

    (void)state;
    assert_int_equal(num_parse("-9223372036854775808", INT64_MIN, INT64_MAX, &v, &e), 0);
    assert_true(v == INT64_MIN);
    assert_int_equal(num_parse("9223372036854775807", INT64_MIN, INT64_MAX, &v, &e), 0);
    assert_true(v == INT64_MAX);
    assert_int_equal(num_parse("+7", 0, 7, &v, &e), 0);
    assert_int_equal(v, 7);
    assert_int_equal(num_parse("9223372036854775808", INT64_MIN, INT64_MAX, &v, &e), KE_INVALID);
    assert_int_equal(num_parse("-9223372036854775809", INT64_MIN, INT64_MAX, &v, &e), KE_INVALID);
    assert_int_equal(num_parse("99999999999999999999999", 0, INT64_MAX, &v, &e), KE_INVALID);
    assert_int_equal(num_parse("8", 0, 7, &v, &e), KE_INVALID);
    assert_string_equal(e.msg, "8 is not in 0..7");
    for (const char *const *s =
             (const char *const[]){"", "-", "1x", " 1", "1 ", "0x1", "1e3", NULL};
         *s; s++)
        assert_int_equal(num_parse(*s, 0, INT64_MAX, &v, &e), KE_INVALID);
}

static void seconds_in(void **state)
{
    int64_t ms;

    (void)state;
    assert_int_equal(num_parse_seconds("2", &ms, NULL), 0);
    assert_int_equal(ms, 2000);
    assert_int_equal(num_parse_seconds("0.25", &ms, NULL), 0);
    assert_int_equal(ms, 250);
    assert_int_equal(num_parse_seconds(".0019", &ms, NULL), 0);
    assert_int_equal(ms, 1);
    for (const char *const *s = (const char *const[]){"", ".", "-1", "1s", "99999999999999", NULL};
         *s; s++)
        assert_int_equal(num_parse_seconds(*s, &ms, NULL), KE_INVALID);
}

static void numbers_for_people(void **state)
{
    static const struct {
        int64_t v;
        const char *count, *size;
    } rows[] = {
        {0, "0", "0 B"},
        {999, "999", "999 B"},
        {1000, "1,000", "1000 B"},
        {1023, "1,023", "1023 B"},
        {1024, "1,024", "1.0 KiB"},
        {10188, "10,188", "9.9 KiB"},
        {10239, "10,239", "10 KiB"},
        {1048575, "1,048,575", "1.0 MiB"},
        {1047552, "1,047,552", "1023 KiB"},
        {1046478848, "1,046,478,848", "998 MiB"},
        {41290117, "41,290,117", "39 MiB"},
        {INT64_MAX, "9,223,372,036,854,775,807", "8.0 EiB"},
    };
    char out[NUM_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(num_count(rows[i].v, out), rows[i].count);
        assert_string_equal(num_size(rows[i].v, out), rows[i].size);
    }
    assert_string_equal(num_count(INT64_MIN, out), "-9,223,372,036,854,775,808");
}

/* 2026-11-24T15:04:05.678Z, as `date -ud` has it. */
static const wall_ms now = {1795532645678};

static struct when parse(const char *text)
{
    struct when w = {0};
    struct kerr e = {0};

    if (when_parse(text, now, &w, &e) != 0)
        fail_msg("%s: %s", text, kerr_msg(&e));
    return w;
}

static void zone(const char *tz)
{
    setenv("TZ", tz, 1);
    tzset();
}

static void offsets_and_words(void **state)
{
    (void)state;
    assert_int_equal(parse("beginning").kind, WHEN_BEGINNING);
    assert_int_equal(parse("end").kind, WHEN_END);
    assert_int_equal(parse("stored").kind, WHEN_STORED);
    assert_int_equal(parse("17").kind, WHEN_OFFSET);
    assert_int_equal(parse("17").value, 17);
    assert_int_equal(parse("-17").kind, WHEN_FROM_END);
    assert_int_equal(parse("-17").value, 17);
}

/* The numbers are GNU date's: TZ=Europe/Berlin date -d '2026-08-01 12:00' +%s */
static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"@1785585600", 1785585600000},
        {"@1785585600123", 1785585600123},
        {"@999999999999", 999999999999000},
        {"2026-08-01T12:00Z", 1785585600000},
        {"2026-08-01t12:00:00z", 1785585600000},
        {"2026-08-01T12:00:00.5Z", 1785585600500},
        {"2026-08-01T12:00:00.123456Z", 1785585600123},
        {"2026-08-01T14:00+02:00", 1785585600000},
        {"2026-08-01T06:30-05:30", 1785585600000},
        {"2026-08-01 14:00", 1785585600000},
        {"2026-08-01T14:00:00", 1785585600000},
        {"2026-08-01", 1785535200000},
        {"2026-02-01", 1769900400000},
        {"2024-02-29T00:00Z", 1709164800000},
        {"1970-01-01T00:00Z", 0},
        {"-2h", 1795532645678 - 7200000},
        {"-30m", 1795532645678 - 1800000},
        {"-7d", 1795532645678 - 604800000},
        {"-10s", 1795532645678 - 10000},
        {"-2w", 1795532645678 - 1209600000},
        {"now", 1795532645678},
        {"today", 1795474800000},
        {"yesterday", 1795388400000},
    };

    (void)state;
    zone("Europe/Berlin");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct when w = parse(rows[i].text);
        assert_int_equal(w.kind, WHEN_TIME);
        if (w.value != rows[i].ms)
            fail_msg("%s: %" PRId64 ", not %" PRId64, rows[i].text, w.value, rows[i].ms);
    }
}

static void what_is_no_time(void **state)
{
    static const char *const texts[] = {
        "",
        "tomorrow",
        "@",
        "@-1",
        "@1x",
        "-2y",
        "-h",
        "--2h",
        "2h",
        "2026-8-1",
        "+5",
        "-99999999999h",
        "2026-02-30",
        "2026-13-01",
        "2026-00-01",
        "2023-02-29",
        "2026-08-01Z",
        "2026-08-01T24:00Z",
        "2026-08-01T12",
        "2026-08-01T12:60Z",
        "2026-08-01T12:00:00.Z",
        "2026-08-01T12:00+0200",
        "2026-08-01T12:00Zx",
        "1969-12-31T23:59Z",
        "99999999999999999999",
    };
    struct kerr e;
    struct when w;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (when_parse(texts[i], now, &w, &e) != KE_INVALID)
            fail_msg("'%s' was taken", texts[i]);
}

static void times_out(void **state)
{
    char out[WHEN_FORMAT_MAX];

    (void)state;
    assert_string_equal(when_format(1795532645678, out), "2026-11-24T15:04:05.678Z");
    assert_string_equal(when_format(0, out), "1970-01-01T00:00:00.000Z");
    assert_string_equal(when_format(-1, out), "-");
    assert_string_equal(when_format(INT64_MAX, out), "@9223372036854775807");
    for (int64_t ms = 1; ms < INT64_C(253402300799999); ms = ms * 3 + 7) {
        when_format(ms, out);
        assert_int_equal(parse(out).value, ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_names_are_found),
        cmocka_unit_test(a_long_name_is_no_overflow),
        cmocka_unit_test(numbers_in),
        cmocka_unit_test(seconds_in),
        cmocka_unit_test(numbers_for_people),
        cmocka_unit_test(offsets_and_words),
        cmocka_unit_test(times),
        cmocka_unit_test(what_is_no_time),
        cmocka_unit_test(times_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
