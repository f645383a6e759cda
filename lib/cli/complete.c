#include "cli/complete.h"

#include "cli/common.h"
#include "cli/exit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

void complete_offer(const struct complete *c, const char *candidate, const char *about)
{
    for (const char *s = candidate; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f || strchr("\\'\"`$&;|<>()*?[]#~", *s))
            return;
    if (strncmp(candidate, c->typed, strlen(c->typed)) == 0)
        printf("%.*s%s\t%s\n", (int)(c->typed - c->word), c->word, candidate, about ? about : "");
}

static void shells_own(const struct complete *c, const char *what)
{
    printf("%s %zu\n", what, (size_t)(c->typed - c->word));
}

/* "none|gzip|zstd[:LEVEL]": what is in lower case can be offered. */
static void offer_choices(const struct complete *c, const char *choices)
{
    for (const char *s = choices, *end; *s; s = *end ? end + 1 : end) {
        char word[64];
        end = strchrnul(s, '|');
        snprintf(word, sizeof word, "%.*s", (int)(end - s), s);
        word[strcspn(word, "[")] = 0;
        if (word[strcspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == 0)
            complete_offer(c, word, NULL);
    }
}

/* An option's argument, by its name in the table. */
static void offer_value(const struct complete *c, const char *arg)
{
    if (strstr(arg, "FILE"))
        shells_own(c, "files");
    else if (strstr(arg, "DIR"))
        shells_own(c, "dirs");
    else if (strchr(arg, '|')) {
        puts("words");
        offer_choices(c, arg);
    }
}

/* ---- options ---- */

/* Calls each for every option that applies; stops at true. */
static const struct opt *each_option(const struct opt_tool *t, const struct opt_command *command,
                                     bool (*each)(void *arg, const struct opt *o), void *arg)
{
    const struct opt *tables[] = {opt_standard, t->own, t->common,
                                  command ? command->options : NULL};

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const struct opt *o = tables[i]; o && o->name; o++)
            if (each(arg, o))
                return o;
    return NULL;
}

static bool offer_option(void *arg, const struct opt *o)
{
    char spelled[80] = {'-', o->letter, 0};

    if (o->letter)
        complete_offer(arg, spelled, o->help);
    snprintf(spelled, sizeof spelled, "--%s", o->name);
    complete_offer(arg, spelled, o->help);
    return false;
}

/* An option as it stands in a word: n bytes of a long name, or a letter (n is 0). */
struct spelling {
    const char *p;
    size_t n;
};

static bool is_spelled(void *arg, const struct opt *o)
{
    const struct spelling *s = arg;

    return s->n ? strlen(o->name) == s->n && memcmp(o->name, s->p, s->n) == 0 : o->letter == *s->p;
}

/* "--name=VALUE", "-qnVALUE": the option of which VALUE is the argument, and where it begins. */
static const struct opt *find_value(const struct opt_tool *t, const struct opt_command *command,
                                    const char *word, const char **value)
{
    const char *eq = strchr(word, '=');
    const struct opt *o = NULL;

    if (word[1] == '-') {
        if (!eq || eq == word + 2)
            return NULL;
        *value = eq + 1;
        o = each_option(t, command, is_spelled,
                        &(struct spelling){word + 2, (size_t)(eq - word - 2)});
        return o && o->arg ? o : NULL;
    }
    for (const char *s = word + 1; *s; s++) {
        o = each_option(t, command, is_spelled, &(struct spelling){s, 0});
        if (!o)
            return NULL;
        *value = s + 1;
        if (o->arg)
            return s[1] ? o : NULL;
    }
    return NULL;
}

/* ---- operands ---- */

static void too_late(int sig)
{
    (void)sig;
    _exit(CLI_DONE); /* nothing of it has been flushed */
}

static void start_clock(void)
{
    struct itimerval t = {.it_value = {.tv_usec = COMPLETE_MS * 1000}};
    struct sigaction alarm = {.sa_handler = too_late};

    sigaction(SIGALRM, &alarm, NULL);
    setitimer(ITIMER_REAL, &t, NULL);
}

/* Topics are ktopic's to find. The clock goes on in it, and it has one of its own. */
static void ask_ktopic(const struct complete *c, const struct common_conf *conf)
{
    size_t n = 0, most = 2 * (conf->set.n + conf->files.n) + 8;
    const char **argv = calloc(most, sizeof *argv);
    char path[4096];
    ssize_t k = readlink("/proc/self/exe", path, sizeof path - 8);
    char *slash;

    if (!argv || k < 0)
        return;
    path[k] = 0;
    slash = strrchr(path, '/');
    memcpy(slash ? slash + 1 : path, "ktopic", 7);
    argv[n++] = "ktopic";
    argv[n++] = "--complete";
    for (size_t i = 0; i < conf->set.n; i++) {
        argv[n++] = "-X";
        argv[n++] = conf->set.v[i];
    }
    for (size_t i = 0; i < conf->files.n; i++) {
        argv[n++] = "-F";
        argv[n++] = conf->files.v[i];
    }
    if (conf->brokers) {
        argv[n++] = "-b";
        argv[n++] = conf->brokers;
    }
    argv[n++] = "describe";
    argv[n++] = "--";
    argv[n++] = c->word;
    execv(path, (char **)(uintptr_t)argv);
    free(argv);
}

/* The word for operand number i. */
static bool operand_word(const char *words, size_t i, char out[64])
{
    const char *s = words, *end = strchrnul(s, ' ');

    for (; i > 0 && *end; i--) {
        s = end + 1;
        end = strchrnul(s, ' ');
    }
    snprintf(out, 64, "%.*s", (int)(end - s), s);
    return out[0] != 0;
}

static void offer_operand(const struct opt_tool *t, const struct operands *ops, void *own,
                          void *common, const struct complete *c)
{
    const char *words = ops->command ? ops->command->words : t->words;
    char word[64];

    if (words && strncmp(words, "-- ", 3) == 0)
        words = ops->dashes ? words + 3 : NULL;
    if (!words || !operand_word(words, ops->n, word))
        return;
    if (strcmp(word, "FILE") == 0) {
        shells_own(c, "files");
    } else if (strcmp(word, "COMMAND") == 0) {
        shells_own(c, "commands");
    } else if (strchr(word, '|')) {
        puts("words");
        offer_choices(c, word);
    } else if (t->lookup) {
        start_clock();
        puts("words");
        t->lookup(own, word, ops, c);
    } else if (t->common == common_options) {
        start_clock();
        ask_ktopic(c, common);
    }
}

/* ---- the word ---- */

static void offer_commands(const struct opt_tool *t, const struct complete *c)
{
    puts("words");
    for (const struct opt_command *const *k = t->commands; *k; k++)
        complete_offer(c, (*k)->name, (*k)->about);
}

int complete_main(const struct opt_tool *t, int argc, char **argv, void *own, void *common)
{
    const char *word = argc > 0 ? argv[argc - 1] : "";
    struct complete c = {word, word};
    struct operands ops;
    const struct opt *o;

    /* what is wrong in front of the cursor is not wrong yet; the words begin behind argv[0] */
    opt_parse(t, argc, argv - 1, own, common, &ops, NULL);
    if (ops.pending) {
        offer_value(&c, ops.pending->arg);
    } else if (!ops.dashes && word[0] == '-' &&
               (o = find_value(t, ops.command, word, &c.typed)) != NULL) {
        offer_value(&c, o->arg);
    } else if (!ops.dashes && word[0] == '-') {
        c.typed = word;
        puts("words");
        each_option(t, ops.command, offer_option, &c);
    } else if (t->commands && !ops.command) {
        offer_commands(t, &c);
    } else {
        offer_operand(t, &ops, own, common, &c);
    }
    operands_free(&ops);
    return cli_close_stdout(t->name, CLI_DONE);
}
