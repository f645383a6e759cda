#include "names.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

struct loading {
    struct names *names;
    bool internal, failed;
    const regex_t *pattern; /* NULL: every name */
};

/* The longest match counts: where the whole name can be one, it is. */
static bool matches(const regex_t *pattern, const char *name)
{
    regmatch_t m;

    return regexec(pattern, name, 1, &m, 0) == 0 && m.rm_so == 0 && (size_t)m.rm_eo == strlen(name);
}

static void add(void *arg, struct slice name, bool internal)
{
    struct loading *l = arg;
    char **more, *copy;

    if (l->failed || (internal && !l->internal))
        return;
    copy = strndup((const char *)name.p, name.n);
    if (copy && l->pattern && !matches(l->pattern, copy)) {
        free(copy);
        return;
    }
    more = copy ? reallocarray(l->names->v, l->names->n + 1, sizeof *more) : NULL;
    if (!more) {
        free(copy);
        l->failed = true;
        return;
    }
    l->names->v = more;
    l->names->v[l->names->n++] = copy;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int compile(const char *pattern, regex_t *out, struct kerr *e)
{
    char why[200];
    int failed = regcomp(out, pattern, REG_EXTENDED);

    if (failed == 0)
        return 0;
    regerror(failed, out, why, sizeof why);
    return kerr_set(e, KE_INVALID, "'%s': %s", pattern, why);
}

int names_load(struct ktopic *k, bool internal, const char *pattern, struct names *out,
               struct kerr *e)
{
    struct loading l = {.names = out, .internal = internal};
    regex_t compiled;
    int rc = pattern ? compile(pattern, &compiled, e) : 0;

    *out = (struct names){0};
    if (rc < 0)
        return rc;
    l.pattern = pattern ? &compiled : NULL;
    rc = client_each_topic(k->client, ktopic_left(k), add, &l, e);
    if (rc == 0 && l.failed)
        rc = kerr_set(e, KE_NOMEM, "list of topics");
    if (pattern)
        regfree(&compiled);
    if (rc < 0)
        names_free(out);
    else if (out->n > 1)
        qsort(out->v, out->n, sizeof *out->v, by_name);
    return rc;
}

void names_free(struct names *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct names){0};
}
