/* Property files, held to what java.util.Properties makes of the same bytes. */
#include "cli/common.h"
#include "cli/properties.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct properties p;
static struct kerr e;

static int parse(const char *text)
{
    properties_free(&p);
    return properties_parse(&p, "f", slice_str(text), &e);
}

/* Each is one line of name and value, as Java's Properties.load has them. */
static void lines_as_java_reads_them(void **state)
{
    static const struct {
        const char *text, *name, *value;
    } rows[] = {
        {"a=b\n", "a", "b"},
        {"a=b", "a", "b"},
        {"a = b \n", "a", "b "},
        {"  a : b", "a", "b"},
        {"a\tb", "a", "b"},
        {"a  =  = b", "a", "= b"},
        {"a b=c", "a", "b=c"},
        {"a", "a", ""},
        {"a=", "a", ""},
        {"a==b", "a", "=b"},
        {"a=b\r\n", "a", "b"},
        {"a=b\rc=d", "c", "d"},
        {"#a=b\n!c\n \t# x\n\n a=z\n", "a", "z"},
        {"a=b#c", "a", "b#c"},
        {"#x\\\na=b", "a", "b"},
        {"a=b\\\n   c", "a", "bc"},
        {"a=b\\\r\n  c\\\n d", "a", "bcd"},
        {"a=b\\\\\nc=d", "c", "d"},
        {"a=b\\\n\nc=d", "a", "b"},
        {"a=b\\\n#c", "a", "b#c"},
        {"a=b\\", "a", "b"},
        {"a\\=b=c", "a=b", "c"},
        {"a\\ b\\:c d", "a b:c", "d"},
        {"a=\\t\\n\\r\\f\\q\\\"", "a", "\t\n\r\fq\""},
        {"a=\\u0041\\u00e9\\u20AC", "a", "A\xc3\xa9\xe2\x82\xac"},
        {"a=\\uD83D\\uDE00", "a", "\xf0\x9f\x98\x80"},
        {"a=1\na=2", "a", "2"},
        {"\\u0061=x", "a", "x"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *got;
        if (parse(rows[i].text) != 0)
            fail_msg("'%s': %s", rows[i].text, kerr_msg(&e));
        got = properties_get(&p, rows[i].name);
        if (!got || strcmp(got, rows[i].value) != 0)
            fail_msg("'%s': '%s', not '%s'", rows[i].text, got ? got : "(none)", rows[i].value);
    }
}

static void errors_name_file_and_line(void **state)
{
    (void)state;
    assert_int_equal(parse("a=b\n\nc=\\u12g4\n"), KE_INVALID);
    assert_string_equal(e.msg, "f:3: \\u needs the four hexadecimal digits of a character");
    assert_int_equal(parse("a=b\\\n c\n=d\n"), KE_INVALID);
    assert_string_equal(e.msg, "f:3: a name is missing");
    assert_int_equal(parse("a=\\uD83D"), KE_INVALID);
    assert_int_equal(parse("a=\\uDE00"), KE_INVALID);
    assert_int_equal(parse("a=\\u0000"), KE_INVALID);
    assert_int_equal(properties_parse(&p, "f", slice_of("a=b\0c", 5), &e), KE_INVALID);
    assert_int_equal(properties_load(&p, "/nonexistent/file", &e), KE_NOTFOUND);
    assert_string_equal(e.msg, "/nonexistent/file: No such file or directory");
    assert_int_equal(parse("x=1\\\n 2\n\nlinger.ms=soon\n"), 0);
    kerr_set(&e, KE_INVALID, "'soon' is not a number");
    properties_blame(&p.v[1], KE_INVALID, &e);
    assert_string_equal(e.msg, "f:4: 'soon' is not a number");
}

static void assignments(void **state)
{
    (void)state;
    properties_free(&p);
    assert_int_equal(properties_add(&p, "acks=all", &e), 0);
    assert_int_equal(properties_add(&p, "x=a=b", &e), 0);
    assert_int_equal(properties_add(&p, "acks=", &e), 0);
    assert_string_equal(properties_get(&p, "acks"), "");
    assert_string_equal(properties_get(&p, "x"), "a=b");
    assert_int_equal(p.n, 2);
    assert_int_equal(properties_add(&p, "acks", &e), KE_INVALID);
    assert_string_equal(e.msg, "'acks' is not name=value");
    assert_int_equal(properties_add(&p, "=all", &e), KE_INVALID);
}

/* The user's file, then -F, then -X; -b over all of them, KCORE_BOOTSTRAP below. */
static void what_the_common_options_add_up_to(void **state)
{
    char dir[] = "/tmp/kcore-cli.XXXXXX", file[64], own[96];
    const char *files[] = {file}, *set[] = {"acks=0"};
    struct common_conf c = COMMON_CONF_DEFAULT;
    FILE *f;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/kcore", dir);
    assert_int_equal(mkdir(file, 0700), 0);
    snprintf(own, sizeof own, "%s/kcore/client.properties", dir);
    snprintf(file, sizeof file, "%s/file", dir);
    assert_non_null(f = fopen(own, "w"));
    fputs("acks=1\nlinger.ms=1\nbootstrap.servers=own:1\n", f);
    fclose(f);
    assert_non_null(f = fopen(file, "w"));
    fputs("acks=all\nlinger.ms=2\n", f);
    fclose(f);

    properties_free(&p);
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    unsetenv("KCORE_BOOTSTRAP");
    assert_int_equal(common_properties(&c, &p, &e), 0);
    assert_string_equal(properties_get(&p, "bootstrap.servers"), "localhost:9092");
    setenv("KCORE_BOOTSTRAP", "env:1", 1);
    properties_free(&p);
    assert_int_equal(common_properties(&c, &p, &e), 0);
    assert_string_equal(properties_get(&p, "bootstrap.servers"), "env:1");
    setenv("XDG_CONFIG_HOME", dir, 1);
    properties_free(&p);
    c.files = (struct opt_list){files, 1};
    c.set = (struct opt_list){set, 1};
    assert_int_equal(common_properties(&c, &p, &e), 0);
    assert_string_equal(properties_get(&p, "bootstrap.servers"), "own:1");
    assert_string_equal(properties_get(&p, "linger.ms"), "2");
    assert_string_equal(properties_get(&p, "acks"), "0");
    c.brokers = "b:1";
    assert_int_equal(common_properties(&c, &p, &e), 0);
    assert_string_equal(properties_get(&p, "bootstrap.servers"), "b:1");

    unlink(file);
    unlink(own);
    assert_int_equal(common_properties(&c, &p, &e), KE_NOTFOUND); /* -F has to be there */
    *strrchr(own, '/') = 0;
    rmdir(own);
    rmdir(dir);
}

static int teardown(void **state)
{
    (void)state;
    properties_free(&p);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_as_java_reads_them),
        cmocka_unit_test(errors_name_file_and_line),
        cmocka_unit_test(assignments),
        cmocka_unit_test(what_the_common_options_add_up_to),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
