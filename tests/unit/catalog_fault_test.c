/* The catalog on a disk that fails: an I/O error at every call, no room, and the power cut at every
 * call with what was not synced there, half there or gone. Whatever happens, what was answered is
 * true after a reopen, and what is there is exactly what a sound disk would have after the same
 * commands. */
#include "catalog_support.h"

#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 9 };

/* Fills cmds with the script: creations, a refusal, a repetition, a deletion, ids, one big topic.
 */
static void script(struct buf cmds[STEPS])
{
    cmd_create(&cmds[0], 1, "one", 1, 1);
    cmd_create(&cmds[1], 2, "two", 2, 3);
    cmd_producer_ids(&cmds[2], 3, 1000);
    cmd_create(&cmds[3], 4, "two", 3, 1);
    cmd_create(&cmds[4], 2, "two", 2, 3);
    cmd_delete(&cmds[5], 5, 1);
    cmd_create(&cmds[6], 6, "big", 4, 60);
    cmd_producer_ids(&cmds[7], 7, 1000);
    cmd_create(&cmds[8], 8, "one", 5, 2);
}

struct run {
    struct buf cmds[STEPS];
    struct answer answers[STEPS];
    size_t count; /* proposed */
    int open;     /* what catalog_open said */
    bool failed;
};

static struct catalog_conf conf_of(const char *dir)
{
    return (struct catalog_conf){.dir = dir, .cluster_id = uuid_of(9)};
}

/* The first three alone, the next three together, the rest alone. */
static void run_script(const char *dir, struct run *r)
{
    const struct catalog_conf conf = conf_of(dir);
    struct catalog *c;
    struct kerr e = {0};

    r->count = 0;
    r->failed = false;
    r->open = catalog_open(&c, &conf, true, &e);
    if (r->open < 0) {
        assert_true(e.msg[0] != '\0');
        return;
    }
    for (size_t i = 0; i < STEPS; i += i == 3 ? 3 : 1)
        propose_all(c, &r->cmds[i], i == 3 ? 3 : 1, &r->answers[i]);
    r->count = STEPS;
    r->failed = catalog_failed(c);
    catalog_close(c);
}

/* What a sound disk has after those of the commands that the flags name. */
static char *reference(const struct run *r, const bool in[STEPS])
{
    char *dir = scratch_dir(), *dump;
    const struct catalog_conf conf = conf_of(dir);
    struct catalog *c;

    assert_int_equal(catalog_open(&c, &conf, true, NULL), 0);
    for (size_t i = 0; i < r->count; i++)
        if (in[i])
            assert_int_equal(propose(c, &r->cmds[i]).err, 0);
    dump = dump_catalog(dir);
    catalog_close(c);
    scratch_remove(dir);
    free(dir);
    return dump;
}

/* Reopens dir: it must hold all that was answered 0 and nothing that was answered with a definite
 * error; a commit of unknown outcome is there whole or not at all. */
static void check_after(const char *dir, const struct run *r, const char *when)
{
    const struct catalog_conf conf = conf_of(dir);
    struct catalog *c;
    struct kerr e = {0};
    char *dump, *without, *with;
    bool sure[STEPS] = {false}, maybe[STEPS] = {false};

    for (size_t i = 0; i < r->count; i++) {
        sure[i] = r->answers[i].err == 0;
        maybe[i] = sure[i] || r->answers[i].err == KE_UNKNOWN_OUTCOME;
    }
    if (catalog_open(&c, &conf, true, &e) < 0)
        fail_msg("%s: reopen: %s", when, kerr_msg(&e));
    dump = dump_catalog(dir);
    without = reference(r, sure);
    with = reference(r, maybe);
    if (strcmp(dump, without) != 0 && strcmp(dump, with) != 0)
        fail_msg("%s: have\n%s\nwant\n%s\nor\n%s", when, dump, without, with);
    free(dump);
    free(without);
    free(with);
    catalog_close(c);
}

static void fresh(struct run *r)
{
    *r = (struct run){0};
    script(r->cmds);
}

static void done_with(struct run *r)
{
    for (size_t i = 0; i < STEPS; i++)
        buf_free(&r->cmds[i]);
}

/* How many calls the script makes when nothing fails, so that every one of them has its turn. */
static long calls_of_script(void)
{
    char *dir = scratch_dir();
    struct run r;
    long n;

    fresh(&r);
    fault_set(FAULT_NONE, 0);
    run_script(dir, &r);
    n = fault_calls();
    assert_int_equal(r.open, 0);
    done_with(&r);
    scratch_remove(dir);
    free(dir);
    return n;
}

static void every_call_fails_once(void **state)
{
    long n = calls_of_script(), deaths = 0, refused = 0;

    (void)state;
    assert_true(n > 50);
    for (long at = 0; at < n; at++) {
        char *dir = scratch_dir(), when[64];
        struct run r;
        fresh(&r);
        snprintf(when, sizeof when, "EIO at call %ld", at);
        fault_set(FAULT_ERROR, at);
        run_script(dir, &r);
        fault_clear();
        refused += r.open < 0;
        deaths += r.failed;
        for (size_t i = 0; i + 1 < r.count; i++) /* dead is dead */
            if (r.answers[i].err == KE_UNKNOWN_OUTCOME || r.answers[i].err == KE_IO)
                assert_int_not_equal(r.answers[i + 1].err, 0);
        check_after(dir, &r, when);
        done_with(&r);
        scratch_remove(dir);
        free(dir);
    }
    assert_true(deaths > 10 && refused > 10); /* it struck where it should */
}

/* No room is no reason to die: the command is refused, and later ones succeed. */
static void no_room_is_survived(void **state)
{
    long n = calls_of_script(), full = 0;

    (void)state;
    for (long at = 0; at < n; at++) {
        char *dir = scratch_dir(), when[64];
        const struct catalog_conf conf = conf_of(dir);
        struct catalog *c;
        struct run r;
        fresh(&r);
        snprintf(when, sizeof when, "ENOSPC from call %ld", at);
        fault_set(FAULT_FULL, at);
        if (catalog_open(&c, &conf, true, NULL) == 0) {
            for (size_t i = 0; i < STEPS; i++) {
                r.answers[i] = propose(c, &r.cmds[i]);
                if (r.answers[i].err != 0) {
                    assert_int_equal(r.answers[i].err, KE_NOSPACE);
                    full++;
                    fault_clear();
                }
            }
            r.count = STEPS;
            assert_false(catalog_failed(c));
            catalog_close(c);
        }
        fault_clear();
        check_after(dir, &r, when);
        done_with(&r);
        scratch_remove(dir);
        free(dir);
    }
    assert_true(full > 10);
}

static void power_cut_at_every_call(void **state)
{
    long n = calls_of_script();

    (void)state;
    for (long at = 0; at <= n; at++) {
        char *dir = scratch_dir(), *after = scratch_dir(), when[64];
        struct run r;
        fresh(&r);
        snprintf(when, sizeof when, "power cut at call %ld", at);
        fault_set(FAULT_POWER, at);
        run_script(dir, &r);
        fault_power_back(after, (uint64_t)at);
        check_after(after, &r, when);
        done_with(&r);
        scratch_remove(dir);
        scratch_remove(after);
        free(dir);
        free(after);
    }
}

static int install(void **state)
{
    (void)state;
    fault_install();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_fails_once),
        cmocka_unit_test(no_room_is_survived),
        cmocka_unit_test(power_cut_at_every_call),
    };
    return cmocka_run_group_tests(tests, install, NULL);
}
