#include "config.h"

#include "wire/error.h"

#include <stdlib.h>

static const struct column columns[] = {
    {"topic", COL_TEXT}, {"partitions", COL_NUMBER}, {"done", COL_FLAG}, {0}};

/* Of a topic that is there; what cannot be learned is not said. */
static void say_idle(struct ktopic *k, const char *name, const struct admin_config *configs)
{
    struct admin_settings known;

    if (k->configs.n == 0 || k->dry_run ||
        admin_configs(k->client, &(struct admin_target){ADMIN_TOPIC, name}, ktopic_left(k), &known,
                      NULL) < 0)
        return;
    config_say_idle(k, &known, configs, k->configs.n);
    admin_settings_free(&known);
}

static void take_first(void *arg, struct slice name, bool internal)
{
    char **first = arg;

    (void)internal;
    if (!*first)
        *first = strndup((const char *)name.p, name.n);
}

/* The broker says that it knows no such configuration; any topic's list shows what was meant. */
static void blame_names(struct ktopic *k, const struct admin_config *configs, struct kerr *e)
{
    struct admin_settings known;
    char *any = NULL;

    if (e->remote != KAFKA_INVALID_CONFIG ||
        client_each_topic(k->client, ktopic_left(k), take_first, &any, NULL) < 0 || !any ||
        admin_configs(k->client, &(struct admin_target){ADMIN_TOPIC, any}, ktopic_left(k), &known,
                      NULL) < 0) {
        free(any);
        return;
    }
    config_blame(&known, configs, k->configs.n, e);
    admin_settings_free(&known);
    free(any);
}

static int create_one(struct ktopic *k, struct writer *w, const char *name,
                      const struct admin_config *configs, struct kerr *e)
{
    struct admin_topic t = {name, (int32_t)k->partitions, (int16_t)k->replication, configs,
                            k->configs.n};
    int32_t partitions = -1;
    int rc = admin_create(k->client, &t, k->dry_run, ktopic_left(k), &partitions, e);

    if (rc < 0) {
        blame_names(k, configs, e);
        return rc;
    }
    ktopic_told(k, "created", "would create", "topic %s, %d partition%s", name, partitions,
                partitions == 1 ? "" : "s");
    say_idle(k, name, configs);
    writer_text(w, slice_str(name));
    if (partitions < 0)
        writer_none(w);
    else
        writer_number(w, partitions);
    writer_flag(w, !k->dry_run);
    writer_row(w);
    return 0;
}

static int create(void *ctx, const struct operands *ops)
{
    struct ktopic *k = ctx;
    struct admin_config *configs;
    struct writer *w;
    struct kerr e = {0};
    int rc = config_pairs(k->configs.v, k->configs.n, &configs, &e);

    if (rc == KE_INVALID)
        return cli_usage("ktopic", "-C %s", kerr_msg(&e));
    if (rc == 0)
        rc = ktopic_connect(k, &e);
    w = ktopic_changes(k, columns);
    for (size_t i = 0; rc == 0 && i < ops->n; i++)
        rc = create_one(k, w, ops->v[i], configs, &e);
    config_pairs_free(configs, k->configs.n);
    return ktopic_written(w, rc, &e);
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

const struct opt_command create_command = {"create",
                                           "NAME... [-p N] [-r N] [-C NAME=VALUE]... [-n]",
                                           "make topics",
                                           options,
                                           1,
                                           OPT_MANY,
                                           create,
                                           .words = NULL};
