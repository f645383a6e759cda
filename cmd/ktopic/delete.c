#include "ktopic.h"

#include "client/admin.h"

#include <string.h>

static int delete_one(struct ktopic *k, const char *name, struct kerr *e)
{
    struct client_topic *t;
    int rc = ktopic_topic(k, name, &t, e);

    if (rc < 0 && strpbrk(name, "*?[]|()^$+\\"))
        return kerr_set(e, KE_NOTFOUND, "no topic is named '%s' (names are literal)", name);
    if (rc < 0)
        return rc;
    if (k->dry_run) {
        cli_say("ktopic", "would delete topic %s", name);
        return 0;
    }
    return admin_delete(k->client, name, k->common.timeout_ms, e);
}

static int delete (void *ctx, const struct operands *ops)
{
    struct ktopic *k = ctx;
    struct kerr e = {0};
    int rc = ktopic_connect(k, &e);

    for (size_t i = 0; rc == 0 && i < ops->n; i++)
        rc = delete_one(k, ops->v[i], &e);
    return rc < 0 ? ktopic_fail(&e) : CLI_DONE;
}

static const struct opt options[] = {
    {'n', "dry-run", NULL, "say what would be deleted", OPT_FLAG,
     .at = offsetof(struct ktopic, dry_run)},
    {0},
};

const struct opt_command delete_command = {
    "delete", "NAME... [-n]", "delete topics and their records", options, 1, OPT_MANY, delete};
