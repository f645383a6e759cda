#include "ktopic.h"

#include "client/admin.h"

#include <stdio.h>
#include <stdlib.h>

/* "k=v" to pairs; the names are copied. */
static int parse_configs(const struct opt_list *l, struct admin_config *out, struct kerr *e)
{
    for (size_t i = 0; i < l->n; i++) {
        const char *sep = strchr(l->v[i], '=');
        if (!sep || sep == l->v[i])
            return kerr_set(e, KE_INVALID, "-C %s: expected NAME=VALUE", l->v[i]);
        out[i].name = strndup(l->v[i], (size_t)(sep - l->v[i]));
        out[i].value = sep + 1;
        if (!out[i].name)
            return kerr_set(e, KE_NOMEM, "configuration");
    }
    return 0;
}

static int create_one(struct ktopic *k, const char *name, const struct admin_config *configs,
                      struct kerr *e)
{
    struct admin_topic t = {name, (int32_t)k->partitions, (int16_t)k->replication, configs,
                            k->configs.n};
    int32_t partitions = -1;
    int rc = admin_create(k->client, &t, k->dry_run, k->common.timeout_ms, &partitions, e);

    if (rc == 0 && !k->common.quiet && (k->dry_run || k->common.verbose))
        cli_say("ktopic", "%s topic %s, %d partition%s", k->dry_run ? "would create" : "created",
                name, partitions, partitions == 1 ? "" : "s");
    return rc;
}

static int create(void *ctx, const struct operands *ops)
{
    struct ktopic *k = ctx;
    struct admin_config *configs = calloc(k->configs.n + 1, sizeof *configs);
    struct kerr e = {0};
    int status = CLI_DONE, rc;

    rc =
        configs ? parse_configs(&k->configs, configs, &e) : kerr_set(&e, KE_NOMEM, "configuration");
    if (rc == KE_INVALID)
        status = cli_usage("ktopic", "%s", kerr_msg(&e));
    else if (rc < 0 || ktopic_connect(k, &e) < 0)
        status = ktopic_fail(&e);
    for (size_t i = 0; status == CLI_DONE && i < ops->n; i++)
        if (create_one(k, ops->v[i], configs, &e) < 0)
            status = ktopic_fail(&e);
    for (size_t i = 0; configs && i < k->configs.n; i++)
        free((char *)(uintptr_t)configs[i].name);
    free(configs);
    return status;
}

static const struct opt options[] = {
    {'p', "partitions", "N", "number of partitions (default: the broker's)", OPT_INT,
     .at = offsetof(struct ktopic, partitions), .min = 1, .max = INT32_MAX},
    {'r', "replication", "N", "replicas of each (default: the broker's)", OPT_INT,
     .at = offsetof(struct ktopic, replication), .min = 1, .max = INT16_MAX},
    {'C', "config", "NAME=VALUE", "set a configuration of the topic", OPT_LIST,
     .at = offsetof(struct ktopic, configs)},
    {'n', "dry-run", NULL, "check, change nothing", OPT_FLAG,
     .at = offsetof(struct ktopic, dry_run)},
    {0},
};

const struct opt_command create_command = {
    "create", "NAME... [-p N] [-r N] [-C NAME=VALUE]... [-n]", "make topics", options, 1, OPT_MANY,
    create};
