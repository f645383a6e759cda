#include "cli/opt.h"

#include "cli/complete.h"
#include "cli/exit.h"
#include "cli/nearest.h"
#include "cli/num.h"

#include <stdlib.h>
#include <string.h>

const struct opt opt_standard[] = {
    {'h', "help", NULL, "show this help", OPT_HELP, .at = 0},
    {'V', "version", NULL, "show the version", OPT_VERSION, .at = 0},
    {0, "list-options", NULL, "list the options, for programs", OPT_OPTIONS, .at = 0},
    {0},
};

/* The option tables that apply, each with the struct its offsets point into. */
struct scope {
    const struct opt *table[4];
    char *into[4];
    size_t n;
};

struct parser {
    const struct opt_tool *tool;
    struct scope scope;
    char *own;
    const struct opt *excluding[32]; /* given options that exclude others */
    size_t n_excluding;
    int result;
    struct operands *ops;
    struct kerr *e;
};

static void scope_add(struct scope *s, const struct opt *table, void *into)
{
    if (!table)
        return;
    s->table[s->n] = table;
    s->into[s->n++] = into;
}

void opt_list_free(struct opt_list *l)
{
    free(l->v);
    *l = (struct opt_list){0};
}

void operands_free(struct operands *o)
{
    free(o->v);
    *o = (struct operands){0};
}

static int list_add(const char ***v, size_t *n, const char *s, struct kerr *e)
{
    const char **bigger = reallocarray(*v, *n + 2, sizeof **v);

    if (!bigger)
        return kerr_set(e, KE_NOMEM, "out of memory");
    bigger[(*n)++] = s;
    bigger[*n] = NULL;
    *v = bigger;
    return 0;
}

/* How a person would write the option: "-p" or "--partition". */
static const char *spelled(const struct opt *o, char out[64])
{
    if (o->letter)
        snprintf(out, 64, "-%c", o->letter);
    else
        snprintf(out, 64, "--%s", o->name);
    return out;
}

/* Two different options of one exclusion word cannot both be meant. */
static int check_excludes(struct parser *p, const struct opt *o)
{
    char a[64], b[64];

    if (!o->excludes)
        return 0;
    for (size_t i = 0; i < p->n_excluding; i++) {
        const struct opt *other = p->excluding[i];
        if (other == o)
            return 0;
        if (strcmp(other->excludes, o->excludes) == 0)
            return kerr_set(p->e, KE_INVALID, "%s and %s exclude each other", spelled(other, a),
                            spelled(o, b));
    }
    if (p->n_excluding < sizeof p->excluding / sizeof p->excluding[0])
        p->excluding[p->n_excluding++] = o;
    return 0;
}

static int store(struct parser *p, const struct opt *o, char *into, const char *arg)
{
    void *field = into ? into + o->at : NULL;
    struct opt_list *list;
    char name[64];
    int rc = check_excludes(p, o);

    if (rc < 0)
        return rc;
    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)field = true;
        return 0;
    case OPT_COUNT:
        ++*(int *)field;
        return 0;
    case OPT_TEXT:
        *(const char **)field = arg;
        return 0;
    case OPT_LIST:
        list = field;
        return list_add(&list->v, &list->n, arg, p->e);
    case OPT_INT:
        rc = num_parse(arg, o->min, o->max, field, p->e);
        break;
    case OPT_CALL:
        rc = o->call(field, arg, p->e);
        break;
    case OPT_HELP:
        p->result = OPT_SHOW_HELP;
        return 0;
    case OPT_VERSION:
        p->result = OPT_SHOW_VERSION;
        return 0;
    case OPT_OPTIONS:
        p->result = OPT_SHOW_OPTIONS;
        return 0;
    }
    return rc < 0 ? kerr_ctx(p->e, rc, "%s", spelled(o, name)) : 0;
}

static const struct opt *find_long(const struct scope *s, const char *name, size_t n, char **into)
{
    for (size_t t = 0; t < s->n; t++)
        for (const struct opt *o = s->table[t]; o->name; o++)
            if (strlen(o->name) == n && memcmp(o->name, name, n) == 0) {
                *into = s->into[t];
                return o;
            }
    return NULL;
}

static const struct opt *find_letter(const struct scope *s, char letter, char **into)
{
    for (size_t t = 0; t < s->n; t++)
        for (const struct opt *o = s->table[t]; o->name; o++)
            if (o->letter == letter) {
                *into = s->into[t];
                return o;
            }
    return NULL;
}

static int unknown_long(struct parser *p, const char *name, size_t n)
{
    char word[64], shown[DIAG_ESCAPED_MAX];
    struct nearest near = {.word = word};

    snprintf(word, sizeof word, "%.*s", n < sizeof word ? (int)n : (int)sizeof word - 1, name);
    for (size_t t = 0; t < p->scope.n; t++)
        for (const struct opt *o = p->scope.table[t]; o->name; o++)
            nearest_try(&near, o->name);
    diag_escape(shown, sizeof shown, slice_str(word));
    if (near.best)
        return kerr_set(p->e, KE_INVALID, "unknown option --%s (did you mean --%s?)", shown,
                        near.best);
    return kerr_set(p->e, KE_INVALID, "unknown option --%s", shown);
}

/* dashes and name: as the option was written. */
static int lacks_argument(struct parser *p, const struct opt *o, const char *dashes,
                          const char *name)
{
    p->ops->pending = o;
    return kerr_set(p->e, KE_INVALID, "%s%s needs an argument, %s", dashes, name, o->arg);
}

/* "--name", "--name=value", "--name value": *i is the argument's index, moved past the value. */
static int parse_long(struct parser *p, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2;
    const char *eq = strchr(name, '=');
    size_t n = eq ? (size_t)(eq - name) : strlen(name);
    const char *arg = NULL;
    char *into = NULL;
    const struct opt *o = find_long(&p->scope, name, n, &into);

    if (!o)
        return unknown_long(p, name, n);
    if (!o->arg && eq)
        return kerr_set(p->e, KE_INVALID, "--%s takes no argument", o->name);
    if (o->arg) {
        if (eq)
            arg = eq + 1;
        else if (*i + 1 < argc)
            arg = argv[++*i];
        else
            return lacks_argument(p, o, "--", o->name);
    }
    return store(p, o, into, arg);
}

/* "-a", "-abc", "-c5", "-c 5". */
static int parse_letters(struct parser *p, int argc, char **argv, int *i)
{
    int rc = 0;

    for (const char *s = argv[*i] + 1; *s && rc == 0; s++) {
        char *into = NULL, shown[DIAG_ESCAPED_MAX];
        const struct opt *o = find_letter(&p->scope, *s, &into);
        if (!o)
            return kerr_set(p->e, KE_INVALID, "unknown option -%s",
                            diag_escape(shown, sizeof shown, slice_of(s, 1)));
        if (!o->arg) {
            rc = store(p, o, into, NULL);
            continue;
        }
        if (s[1])
            return store(p, o, into, s + 1);
        if (*i + 1 >= argc)
            return lacks_argument(p, o, "-", (char[]){*s, 0});
        return store(p, o, into, argv[++*i]);
    }
    return rc;
}

/* The first operand of a tool with commands is the command; its options count from here on. */
static int choose_command(struct parser *p, const char *word)
{
    struct nearest near = {.word = word};
    char shown[DIAG_ESCAPED_MAX];

    for (const struct opt_command *const *c = p->tool->commands; *c; c++) {
        if (strcmp((*c)->name, word) == 0) {
            p->ops->command = *c;
            scope_add(&p->scope, (*c)->options, p->own);
            return 0;
        }
        nearest_try(&near, (*c)->name);
    }
    diag_escape(shown, sizeof shown, slice_str(word));
    if (near.best)
        return kerr_set(p->e, KE_INVALID, "unknown command %s (did you mean %s?)", shown,
                        near.best);
    return kerr_set(p->e, KE_INVALID, "unknown command %s", shown);
}

static int check_operands(const struct opt_tool *t, const struct operands *ops, struct kerr *e)
{
    const struct opt_command *c = ops->command;
    size_t min = c ? c->min_operands : t->min_operands;
    size_t max = c ? c->max_operands : t->max_operands;
    char shown[DIAG_ESCAPED_MAX];

    if (t->commands && !c)
        return kerr_set(e, KE_INVALID, "a command is missing");
    if (ops->n < min)
        return kerr_set(e, KE_INVALID, "%s%sneeds %s operand%s: %s", c ? c->name : "", c ? " " : "",
                        min == 1 ? "an" : "more", min == 1 ? "" : "s", c ? c->usage : t->usage);
    if (ops->n > max)
        return kerr_set(e, KE_INVALID, "unexpected operand '%s'",
                        diag_escape(shown, sizeof shown, slice_str(ops->v[max])));
    return 0;
}

int opt_parse(const struct opt_tool *t, int argc, char **argv, void *own, void *common,
              struct operands *ops, struct kerr *e)
{
    struct parser p = {.tool = t, .own = own, .ops = ops, .e = e};
    int rc = 0;

    *ops = (struct operands){0};
    scope_add(&p.scope, opt_standard, NULL);
    scope_add(&p.scope, t->own, own);
    scope_add(&p.scope, t->common, common);
    for (int i = 1; i < argc && rc == 0 && p.result == OPT_GO; i++) {
        const char *a = argv[i];
        if (ops->dashes || a[0] != '-' || a[1] == 0)
            rc = t->commands && !ops->command ? choose_command(&p, a)
                                              : list_add(&ops->v, &ops->n, a, e);
        else if (strcmp(a, "--") == 0)
            ops->dashes = true;
        else if (a[1] == '-')
            rc = parse_long(&p, argc, argv, &i);
        else
            rc = parse_letters(&p, argc, argv, &i);
    }
    if (rc < 0)
        return rc;
    if (p.result == OPT_GO)
        rc = check_operands(t, ops, e);
    return rc < 0 ? rc : p.result;
}

static void print_usage(const char *head, const char *tool, const char *command, const char *usage,
                        FILE *out)
{
    const char *line = usage, *end;

    do {
        end = strchrnul(line, '\n');
        fprintf(out, "%s %s%s%s%s%.*s\n", head, tool, command ? " " : "", command ? command : "",
                end > line ? " " : "", (int)(end - line), line);
        head = "      ";
        line = end + 1;
    } while (*end);
}

static void print_table(const struct opt *table, FILE *out)
{
    for (const struct opt *o = table; o && o->name; o++) {
        char left[128];
        int n = snprintf(left, sizeof left, "  %c%c%s --%s%s%s", o->letter ? '-' : ' ',
                         o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
                         o->arg ? " " : "", o->arg ? o->arg : "");
        if (n < 30)
            fprintf(out, "%-30s  %s\n", left, o->help);
        else
            fprintf(out, "%s\n%32s%s\n", left, "", o->help);
    }
}

void opt_print_help(const struct opt_tool *t, const struct opt_command *c, FILE *out)
{
    print_usage("usage:", t->name, c ? c->name : NULL, c ? c->usage : t->usage, out);
    fprintf(out, "%s\n\n", c ? c->about : t->about);
    if (t->commands && !c) {
        for (const struct opt_command *const *k = t->commands; *k; k++)
            fprintf(out, "  %-10s %s\n", (*k)->name, (*k)->about);
        fprintf(out, "\n'%s COMMAND -h' shows a command's options; all commands take\n\n", t->name);
    }
    if (c)
        print_table(c->options, out);
    print_table(t->own, out);
    print_table(t->common, out);
    print_table(opt_standard, out);
}

static void list_table(const char *command, const struct opt *table, FILE *out)
{
    for (const struct opt *o = table; o && o->name; o++)
        fprintf(out, "%s\t-%s\t--%s\t%s\t%s\n", command, (char[]){o->letter, 0}, o->name,
                o->arg ? o->arg : "-", o->help);
}

void opt_print_options(const struct opt_tool *t, FILE *out)
{
    list_table("-", t->own, out);
    list_table("-", t->common, out);
    list_table("-", opt_standard, out);
    if (!t->commands)
        return;
    for (const struct opt_command *const *c = t->commands; *c; c++) {
        fprintf(out, "%s\n", (*c)->name);
        list_table((*c)->name, (*c)->options, out);
    }
}

int opt_main(const struct opt_tool *t, int argc, char **argv, void *own, void *common,
             struct operands *ops)
{
    struct kerr e = {0};

    cli_hold_standard();
    *ops = (struct operands){0};
    if (argc > 1 && strcmp(argv[1], "--complete") == 0)
        return complete_main(t, argc - 2, argv + 2, own, common);
    switch (opt_parse(t, argc, argv, own, common, ops, &e)) {
    case OPT_GO:
        return -1;
    case OPT_SHOW_HELP:
        opt_print_help(t, ops->command, stdout);
        break;
    case OPT_SHOW_VERSION:
        printf("%s (kcore) %s\n", t->name, KCORE_VERSION);
        break;
    case OPT_SHOW_OPTIONS:
        opt_print_options(t, stdout);
        break;
    default:
        operands_free(ops);
        return cli_usage(t->name, "%s", kerr_msg(&e));
    }
    operands_free(ops);
    return cli_close_stdout(t->name, CLI_DONE);
}
