/* Apply is a function of (catalog, command): the same commands give the same rows and the same
 * hash, alone or grouped, at once or after a snapshot at any index. */
#include "catalog_support.h"

#include "catalog/apply.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { COMMANDS = 120 };

static struct catalog *open_at(const char *dir)
{
    const struct catalog_conf conf = {.dir = dir, .cluster_id = uuid_of(9)};
    struct catalog *c;
    struct kerr e = {0};

    if (catalog_open(&c, &conf, true, &e) < 0)
        fail_msg("%s", kerr_msg(&e));
    return c;
}

static void random_commands(struct buf *cmds, size_t n, uint64_t seed)
{
    struct rng r = {seed};

    for (size_t i = 0; i < n; i++) {
        cmds[i] = (struct buf){0};
        cmd_random(&cmds[i], &r);
    }
}

static void free_commands(struct buf *cmds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_free(&cmds[i]);
}

static void alone_or_grouped_is_the_same(void **state)
{
    struct buf cmds[COMMANDS];
    struct answer one[COMMANDS], all[COMMANDS];

    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        char *a = scratch_dir(), *b = scratch_dir(), *x, *y;
        struct catalog *ca = open_at(a), *cb = open_at(b);
        random_commands(cmds, COMMANDS, seed);
        for (size_t i = 0; i < COMMANDS; i++)
            one[i] = propose(ca, &cmds[i]);
        propose_all(cb, cmds, COMMANDS, all);
        for (size_t i = 0; i < COMMANDS; i++) {
            assert_int_equal(one[i].err, all[i].err);
            assert_int_equal(one[i].index, all[i].index);
            assert_int_equal(one[i].result, all[i].result);
            assert_int_equal(one[i].value, all[i].value);
        }
        catalog_close(ca);
        catalog_close(cb);
        x = dump_catalog(a);
        y = dump_catalog(b);
        assert_string_equal(x, y);
        free(x);
        free(y);
        scratch_remove(a);
        scratch_remove(b);
        free(a);
        free(b);
        free_commands(cmds, COMMANDS);
    }
}

/* Replays commands [1, n] at their own indexes into the catalog of dir, as a log that is read from
 * its beginning would; index 1 was the cluster id. */
static void replay(const char *dir, const struct buf *cmds, size_t n)
{
    const struct catalog_image *image;
    struct store s;
    struct edit ed;
    struct applied applied;
    struct kerr e = {0};

    assert_int_equal(store_open(&s, dir, CATALOG_FILE, &e), 0);
    assert_int_equal(store_load(&s, &image, &e), 0);
    edit_init(&ed, image);
    assert_int_equal(store_run(&s, STORE_BEGIN, &e), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(catalog_apply(&s, &ed, (int64_t)i + 2, buf_slice(&cmds[i]), &applied, &e),
                         0);
    assert_int_equal(catalog_apply(&s, &ed, ed.index + 2, buf_slice(&cmds[0]), &applied, &e),
                     KE_INVALID);
    assert_int_equal(store_run(&s, STORE_COMMIT, &e), 0);
    edit_free(&ed);
    catalog_image_release(image);
    store_close(&s, false);
}

static void snapshot_at_every_index_then_the_rest(void **state)
{
    enum { N = 40 };
    struct buf cmds[N];
    char *dir = scratch_dir(), *whole;
    struct catalog *c = open_at(dir);
    char file[N][512];

    (void)state;
    random_commands(cmds, N, 11);
    for (size_t i = 0; i < N; i++) {
        struct kerr e = {0};
        snprintf(file[i], sizeof file[i], "%s/snapshot%zu", dir, i);
        if (catalog_snapshot(dir, file[i], &e) < 0)
            fail_msg("%s", kerr_msg(&e));
        assert_int_equal(catalog_snapshot(dir, file[i], &e), KE_EXISTS);
        assert_int_equal(propose(c, &cmds[i]).err, 0);
    }
    catalog_close(c);
    whole = dump_catalog(dir);
    for (size_t i = 0; i < N; i++) {
        char *at = scratch_dir(), *dump;
        struct kerr e = {0};
        if (catalog_restore(file[i], at, &e) < 0)
            fail_msg("%s", kerr_msg(&e));
        assert_int_equal(catalog_restore(file[i], at, &e), KE_EXISTS);
        replay(at, cmds, N);
        dump = dump_catalog(at);
        assert_string_equal(dump, whole);
        free(dump);
        scratch_remove(at);
        free(at);
    }
    free(whole);
    scratch_remove(dir);
    free(dir);
    free_commands(cmds, N);
}

/* The answer of the first time, however often and whatever happened in between; forgotten after a
 * thousand commands. */
static void a_repeated_proposal_is_answered_as_before(void **state)
{
    char *dir = scratch_dir();
    struct catalog *c = open_at(dir);
    const struct catalog_image *image;
    struct buf create = {0}, again = {0}, gone = {0}, ids = {0}, other = {0};
    struct answer a, b;

    (void)state;
    cmd_create(&create, 1, "t", 1, 1);
    cmd_create(&again, 2, "t", 2, 1);
    cmd_delete(&gone, 3, 1);
    cmd_producer_ids(&ids, 4, 50);
    a = propose(c, &create);
    assert_int_equal(a.result, CATALOG_DONE);
    assert_int_equal(propose(c, &again).result, CATALOG_TOPIC_EXISTS);
    assert_int_equal(propose(c, &gone).result, CATALOG_DONE);
    assert_int_equal(propose(c, &ids).value, 0);
    b = propose(c, &ids);
    assert_int_equal(b.value, 0);
    b = propose(c, &create); /* not created again */
    assert_int_equal(b.result, CATALOG_DONE);
    assert_int_equal(b.index, a.index);
    assert_int_equal(propose(c, &again).result, CATALOG_TOPIC_EXISTS);
    image = catalog_image(c);
    assert_int_equal(image->topic_count, 0);
    assert_int_equal(image->next_producer_id, 50);
    catalog_image_release(image);
    for (int i = 0; i < APPLY_REMEMBERED; i++) {
        cmd_producer_ids(&other, 100 + i, 1);
        assert_int_equal(propose(c, &other).value, 50 + i);
    }
    assert_int_equal(propose(c, &create).index, 2 + 6 + 1 + APPLY_REMEMBERED);
    catalog_close(c);
    scratch_remove(dir);
    free(dir);
    buf_free(&create);
    buf_free(&again);
    buf_free(&gone);
    buf_free(&ids);
    buf_free(&other);
}

/* A stored format: these bytes lie in catalogs. If this fails, a new catalog no longer agrees with
 * an old one. */
static void the_hash_is_pinned(void **state)
{
    char *dir = scratch_dir();
    struct catalog *c = open_at(dir);
    const struct catalog_image *image;
    struct buf cmd = {0};
    char text[33];

    (void)state;
    cmd_create(&cmd, 1, "t", 1, 2);
    assert_int_equal(propose(c, &cmd).result, CATALOG_DONE);
    image = catalog_image(c);
    assert_int_equal(image->index, 2);
    for (size_t i = 0; i < CATALOG_HASH; i++)
        snprintf(text + 2 * i, 3, "%02x", image->hash[i]);
    assert_string_equal(text, "361d326c4402cb5736b697fc6aa55a58");
    catalog_image_release(image);
    catalog_close(c);
    scratch_remove(dir);
    free(dir);
    buf_free(&cmd);
}

/* Cut anywhere, of another version, with bytes behind: refused, no index, and the next one works.
 */
static void unreadable_commands_change_nothing(void **state)
{
    char *dir = scratch_dir();
    struct catalog *c = open_at(dir);
    struct buf cmd = {0}, bad = {0};

    (void)state;
    cmd_create(&cmd, 1, "t", 1, 2);
    for (size_t n = 0; n < cmd.n; n++) {
        buf_clear(&bad);
        buf_put(&bad, cmd.p, n);
        assert_int_equal(propose(c, &bad).err, KE_CORRUPT);
    }
    buf_put_slice(&bad, buf_slice(&cmd));
    assert_int_equal(propose(c, &bad).err, KE_CORRUPT);
    buf_clear(&bad);
    buf_put_slice(&bad, buf_slice(&cmd));
    buf_put_u8(&bad, 0);
    assert_int_equal(propose(c, &bad).err, KE_CORRUPT);
    buf_clear(&bad);
    buf_put_slice(&bad, buf_slice(&cmd));
    bad.p[1] = 1; /* the command's version */
    assert_int_equal(propose(c, &bad).err, KE_UNSUPPORTED);
    bad.p[1] = 0;
    bad.p[2 + 16 + 8 + 8 + 1 + 1] = 99; /* the change's kind */
    assert_int_equal(propose(c, &bad).err, KE_UNSUPPORTED);
    assert_int_equal(propose(c, &cmd).index, 2);
    catalog_close(c);
    scratch_remove(dir);
    free(dir);
    buf_free(&cmd);
    buf_free(&bad);
}

static void changes_without_sense_are_refused(void **state)
{
    static const char *const bad_names[] = {"", ".", "..", "a/b", "\xc3\xa4", "a b"};
    char *dir = scratch_dir(), longest[251];
    struct catalog *c = open_at(dir);
    struct buf cmd = {0};
    int64_t seq = 1;

    (void)state;
    for (size_t i = 0; i < sizeof bad_names / sizeof bad_names[0]; i++) {
        cmd_create(&cmd, seq++, bad_names[i], 1, 1);
        assert_int_equal(propose(c, &cmd).result, CATALOG_INVALID);
    }
    memset(longest, 'x', 250);
    longest[250] = '\0';
    cmd_create(&cmd, seq++, longest, 1, 1);
    assert_int_equal(propose(c, &cmd).result, CATALOG_INVALID);
    longest[249] = '\0';
    cmd_create(&cmd, seq++, longest, 1, 1);
    assert_int_equal(propose(c, &cmd).result, CATALOG_DONE);
    cmd_create(&cmd, seq++, "other", 1, 1);
    assert_int_equal(propose(c, &cmd).result, CATALOG_TOPIC_EXISTS);
    cmd_create(&cmd, seq++, "none", 2, 0);
    assert_int_equal(propose(c, &cmd).result, CATALOG_INVALID);
    cmd_delete(&cmd, seq++, 3);
    assert_int_equal(propose(c, &cmd).result, CATALOG_NO_SUCH_TOPIC);
    cmd_producer_ids(&cmd, seq++, 0);
    assert_int_equal(propose(c, &cmd).result, CATALOG_INVALID);
    catalog_close(c);
    scratch_remove(dir);
    free(dir);
    buf_free(&cmd);
}

/* More partitions: behind the old ones, only if there are as many as the proposer thought. */
static void partitions_are_added_behind(void **state)
{
    char *dir = scratch_dir(), *dump, *again;
    struct catalog *c = open_at(dir);
    const struct catalog_image *image, *old;
    const struct catalog_topic *t;
    struct buf cmd = {0};

    (void)state;
    cmd_create(&cmd, 1, "t", 1, 2);
    assert_int_equal(propose(c, &cmd).result, CATALOG_DONE);
    old = catalog_image(c);
    cmd_create_partitions(&cmd, 2, 1, 2, 3);
    assert_int_equal(propose(c, &cmd).result, CATALOG_DONE);
    cmd_create_partitions(&cmd, 3, 1, 2, 1); /* too late */
    assert_int_equal(propose(c, &cmd).result, CATALOG_PARTITIONS_EXIST);
    cmd_create_partitions(&cmd, 4, 1, 6, 1); /* more than there are */
    assert_int_equal(propose(c, &cmd).result, CATALOG_INVALID);
    cmd_create_partitions(&cmd, 5, 1, 5, 0);
    assert_int_equal(propose(c, &cmd).result, CATALOG_INVALID);
    cmd_create_partitions(&cmd, 6, 9, 1, 1);
    assert_int_equal(propose(c, &cmd).result, CATALOG_NO_SUCH_TOPIC);
    for (int reopened = 0; reopened < 2; reopened++) {
        image = catalog_image(c);
        assert_int_equal(image->topic_count, 1);
        t = catalog_topic_by_id(image, uuid_of(1));
        assert_ptr_equal(t, catalog_topic_by_name(image, slice_str("t")));
        assert_int_equal(t->partition_count, 5);
        assert_int_equal(t->config_count, 1);
        for (int32_t i = 0; i < 5; i++) {
            assert_int_equal(t->partitions[i].id, i);
            assert_int_equal(t->partitions[i].leader, i < 2 ? 1 : 3);
            assert_int_equal(t->partitions[i].leader_epoch, i < 2 ? i : 7 + i - 2);
            assert_true(uuid_eq(t->partitions[i].directory_id, uuid_of(i < 2 ? 1001 : 2001)));
        }
        catalog_image_release(image);
        catalog_close(c);
        c = open_at(dir);
    }
    assert_int_equal(old->topics[0]->partition_count, 2); /* whoever holds it sees no change */
    catalog_image_release(old);
    dump = dump_catalog(dir);
    cmd_delete(&cmd, 7, 1);
    assert_int_equal(propose(c, &cmd).result, CATALOG_DONE);
    again = dump_catalog(dir);
    assert_non_null(strstr(dump, "|4|3|9|"));
    assert_null(strstr(again, "|4|3|9|"));
    free(dump);
    free(again);
    catalog_close(c);
    scratch_remove(dir);
    free(dir);
    buf_free(&cmd);
}

static const char *topic_value(const struct catalog_image *i, const char *name, char text[32])
{
    const struct catalog_topic *t = catalog_topic_by_id(i, uuid_of(1));

    for (int32_t k = 0; k < t->config_count; k++)
        if (slice_eq_str(t->configs[k].name, name)) {
            snprintf(text, 32, "%.*s", (int)t->configs[k].value.n, t->configs[k].value.p);
            return text;
        }
    return "-";
}

static const char *broker_value(const struct catalog_image *i, const char *broker, const char *name,
                                char text[32])
{
    struct slice v = catalog_broker_value(i, slice_str(broker), slice_str(name));

    snprintf(text, 32, "%.*s", (int)v.n, v.p);
    return v.p ? text : "-";
}

static enum catalog_result alter(struct catalog *c, int64_t seq, uint32_t id, const char *broker,
                                 bool replace, const char *name, const char *value, const char *was)
{
    struct buf cmd = {0};
    struct answer a;

    cmd_alter(&cmd, seq, id, broker, replace, name, value, was);
    a = propose(c, &cmd);
    buf_free(&cmd);
    assert_int_equal(a.err, 0);
    return a.result;
}

static void settings_of_a_topic(void **state)
{
    char *dir = scratch_dir(), text[32];
    struct catalog *c = open_at(dir);
    const struct catalog_image *i;
    struct buf cmd = {0};

    (void)state;
    cmd_create(&cmd, 1, "t", 1, 2); /* with segment.bytes=1048576 */
    assert_int_equal(propose(c, &cmd).result, CATALOG_DONE);
    assert_int_equal(alter(c, 2, 1, "", false, "a", "1", NULL), CATALOG_DONE);
    assert_int_equal(alter(c, 3, 1, "", false, "z", "2", "-"), CATALOG_DONE);
    assert_int_equal(alter(c, 4, 1, "", false, "z", "3", "-"), CATALOG_CONFLICT);
    assert_int_equal(alter(c, 5, 1, "", false, "z", "3", "1"), CATALOG_CONFLICT);
    assert_int_equal(alter(c, 6, 1, "", false, "z", "", "2"), CATALOG_DONE);
    assert_int_equal(alter(c, 7, 1, "", false, "a", NULL, NULL), CATALOG_DONE);
    assert_int_equal(alter(c, 8, 1, "", false, "never", NULL, NULL), CATALOG_DONE);
    assert_int_equal(alter(c, 9, 1, "", false, "", "1", NULL), CATALOG_INVALID);
    assert_int_equal(alter(c, 10, 2, "", false, "a", "1", NULL), CATALOG_NO_SUCH_TOPIC);
    for (int reopened = 0; reopened < 2; reopened++) {
        i = catalog_image(c);
        assert_int_equal(catalog_topic_by_id(i, uuid_of(1))->config_count, 2);
        assert_int_equal(catalog_topic_by_id(i, uuid_of(1))->partition_count, 2);
        assert_string_equal(topic_value(i, "segment.bytes", text), "1048576");
        assert_string_equal(topic_value(i, "z", text), "");
        assert_string_equal(topic_value(i, "a", text), "-");
        catalog_image_release(i);
        catalog_close(c);
        c = open_at(dir);
    }
    assert_int_equal(alter(c, 11, 1, "", true, "b", "4", NULL), CATALOG_DONE);
    i = catalog_image(c);
    assert_int_equal(catalog_topic_by_id(i, uuid_of(1))->config_count, 1);
    assert_string_equal(topic_value(i, "b", text), "4");
    catalog_image_release(i);
    catalog_close(c);
    scratch_remove(dir);
    free(dir);
    buf_free(&cmd);
}

static void count_changes(void *arg, const struct catalog_image *before,
                          const struct catalog_image *after)
{
    if (before->broker_configs != after->broker_configs)
        ++*(atomic_int *)arg;
}

static void settings_of_brokers(void **state)
{
    char *dir = scratch_dir(), text[32];
    struct catalog *c = open_at(dir);
    const struct catalog_image *i;
    atomic_int told = 0;

    (void)state;
    catalog_subscribe(c, count_changes, &told);
    assert_int_equal(alter(c, 1, 0, "1", false, "x", "one", "-"), CATALOG_DONE);
    assert_int_equal(alter(c, 2, 0, "", false, "x", "all", NULL), CATALOG_DONE);
    assert_int_equal(alter(c, 3, 0, "1", false, "y", "two", NULL), CATALOG_DONE);
    assert_int_equal(alter(c, 4, 0, "1", false, "x", "no", "all"), CATALOG_CONFLICT);
    assert_int_equal(atomic_load(&told), 3);
    for (int reopened = 0; reopened < 2; reopened++) {
        i = catalog_image(c);
        assert_int_equal(i->broker_config_count, 3);
        assert_string_equal(broker_value(i, "1", "x", text), "one");
        assert_string_equal(broker_value(i, "", "x", text), "all");
        assert_string_equal(broker_value(i, "1", "y", text), "two");
        assert_string_equal(broker_value(i, "", "y", text), "-");
        catalog_image_release(i);
        catalog_close(c);
        c = open_at(dir);
    }
    assert_int_equal(alter(c, 5, 0, "1", true, "z", "3", NULL), CATALOG_DONE);
    assert_int_equal(alter(c, 6, 0, "", false, "x", NULL, NULL), CATALOG_DONE);
    i = catalog_image(c);
    assert_int_equal(i->broker_config_count, 1);
    assert_string_equal(broker_value(i, "1", "z", text), "3");
    catalog_image_release(i);
    catalog_close(c);
    scratch_remove(dir);
    free(dir);
}

/* A file as it was before brokers had settings. */
static void an_older_format_is_brought_up_to_date(void **state)
{
    char *dir = scratch_dir(), path[512];
    struct catalog *c = open_at(dir);
    struct buf cmd = {0};
    sqlite3 *db;

    (void)state;
    cmd_create(&cmd, 1, "t", 1, 2);
    assert_int_equal(propose(c, &cmd).result, CATALOG_DONE);
    catalog_close(c);
    snprintf(path, sizeof path, "%s/%s", dir, CATALOG_FILE);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "DROP TABLE broker_configs; PRAGMA user_version = 1", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    for (int i = 0; i < 2; i++) {
        c = open_at(dir);
        assert_int_equal(alter(c, 10 + i, 0, "1", false, "x", "one", NULL), CATALOG_DONE);
        catalog_close(c);
    }
    scratch_remove(dir);
    free(dir);
    buf_free(&cmd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_or_grouped_is_the_same),
        cmocka_unit_test(snapshot_at_every_index_then_the_rest),
        cmocka_unit_test(a_repeated_proposal_is_answered_as_before),
        cmocka_unit_test(the_hash_is_pinned),
        cmocka_unit_test(unreadable_commands_change_nothing),
        cmocka_unit_test(changes_without_sense_are_refused),
        cmocka_unit_test(partitions_are_added_behind),
        cmocka_unit_test(settings_of_a_topic),
        cmocka_unit_test(settings_of_brokers),
        cmocka_unit_test(an_older_format_is_brought_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
