#include "cli/opt.h"

#include "cli/exit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct conf {
    bool nul, end;
    int verbose;
    const char *delim, *key;
    int64_t count;
    struct opt_list headers;
    int64_t called;
    bool dry;
};

static int call(void *field, const char *arg, struct kerr *e)
{
    if (strcmp(arg, "good") != 0)
        return kerr_set(e, KE_INVALID, "'%s' is not good", arg);
    *(int64_t *)field = 42;
    return 0;
}

static const struct opt own[] = {
    {'0', "null", NULL, "nul", OPT_FLAG, offsetof(struct conf, nul), .excludes = "framing"},
    {'D', "delimiter", "DELIM", "d", OPT_TEXT, offsetof(struct conf, delim), .excludes = "framing"},
    {'e', "end", NULL, "stop", OPT_FLAG, offsetof(struct conf, end), .min = 0},
    {'c', "count", "N", "count", OPT_INT, offsetof(struct conf, count), .min = -5, .max = 100},
    {'H', "header", "NAME=VALUE", "header", OPT_LIST, offsetof(struct conf, headers), .min = 0},
    {0, "call", "GOOD", "call", OPT_CALL, offsetof(struct conf, called), .call = call},
    {0},
};
static const struct opt common[] = {
    {'v', "verbose", NULL, "more", OPT_COUNT, offsetof(struct conf, verbose), .min = 0},
    {0},
};
static const struct opt dry[] = {
    {'n', "dry-run", NULL, "change nothing", OPT_FLAG, offsetof(struct conf, dry), .min = 0},
    {0},
};
static const struct opt_command create = {.name = "create",
                                          .usage = "NAME...",
                                          .about = "make",
                                          .options = dry,
                                          .min_operands = 1,
                                          .max_operands = OPT_MANY};
static const struct opt_command list = {.name = "list", .usage = "", .about = "show"};
static const struct opt_command *const commands[] = {&list, &create, NULL};
static const struct opt_tool plain = {.name = "plain",
                                      .usage = "TOPIC [FILE]",
                                      .about = "about",
                                      .own = own,
                                      .common = common,
                                      .min_operands = 1,
                                      .max_operands = 2};
static const struct opt_tool many = {
    .name = "many", .usage = "COMMAND", .about = "about", .common = common, .commands = commands};

static struct conf c;
static struct operands ops;
static struct kerr e;

static int parse(const struct opt_tool *t, const char *line)
{
    static char copy[256];
    char *argv[32] = {(char[]){"tool"}};
    int argc = 1;

    opt_list_free(&c.headers);
    operands_free(&ops);
    c = (struct conf){.count = -1};
    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
        argv[argc++] = w;
    return opt_parse(t, argc, argv, &c, &c, &ops, &e);
}

static void says(int rc, const char *msg)
{
    assert_int_equal(rc, KE_INVALID);
    assert_string_equal(kerr_msg(&e), msg);
}

static void every_way_to_give_a_value(void **state)
{
    static const char *const lines[] = {"-c5 t", "-c 5 t", "--count=5 t", "--count 5 t",
                                        "t -c5", "-ec5 t", "t --count 5", "-c 1 -c 5 t"};

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(parse(&plain, lines[i]), OPT_GO);
        assert_int_equal(c.count, 5);
        assert_int_equal(ops.n, 1);
        assert_string_equal(ops.v[0], "t");
        assert_null(ops.v[1]);
    }
}

static void an_argument_may_look_like_an_option(void **state)
{
    (void)state;
    assert_int_equal(parse(&plain, "-c -5 -D -- t"), OPT_GO);
    assert_int_equal(c.count, -5);
    assert_string_equal(c.delim, "--");
    assert_false(ops.dashes);
    assert_int_equal(parse(&plain, "-D= t"), OPT_GO);
    assert_string_equal(c.delim, "=");
    assert_int_equal(parse(&plain, "--delimiter= t"), OPT_GO);
    assert_string_equal(c.delim, "");
    assert_int_equal(parse(&plain, "--header=a=b -Hc=d t"), OPT_GO);
    assert_int_equal(c.headers.n, 2);
    assert_string_equal(c.headers.v[0], "a=b");
    assert_string_equal(c.headers.v[1], "c=d");
}

static void dashes_end_the_options(void **state)
{
    (void)state;
    assert_int_equal(parse(&plain, "-- -e --count"), OPT_GO);
    assert_true(ops.dashes);
    assert_false(c.end);
    assert_int_equal(ops.n, 2);
    assert_string_equal(ops.v[0], "-e");
    assert_int_equal(parse(&plain, "-- -- -e"), OPT_GO);
    assert_string_equal(ops.v[0], "--");
    assert_int_equal(parse(&plain, "t -"), OPT_GO);
    assert_string_equal(ops.v[1], "-");
}

static void bundles_and_counts(void **state)
{
    (void)state;
    assert_int_equal(parse(&plain, "-0evv t -v"), OPT_GO);
    assert_true(c.nul && c.end);
    assert_int_equal(c.verbose, 3);
}

static void wrong_usage_is_named(void **state)
{
    (void)state;
    says(parse(&plain, "--cuont 1 t"), "unknown option --cuont (did you mean --count?)");
    says(parse(&plain, "--count-by-zebras=1 t"), "unknown option --count-by-zebras");
    says(parse(&plain, "--coun 1 t"), "unknown option --coun (did you mean --count?)");
    says(parse(&plain, "-ey t"), "unknown option -y");
    says(parse(&plain, "--end=1 t"), "--end takes no argument");
    says(parse(&plain, "t -c"), "-c needs an argument, N");
    says(parse(&plain, "t --count"), "--count needs an argument, N");
    says(parse(&plain, "-c x t"), "-c: 'x' is not a number");
    says(parse(&plain, "-c 101 t"), "-c: 101 is not in -5..100");
    says(parse(&plain, "--call bad t"), "--call: 'bad' is not good");
    says(parse(&plain, "-0 -D x t"), "-0 and -D exclude each other");
    says(parse(&plain, "t u v"), "unexpected operand 'v'");
    says(parse(&plain, "-e"), "needs an operand: TOPIC [FILE]");
    assert_int_equal(parse(&plain, "-0 -0 t"), OPT_GO);
    assert_int_equal(parse(&plain, "--call good t"), OPT_GO);
    assert_int_equal(c.called, 42);
}

static void commands_bring_their_options(void **state)
{
    (void)state;
    assert_int_equal(parse(&many, "-v create -n a -v b"), OPT_GO);
    assert_ptr_equal(ops.command, &create);
    assert_int_equal(ops.n, 2);
    assert_true(c.dry);
    assert_int_equal(c.verbose, 2);
    assert_int_equal(parse(&many, "list"), OPT_GO);
    assert_int_equal(ops.n, 0);
    says(parse(&many, "list x"), "unexpected operand 'x'");
    says(parse(&many, "list -n"), "unknown option -n");
    says(parse(&many, "-n create a"), "unknown option -n");
    says(parse(&many, "craete a"), "unknown command craete (did you mean create?)");
    says(parse(&many, "-v"), "a command is missing");
    says(parse(&many, "create"), "create needs an operand: NAME...");
}

static void help_wins_over_what_is_missing(void **state)
{
    (void)state;
    assert_int_equal(parse(&plain, "-h"), OPT_SHOW_HELP);
    assert_int_equal(parse(&plain, "-eh"), OPT_SHOW_HELP);
    assert_int_equal(parse(&plain, "--version"), OPT_SHOW_VERSION);
    assert_int_equal(parse(&many, "create --help"), OPT_SHOW_HELP);
    assert_ptr_equal(ops.command, &create);
    assert_int_equal(parse(&plain, "--list-options"), OPT_SHOW_OPTIONS);
}

static void help_and_list_show_every_option(void **state)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    (void)state;
    opt_print_help(&plain, NULL, f);
    fclose(f);
    assert_string_equal(text, "usage: plain TOPIC [FILE]\n"
                              "about\n\n"
                              "  -0, --null                    nul\n"
                              "  -D, --delimiter DELIM         d\n"
                              "  -e, --end                     stop\n"
                              "  -c, --count N                 count\n"
                              "  -H, --header NAME=VALUE       header\n"
                              "      --call GOOD               call\n"
                              "  -v, --verbose                 more\n"
                              "  -h, --help                    show this help\n"
                              "  -V, --version                 show the version\n"
                              "      --list-options            list the options, for programs\n");
    free(text);
    f = open_memstream(&text, &n);
    opt_print_options(&many, f);
    fclose(f);
    assert_string_equal(text, "-\t-v\t--verbose\t-\tmore\n"
                              "-\t-h\t--help\t-\tshow this help\n"
                              "-\t-V\t--version\t-\tshow the version\n"
                              "-\t-\t--list-options\t-\tlist the options, for programs\n"
                              "list\n"
                              "create\n"
                              "create\t-n\t--dry-run\t-\tchange nothing\n");
    free(text);
}

static void a_timeout_has_its_own_status(void **state)
{
    struct kerr timeout = {.code = KE_TIMEOUT}, io = {.code = KE_IO};

    (void)state;
    assert_int_equal(cli_status(&timeout), 3);
    assert_int_equal(cli_status(&io), 1);
}

static int teardown(void **state)
{
    (void)state;
    opt_list_free(&c.headers);
    operands_free(&ops);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_to_give_a_value),
        cmocka_unit_test(an_argument_may_look_like_an_option),
        cmocka_unit_test(dashes_end_the_options),
        cmocka_unit_test(bundles_and_counts),
        cmocka_unit_test(wrong_usage_is_named),
        cmocka_unit_test(commands_bring_their_options),
        cmocka_unit_test(help_wins_over_what_is_missing),
        cmocka_unit_test(help_and_list_show_every_option),
        cmocka_unit_test(a_timeout_has_its_own_status),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
