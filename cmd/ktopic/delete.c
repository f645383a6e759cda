#include "names.h"

#include "client/admin.h"
#include "wire/error.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct column columns[] = {{"topic", COL_TEXT}, {"done", COL_FLAG}, {0}};

static int delete_one(struct ktopic *k, struct writer *w, const char *name, struct kerr *e)
{
    char shown[DIAG_ESCAPED_MAX];
    struct client_topic *t;
    int rc = ktopic_topic(k, name, &t, e);

    if ((rc == KE_NOTFOUND || (rc == KE_REMOTE && e->remote == KAFKA_INVALID_TOPIC_EXCEPTION)) &&
        strpbrk(name, "*?[]|()^$+\\"))
        return kerr_set(e, KE_NOTFOUND,
                        "no topic is named '%s' (names are literal; a pattern needs --regex "
                        "and --yes)",
                        name);
    if (rc == 0 && !k->dry_run)
        rc = admin_delete(k->client, name, ktopic_left(k), e);
    if (rc < 0)
        return rc;
    ktopic_told(k, "deleted", "would delete", "topic %s",
                diag_escape(shown, sizeof shown, slice_str(name)));
    writer_text(w, slice_str(name));
    writer_flag(w, !k->dry_run);
    writer_row(w);
    return 0;
}

static int delete_all(struct ktopic *k, const char *const *names, size_t n)
{
    struct writer *w = ktopic_changes(k, columns);
    struct kerr e = {0};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = delete_one(k, w, names[i], &e);
    return ktopic_written(w, rc, &e);
}

/* A pattern finds what nobody thought of. */
static bool ask(const struct names *l)
{
    char line[16] = "", shown[DIAG_ESCAPED_MAX];

    for (size_t i = 0; i < l->n; i++)
        fprintf(stderr, "  %s\n", diag_escape(shown, sizeof shown, slice_str(l->v[i])));
    fprintf(stderr, "delete %s topic%s and all records in %s? [y/N] ", l->n == 1 ? "this" : "these",
            l->n == 1 ? "" : "s", l->n == 1 ? "it" : "them");
    return fgets(line, sizeof line, stdin) &&
           (strcmp(line, "y\n") == 0 || strcmp(line, "yes\n") == 0);
}

static int delete_matching(struct ktopic *k)
{
    struct kerr e = {0};
    struct names l;
    int rc = names_load(k, false, k->regex, &l, &e), status;

    if (rc == KE_INVALID)
        return cli_usage("ktopic", "--regex %s", kerr_msg(&e));
    if (rc < 0)
        return ktopic_fail(&e);
    if (l.n == 0) {
        kerr_set(&e, KE_NOTFOUND, "no topic's whole name matches '%s'", k->regex);
        status = ktopic_fail(&e);
    } else if (!k->dry_run && !k->yes && !isatty(STDIN_FILENO)) {
        status = cli_usage("ktopic",
                           "--regex matches %zu topic%s; without a terminal to ask on it needs -y",
                           l.n, l.n == 1 ? "" : "s");
    } else if (!k->dry_run && !k->yes && !ask(&l)) {
        kerr_set(&e, KE_CLOSED, "nothing was deleted");
        status = ktopic_fail(&e);
    } else {
        status = delete_all(k, (const char *const *)l.v, l.n);
    }
    names_free(&l);
    return status;
}

static int delete (void *ctx, const struct operands *ops)
{
    struct ktopic *k = ctx;
    struct kerr e = {0};

    if ((ops->n > 0) == (k->regex != NULL))
        return cli_usage("ktopic", "delete needs either TOPICs or --regex");
    if (ktopic_connect(k, &e) < 0)
        return ktopic_fail(&e);
    return k->regex ? delete_matching(k) : delete_all(k, ops->v, ops->n);
}

static const struct opt options[] = {
    {0, "regex", "RE", "all topics whose whole name matches; asks first", OPT_TEXT,
     .at = offsetof(struct ktopic, regex)},
    {'y', "yes", NULL, "do not ask", OPT_FLAG, .at = offsetof(struct ktopic, yes)},
    {'n', "dry-run", NULL, "say what would be deleted", OPT_FLAG,
     .at = offsetof(struct ktopic, dry_run)},
    {0},
};

const struct opt_command delete_command = {"delete",
                                           "TOPIC... | --regex RE [-y] [-n]",
                                           "delete topics and their records",
                                           options,
                                           0,
                                           OPT_MANY,
                                           delete,
                                           .words = "TOPIC"};
