/* complete: what is offered for the word at the cursor, by what stands before it. */
#include "cli/complete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct conf {
    bool quiet;
    const char *file, *codec;
};

static const struct opt own[] = {
    {'q', "quiet", NULL, "no words", OPT_FLAG, offsetof(struct conf, quiet), .min = 0},
    {'F', "file", "FILE", "from there", OPT_TEXT, offsetof(struct conf, file), .min = 0},
    {'z', "codec", "none|zip[:LEVEL]|N", "how", OPT_TEXT, offsetof(struct conf, codec), .min = 0},
    {0, "dir", "DIR[,DIR...]", "where", OPT_TEXT, offsetof(struct conf, file), .min = 0},
    {0},
};
static const struct opt dry[] = {
    {'n', "dry-run", NULL, "nothing", OPT_FLAG, offsetof(struct conf, quiet), .min = 0},
    {0},
};
static const struct opt_command show = {
    .name = "show", .about = "shows", .words = "on|off THING", .max_operands = OPT_MANY};
static const struct opt_command make = {
    .name = "make", .about = "makes", .options = dry, .max_operands = OPT_MANY};
static const struct opt_command *const commands[] = {&show, &make, NULL};

static void lookup(void *conf, const char *kind, const struct operands *ops,
                   const struct complete *c)
{
    char text[64];

    assert_string_equal(kind, "THING");
    snprintf(text, sizeof text, "%s-%zu%s", ops->v[0], ops->n,
             ((struct conf *)conf)->quiet ? "-quiet" : "");
    complete_offer(c, text, "a thing");
    /* a broker may say what it likes */
    complete_offer(c, "two words", NULL);
    complete_offer(c, "$(rm)", NULL);
    complete_offer(c, "`rm`", NULL);
    complete_offer(c, "a\nb", NULL);
    complete_offer(c, "a\x1b[2Jb", NULL);
    complete_offer(c, "a;b", NULL);
    complete_offer(c, "half=", NULL);
}

static const struct opt_tool many = {
    .name = "many", .own = own, .commands = commands, .lookup = lookup};
static const struct opt_tool plain = {
    .name = "plain", .own = own, .max_operands = OPT_MANY, .words = "-- COMMAND FILE"};

/* The words, with blanks between: "" at the end is one, too. */
static char *offered(const struct opt_tool *t, const char *line)
{
    static char out[4096];
    char words[256], *argv[16] = {"--complete"};
    int argc = 0, saved = dup(STDOUT_FILENO);
    FILE *f = tmpfile();
    struct conf conf = {0};
    size_t n;

    snprintf(words, sizeof words, "%s", line);
    for (char *s = words, *blank; s; s = blank ? blank + 1 : NULL) {
        if ((blank = strchr(s, ' ')) != NULL)
            *blank = 0;
        argv[++argc] = s;
    }
    fflush(stdout);
    dup2(fileno(f), STDOUT_FILENO);
    assert_int_equal(complete_main(t, argc, argv + 1, &conf, NULL), 0);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(f);
    n = fread(out, 1, sizeof out - 1, f);
    out[n] = 0;
    fclose(f);
    return out;
}

static void each_word_is_what_its_place_makes_it(void **state)
{
    static const char options[] =
        "-h\tshow this help\n--help\tshow this help\n-V\tshow the version\n"
        "--version\tshow the version\n"
        "--list-options\tlist the options, for programs\n"
        "-q\tno words\n--quiet\tno words\n-F\tfrom there\n"
        "--file\tfrom there\n-z\thow\n--codec\thow\n--dir\twhere\n";
    static const struct {
        const char *line, *answer;
    } rows[] = {
        {"", "words\nshow\tshows\nmake\tmakes\n"},
        {"s", "words\nshow\tshows\n"},
        {"-q s", "words\nshow\tshows\n"},
        {"--fi", "words\n--file\tfrom there\n"},
        {"make --d", "words\n--dir\twhere\n--dry-run\tnothing\n"},
        {"show --d", "words\n--dir\twhere\n"},
        {"-z ", "words\nnone\t\nzip\t\n"},
        {"-qz ", "words\nnone\t\nzip\t\n"},
        {"-qzn", "words\n-qznone\t\n"},
        {"--codec ", "words\nnone\t\nzip\t\n"},
        {"--codec=z", "words\n--codec=zip\t\n"},
        {"--codec=x", "words\n"},
        {"--nothing=x", "words\n"},
        {"--=x", "words\n"},
        {"-yz", "words\n"},
        {"-F ", "files 0\n"},
        {"-Fab", "files 2\n"},
        {"--file=ab", "files 7\n"},
        {"--dir a", "dirs 0\n"},
        {"--quiet=", "words\n"},
        {"make ", ""},
        {"show ", "words\non\t\noff\t\n"},
        {"show of", "words\noff\t\n"},
        {"show on ", "words\non-1\ta thing\nhalf=\t\n"},
        {"show off x -q o", "words\noff-2-quiet\ta thing\n"},
        {"show -- on h", "words\nhalf=\t\n"},
        {"show on -- -q", "words\n"},
        {"nonsense ", "words\nshow\tshows\nmake\tmakes\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(offered(&many, rows[i].line), rows[i].answer);
    assert_string_equal(offered(&many, "-") + 6, options);
}

static void behind_the_dashes_only(void **state)
{
    (void)state;
    assert_string_equal(offered(&plain, ""), "");
    assert_string_equal(offered(&plain, "x"), "");
    assert_string_equal(offered(&plain, "-- "), "commands 0\n");
    assert_string_equal(offered(&plain, "-- -"), "commands 0\n");
    assert_string_equal(offered(&plain, "-- x "), "files 0\n");
    assert_string_equal(offered(&plain, "-q -- x y z"), "files 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_word_is_what_its_place_makes_it),
        cmocka_unit_test(behind_the_dashes_only),
    };

    return cmocka_run_group_tests_name("cli_complete", tests, NULL, NULL);
}
