/* The catalog against the directories: what a crash or a person has left is put right at the next
 * start, or refused with nothing changed. */
#include "broker_support.h"

#include "os/file.h"
#include "wire/error.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct rig rig;
static struct raw c;

static int start(void **state)
{
    (void)state;
    rig_start(&rig, NULL);
    raw_open(&c, &rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    os_hook_set(NULL, NULL);
    raw_close(&c);
    rig_stop(&rig);
    return 0;
}

static void in_dir(char out[512], const char *name)
{
    snprintf(out, 512, "%s/%s", rig.dir, name);
}

static void stop_here(bool clean)
{
    struct kerr e = {0};
    char path[512];

    raw_close(&c);
    if (broker_free(rig.broker, 2000, &e) < 0)
        fail_msg("stop: %s", kerr_msg(&e));
    in_dir(path, ".kafka_cleanshutdown");
    assert_int_equal(access(path, F_OK), 0);
    if (!clean)
        assert_int_equal(unlink(path), 0);
}

static void start_here(void)
{
    rig_restart(&rig, NULL);
    raw_open(&c, &rig);
}

static int count(const char *suffix)
{
    DIR *d = opendir(rig.dir);
    struct dirent *entry;
    int n = 0;

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        size_t len = strlen(entry->d_name), k = strlen(suffix);
        n += len >= k && strcmp(entry->d_name + len - k, suffix) == 0;
    }
    closedir(d);
    return n;
}

static int16_t produce(const char *topic)
{
    struct batch_builder w = {0};
    struct produced p =
        raw_produce(&c, 9, topic, (struct uuid){{0}}, -1, make_batch(&w, 0, 1, 20, -1, -1));

    batch_builder_free(&w);
    return p.error;
}

/* Killed between mkdir and the file that holds the topic's id. */
static void a_directory_without_an_id_makes_way(void **state)
{
    static const char *const left[] = {NULL, "partition.metadata.tmp"};
    char path[512], inner[600];

    (void)state;
    raw_create(&c, "t", 2, NULL);
    for (int i = 0; i < 2; i++) {
        stop_here(false);
        in_dir(path, "t-1");
        snprintf(inner, sizeof inner, "rm -r %s", path);
        assert_int_equal(system(inner), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        if (left[i]) {
            snprintf(inner, sizeof inner, "%s/%s", path, left[i]);
            fclose(fopen(inner, "w"));
        }
        start_here();
        assert_int_equal(count("-stray"), 0);
        assert_int_equal(produce("t"), 0);
    }
}

/* Another topic of that name was there before, and its deletion came no further than the catalog.
 */
static void a_namesake_makes_way_and_is_kept(void **state)
{
    char path[512];
    FILE *f;

    (void)state;
    raw_create(&c, "t", 1, NULL);
    stop_here(false);
    in_dir(path, "t-0/partition.metadata");
    f = fopen(path, "w");
    assert_non_null(f);
    fputs("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABg\n", f);
    fclose(f);
    start_here();
    assert_int_equal(count("t-0-stray"), 1);
    assert_int_equal(produce("t"), 0);
}

static void a_refusal_changes_nothing(void **state)
{
    struct broker_conf conf;
    struct kerr e = {0};
    char from[512], to[512];

    (void)state;
    raw_create(&c, "t", 1, NULL);
    raw_create(&c, "u", 1, NULL);
    stop_here(true);
    in_dir(from, "t-0");
    in_dir(to, "kept");
    assert_int_equal(rename(from, to), 0);
    in_dir(to, "stray-0");
    assert_int_equal(mkdir(to, 0700), 0);
    broker_conf_init(&conf);
    assert_int_equal(broker_conf_set(&conf, "log.dirs", rig.dir, &e), 0);
    assert_int_equal(broker_conf_set(&conf, "listeners", "127.0.0.1:0", &e), 0);
    assert_int_equal(broker_conf_check(&conf, &e), 0);
    assert_int_equal(
        broker_new(&rig.broker, &conf, &(struct broker_env){NULL, &(struct diag){0}}, &e),
        KE_NOTFOUND);
    assert_non_null(strstr(kerr_msg(&e), "t-0"));
    assert_int_equal(access(to, F_OK), 0);
    assert_int_equal(count("-stray"), 0);
    broker_conf_free(&conf);
    in_dir(to, "kept");
    assert_int_equal(rename(to, from), 0);
    start_here();
}

static int open_files_of(const char *name)
{
    DIR *d = opendir("/proc/self/fd");
    struct dirent *entry;
    char link[64], to[600];
    int n = 0;

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        ssize_t k;
        snprintf(link, sizeof link, "/proc/self/fd/%.20s", entry->d_name);
        k = readlink(link, to, sizeof to - 1);
        to[k > 0 ? k : 0] = 0;
        n += strstr(to, name) != NULL;
    }
    closedir(d);
    return n;
}

static int no_rename(void *arg, enum os_op op, int fd, const char *name, size_t *len)
{
    (void)arg;
    (void)fd;
    (void)len;
    return op == OS_RENAME && name && strcmp(name, "t-0") == 0 ? EIO : 0;
}

/* Its directory stays, and nobody is served from it. */
static void a_deletion_that_the_disk_refuses(void **state)
{
    (void)state;
    raw_close(&c);
    rig_stop(&rig);
    os_hook_set(no_rename, NULL); /* before there are threads */
    start(NULL);
    raw_create(&c, "t", 1, NULL);
    assert_int_equal(produce("t"), 0);
    assert_int_equal(raw_delete(&c, "t"), 0);
    assert_int_equal(produce("t"), KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(open_files_of("/t-0"), 0);
    stop_here(true);
    os_hook_set(NULL, NULL);
    start_here();
    assert_int_equal(count("t-0-stray"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_directory_without_an_id_makes_way, start, stop),
        cmocka_unit_test_setup_teardown(a_namesake_makes_way_and_is_kept, start, stop),
        cmocka_unit_test_setup_teardown(a_refusal_changes_nothing, start, stop),
        cmocka_unit_test_setup_teardown(a_deletion_that_the_disk_refuses, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
