/*
 * opt - one option table per tool feeds the parser, -h, the completions and the test that holds
 * the man page to it.
 *
 * A table is a const array that ends with an empty entry; each entry says where in the tool's own
 * struct its value goes:
 *
 *     struct conf { bool nul; const char *key; int64_t partition; struct opt_list headers; };
 *     static const struct opt options[] = {
 *         {'0', "null", NULL, "records end with NUL", OPT_FLAG, offsetof(struct conf, nul),
 *          .excludes = "framing"},
 *         {'p', "partition", "PARTITION", "send to this one", OPT_INT,
 *          offsetof(struct conf, partition), .max = INT32_MAX},
 *         {0},
 *     };
 *     const struct opt_tool kprod_tool = {"kprod", "[OPTION]... TOPIC [FILE]...", "text to topic",
 *         .own = options, .common = common_options, .min_operands = 1,
         .max_operands = OPT_MANY};
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct conf c = {.partition = -1};                 the defaults
 *         struct common_conf common = COMMON_CONF_DEFAULT;
 *         struct operands ops;
 *         int status = opt_main(&kprod_tool, argc, argv, &c, &common, &ops);
 *         if (status >= 0)
 *             return status;                                 -h, -V, or wrong usage, told
 *
 * Options may follow operands; "--" ends them; "-" is an operand. Long options are exact names,
 * with "=value" or the value in the next argument; letters may be bundled ("-qe", "-c5"). An
 * argument is taken whatever it looks like ("-o -5"). An option given twice: the last counts, a
 * list collects. Two that exclude each other are an error. Nothing is copied: argv has to live as
 * long as the values. -h, -V and --list-options belong to every tool.
 */
#ifndef KCORE_CLI_OPT_H
#define KCORE_CLI_OPT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum opt_kind {
    OPT_FLAG,  /* bool: becomes true */
    OPT_COUNT, /* int: one more */
    OPT_TEXT,  /* const char * */
    OPT_LIST,  /* struct opt_list: one more */
    OPT_INT,   /* int64_t in min..max */
    OPT_CALL,  /* call(field, argument) */
    OPT_HELP,
    OPT_VERSION,
    OPT_OPTIONS,
};

struct opt {
    char letter;      /* 0: none */
    const char *name; /* the long form, without "--" */
    const char *arg;  /* its argument's name ("FILE", "none|gzip|..."), NULL: takes none */
    const char *help; /* one line, no full stop */
    enum opt_kind kind;
    size_t at; /* offsetof in the tool's struct (or the common one's, for a common table) */
    int64_t min, max;
    /* KE_INVALID with what was expected; the parser puts the option's name in front. */
    int (*call)(void *field, const char *arg, struct kerr *e);
    const char *excludes; /* options of one tool with the same word exclude each other */
};

struct opt_list {
    const char **v;
    size_t n;
};

/* Frees the array, not the strings (they are argv's). */
void opt_list_free(struct opt_list *l);

struct operands {
    const char **v; /* NULL-terminated */
    size_t n;
    bool dashes;                       /* a "--" was given */
    const struct opt_command *command; /* the subcommand, or NULL; not counted in v */
    const struct opt *pending;         /* KE_INVALID: it is the last argument, and lacks its own */
};
void operands_free(struct operands *o);

#define OPT_MANY SIZE_MAX

/* A subcommand; see struct opt_tool.commands. */
struct opt_command {
    const char *name;
    const char *usage;                 /* what follows the name */
    const char *about;                 /* one line */
    const struct opt *options;         /* may be NULL; offsets into the tool's struct */
    size_t min_operands, max_operands; /* OPT_MANY: no limit */
    int (*run)(void *ctx, const struct operands *ops); /* an exit status */
    const char *words; /* what its operands are, for cli/complete.h; may be NULL */
};

struct complete;

struct opt_tool {
    const char *name;
    const char *usage;                         /* what follows the name; further lines behind \n */
    const char *about;                         /* one line */
    const struct opt *own;                     /* may be NULL */
    const struct opt *common;                  /* common_options or NULL */
    const struct opt_command *const *commands; /* NULL-terminated, or NULL */
    size_t min_operands, max_operands;         /* of a tool without commands */
    const char *words;                         /* likewise; see cli/complete.h */
    /* Offers operands of a kind to a shell; own is as the options before have made it. */
    void (*lookup)(void *own, const char *kind, const struct operands *ops,
                   const struct complete *c);
};

/* What every tool has, whatever its tables say. */
extern const struct opt opt_standard[];

enum opt_result { OPT_GO = 0, OPT_SHOW_HELP = 1, OPT_SHOW_VERSION = 2, OPT_SHOW_OPTIONS = 3 };

/* An enum opt_result, or KE_INVALID with the message (KE_NOMEM). ops is filled on OPT_GO, and its
 * command also on OPT_SHOW_HELP; on KE_INVALID it has what stood before; free it in every case. */
int opt_parse(const struct opt_tool *t, int argc, char **argv, void *own, void *common,
              struct operands *ops, struct kerr *e);

/* -h: usage and every option, those of one command when it is not NULL. */
void opt_print_help(const struct opt_tool *t, const struct opt_command *c, FILE *out);

/* For programs: "command<TAB>-l<TAB>--long<TAB>argument<TAB>help" a line, "-" for what is not
 * there; a command's name stands on a line of its own before its options. */
void opt_print_options(const struct opt_tool *t, FILE *out);

/* opt_parse (for --complete: complete_main), and what a main does with its result: -1 to go on,
 * else the exit status (0 after -h, -V, --list-options; 2 after a message on stderr). */
int opt_main(const struct opt_tool *t, int argc, char **argv, void *own, void *common,
             struct operands *ops);

#endif
