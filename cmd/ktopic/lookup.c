#include "config.h"

#include "cli/complete.h"

#include <stdio.h>
#include <stdlib.h>

/* Internal topics only for who has begun to name one. */
static void offer_topic(void *arg, struct slice name, bool internal)
{
    const struct complete *c = arg;
    char text[256];

    if (name.n >= sizeof text || (internal && c->typed[0] != '_'))
        return;
    memcpy(text, name.p, name.n);
    text[name.n] = 0;
    complete_offer(c, text, internal ? "internal topic" : "topic");
}

static void offer_brokers(struct ktopic *k, const struct complete *c)
{
    struct admin_cluster cluster;
    char text[32];

    complete_offer(c, "broker", "what is set for all brokers");
    if (strncmp(c->typed, "broker", strlen(c->typed)) != 0 && strncmp(c->typed, "broker:", 7) != 0)
        return;
    if (admin_cluster(k->client, -1, &cluster, NULL) < 0)
        return;
    for (int32_t i = 0; i < cluster.broker_count; i++) {
        snprintf(text, sizeof text, "broker:%d", cluster.brokers[i].id);
        complete_offer(c, text, "broker");
    }
    admin_cluster_free(&cluster);
}

/* The present value, as much of it as a list of candidates has room for. */
static const char *value_of(const struct admin_setting *v, char out[DIAG_ESCAPED_MAX])
{
    struct slice s = v->is.value;

    diag_escape(out, DIAG_ESCAPED_MAX, slice_of(s.p, s.n < 40 ? s.n : 40));
    return out;
}

/* set: all that may be set; unset: what is set for that topic or broker; get: everything. */
static void offer_configs(struct ktopic *k, const struct operands *ops, const struct complete *c)
{
    bool set = strcmp(ops->v[0], "set") == 0, unset = strcmp(ops->v[0], "unset") == 0;
    struct config_subject subject;
    struct admin_settings s;
    char text[256], shown[DIAG_ESCAPED_MAX];

    if (config_subject_parse(ops->v[1], &subject, NULL) < 0 ||
        config_known(k, &subject, &s, NULL) < 0)
        return;
    for (int32_t i = 0; i < s.n; i++) {
        const struct admin_setting *v = &s.v[i];
        bool own = v->is.source == (subject.target.type == ADMIN_TOPIC ? ADMIN_FROM_TOPIC
                                    : subject.target.name[0]           ? ADMIN_FROM_BROKER
                                                                       : ADMIN_FROM_BROKERS);
        if (v->is.name.n > sizeof text - 2 || (unset && !own) || (set && v->read_only))
            continue;
        snprintf(text, sizeof text, "%.*s%s", (int)v->is.name.n, (const char *)v->is.name.p,
                 set ? "=" : "");
        complete_offer(c, text, value_of(v, shown));
    }
    admin_settings_free(&s);
}

void ktopic_lookup(void *own, const char *kind, const struct operands *ops,
                   const struct complete *c)
{
    struct ktopic *k = own;

    if (ktopic_connect(k, NULL) < 0)
        return;
    if (strcmp(kind, "CONFIG") == 0) {
        offer_configs(k, ops, c);
    } else {
        client_each_topic(k->client, -1, offer_topic, (void *)(uintptr_t)c, NULL);
        if (strcmp(kind, "SUBJECT") == 0)
            offer_brokers(k, c);
    }
    client_free(k->client);
    client_conf_free(&k->conf);
}
