/* Who may connect, on a clock of the test's own; and what of it is said. */
#include "broker/guests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int64_t now_ms;
static int said;
static char last[256];

static mono_ns mono(void *arg)
{
    (void)arg;
    return (mono_ns){now_ms * 1000000};
}

static wall_ms wall(void *arg)
{
    (void)arg;
    return (wall_ms){now_ms};
}

static void hear(void *arg, enum diag_level level, const char *msg)
{
    (void)arg;
    assert_int_equal(level, DIAG_WARN);
    said++;
    snprintf(last, sizeof last, "%s", msg);
}

static const struct os_clock clock_ = {wall, mono, NULL};
static const struct diag diag_ = {DIAG_INFO, hear, NULL};

static struct guests *begin(int64_t per_ip, int64_t rate, const char *overrides)
{
    struct guest_limits l = {per_ip, rate, ""};
    struct guests *g;

    snprintf(l.overrides, sizeof l.overrides, "%s", overrides);
    said = 0;
    now_ms = 1000;
    g = guests_new(&clock_, &diag_, &l);
    assert_non_null(g);
    return g;
}

static void an_address_has_so_many(void **state)
{
    struct guests *g = begin(2, 1000, "::1:1, 10.0.0.9:3");

    (void)state;
    assert_true(guests_enter(g, "10.0.0.1"));
    assert_true(guests_enter(g, "10.0.0.1"));
    assert_false(guests_enter(g, "10.0.0.1"));
    assert_string_equal(last,
                        "over 2 connections from 10.0.0.1 (max.connections.per.ip): refusing more");
    assert_true(guests_enter(g, "10.0.0.2"));
    guests_leave(g, "10.0.0.1");
    assert_true(guests_enter(g, "10.0.0.1"));
    assert_false(guests_enter(g, "10.0.0.1"));
    assert_true(guests_enter(g, "::1"));
    assert_false(guests_enter(g, "::1"));
    for (int i = 0; i < 3; i++)
        assert_true(guests_enter(g, "10.0.0.9"));
    assert_false(guests_enter(g, "10.0.0.9"));
    for (int i = 0; i < 100; i++)
        assert_true(guests_enter(g, "")); /* a Unix socket */
    assert_int_equal(said, 1);
    guests_free(g);
}

static void so_many_come_in_a_second(void **state)
{
    struct guests *g = begin(INT32_MAX, 10, "");

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_true(guests_enter(g, ""));
    assert_false(guests_enter(g, ""));
    now_ms += 99;
    assert_false(guests_enter(g, ""));
    now_ms += 2;
    assert_true(guests_enter(g, ""));
    assert_false(guests_enter(g, ""));
    now_ms += 3600000; /* nothing is saved up */
    for (int i = 0; i < 10; i++)
        assert_true(guests_enter(g, ""));
    assert_false(guests_enter(g, ""));
    assert_int_equal(said, 2);
    guests_free(g);
}

static void it_is_said_once_a_minute(void **state)
{
    struct guests *g = begin(0, 1000000, "");

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_false(guests_enter(g, "10.0.0.1"));
    assert_int_equal(said, 1);
    now_ms += 59999;
    assert_false(guests_enter(g, "10.0.0.1"));
    assert_int_equal(said, 1);
    now_ms += 1;
    assert_false(guests_enter(g, "10.0.0.1"));
    assert_int_equal(said, 2);
    guests_free(g);
}

static void limits_change(void **state)
{
    struct guests *g = begin(1, 1000, "");
    struct guest_limits l = {2, 1000, ""};

    (void)state;
    assert_true(guests_enter(g, "10.0.0.1"));
    assert_false(guests_enter(g, "10.0.0.1"));
    guests_set_limits(g, &l);
    assert_true(guests_enter(g, "10.0.0.1"));
    assert_false(guests_enter(g, "10.0.0.1"));
    guests_free(g);
}

static void overrides_are_checked(void **state)
{
    static const char *const bad[] = {
        "localhost:5", "10.0.0.1",    "10.0.0.1:", "10.0.0.1:x",          "10.0.0.1:-1",
        ":5",          "10.0.0.1:5x", "::1",       "10.0.0.1:99999999999"};
    char text[GUEST_OVERRIDES + 1];

    (void)state;
    assert_int_equal(guest_overrides_check("", NULL), 0);
    assert_int_equal(guest_overrides_check("10.0.0.1:5", NULL), 0);
    assert_int_equal(guest_overrides_check("10.0.0.1:5,fe80::1:7, ::1:0", NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (guest_overrides_check(bad[i], NULL) != KE_INVALID)
            fail_msg("'%s' is taken", bad[i]);
    memset(text, ',', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(guest_overrides_check(text, NULL), KE_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_so_many),   cmocka_unit_test(so_many_come_in_a_second),
        cmocka_unit_test(it_is_said_once_a_minute), cmocka_unit_test(limits_change),
        cmocka_unit_test(overrides_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
