#include "broker/conf.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* ---- what acts ---- */

static int set_int(const char *value, int64_t min, int64_t max, int64_t *out, struct kerr *e)
{
    char *end;
    long long v;

    errno = 0;
    v = strtoll(value, &end, 10);
    if (!*value || *end || errno || v < min || v > max)
        return kerr_set(e, KE_INVALID, "'%s' is not a whole number from %lld to %lld", value,
                        (long long)min, (long long)max);
    *out = v;
    return 0;
}

static int set_bool(const char *value, bool *out, struct kerr *e)
{
    if (strcasecmp(value, "true") != 0 && strcasecmp(value, "false") != 0)
        return kerr_set(e, KE_INVALID, "'%s' is neither true nor false", value);
    *out = strcasecmp(value, "true") == 0;
    return 0;
}

/* Calls one() for each trimmed, comma-separated item; empty ones are passed over. */
static int each_item(struct broker_conf *c, const char *value,
                     int (*one)(struct broker_conf *c, const char *item, struct kerr *e),
                     struct kerr *e)
{
    char *copy = strdup(value), *save = NULL;
    int rc = copy ? 0 : kerr_set(e, KE_NOMEM, "configuration");

    for (char *s = copy ? strtok_r(copy, ",", &save) : NULL; s && rc == 0;
         s = strtok_r(NULL, ",", &save)) {
        size_t n;
        while (*s == ' ' || *s == '\t')
            s++;
        n = strlen(s);
        while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
            s[--n] = 0;
        if (n)
            rc = one(c, s, e);
    }
    free(copy);
    return rc;
}

static int add_dir(struct broker_conf *c, const char *item, struct kerr *e)
{
    if (c->dir_count == BROKER_MAX_DIRS)
        return kerr_set(e, KE_INVALID, "more than %d directories", BROKER_MAX_DIRS);
    c->dirs[c->dir_count] = strdup(item);
    if (!c->dirs[c->dir_count])
        return kerr_set(e, KE_NOMEM, "configuration");
    c->dir_count++;
    return 0;
}

static int set_dirs(struct broker_conf *c, const char *value, struct kerr *e)
{
    while (c->dir_count > 0)
        free(c->dirs[--c->dir_count]);
    return each_item(c, value, add_dir, e);
}

static int add_listener(struct broker_conf *c, const char *item, struct kerr *e)
{
    if (c->listener_count == BROKER_MAX_LISTENERS)
        return kerr_set(e, KE_INVALID, "more than %d listeners", BROKER_MAX_LISTENERS);
    return net_addr_parse(item, &c->listeners[c->listener_count], e) < 0 ? KE_INVALID
                                                                         : (c->listener_count++, 0);
}

static int add_advertised(struct broker_conf *c, const char *item, struct kerr *e)
{
    if (c->advertised_count == BROKER_MAX_LISTENERS)
        return kerr_set(e, KE_INVALID, "more than %d listeners", BROKER_MAX_LISTENERS);
    if (net_addr_parse(item, &c->advertised[c->advertised_count], e) < 0)
        return KE_INVALID;
    c->advertised_count++;
    return 0;
}

int broker_conf_add_listener(struct broker_conf *c, const char *value, bool first, struct kerr *e)
{
    if (first)
        c->listener_count = 0;
    return each_item(c, value, add_listener, e);
}

static int set_listeners(struct broker_conf *c, const char *v, struct kerr *e)
{
    c->listener_count = 0;
    return each_item(c, v, add_listener, e);
}

static int set_advertised(struct broker_conf *c, const char *v, struct kerr *e)
{
    c->advertised_count = 0;
    return each_item(c, v, add_advertised, e);
}

static int set_text(char *out, size_t cap, const char *v, struct kerr *e)
{
    if (strlen(v) >= cap)
        return kerr_set(e, KE_INVALID, "longer than %zu bytes", cap - 1);
    memcpy(out, v, strlen(v) + 1);
    return 0;
}

static int set_controller_names(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_text(c->controller_names, sizeof c->controller_names, v, e);
}

static int set_protocols(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_text(c->protocols, sizeof c->protocols, v, e);
}

static int set_metadata_dir(struct broker_conf *c, const char *v, struct kerr *e)
{
    free(c->metadata_dir);
    c->metadata_dir = strdup(v);
    return c->metadata_dir ? 0 : kerr_set(e, KE_NOMEM, "configuration");
}

static int set_node_id(struct broker_conf *c, const char *v, struct kerr *e)
{
    int64_t n = 0;
    int rc = set_int(v, 0, INT32_MAX, &n, e);

    c->node_id = (int32_t)n;
    return rc;
}

static int set_threads(struct broker_conf *c, const char *v, struct kerr *e)
{
    int64_t n = 0;
    int rc = set_int(v, 1, 256, &n, e);

    c->threads = (int)n;
    return rc;
}

static int set_num_partitions(struct broker_conf *c, const char *v, struct kerr *e)
{
    int64_t n = 1;
    int rc = set_int(v, 1, 100000, &n, e);

    c->num_partitions = (int32_t)n;
    return rc;
}

static int set_auto_create(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_bool(v, &c->auto_create, e);
}

static int set_delete_topics(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_bool(v, &c->delete_topics, e);
}

static int set_request_max(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 1024, INT32_MAX, &c->request_max, e);
}

static int set_queued_max(struct broker_conf *c, const char *v, struct kerr *e)
{
    int64_t n = 0;
    int rc = set_int(v, -1, INT64_MAX, &n, e);

    if (rc == 0 && n > 0) /* Kafka's -1, no limit, is the default there; ours stays */
        c->queued_max = n;
    return rc;
}

static int set_connections(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 0, INT32_MAX, &c->connections_max, e);
}

static int set_idle(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 0, INT64_MAX / 2000000, &c->idle_ms, e);
}

static int set_producer_expiry(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 1, INT32_MAX, &c->producer_expiry_ms, e);
}

static int set_replication(struct broker_conf *c, const char *v, struct kerr *e)
{
    int64_t n;

    (void)c;
    return set_int(v, 1, 1, &n, e);
}

static int set_topics_max(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 1, INT32_MAX, &c->topics_max, e);
}

static int set_partitions_max(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 1, INT32_MAX, &c->partitions_max, e);
}

static const struct {
    const char *name;
    int (*set)(struct broker_conf *c, const char *value, struct kerr *e);
} acting[] = {
    {"advertised.listeners", set_advertised},
    {"auto.create.topics.enable", set_auto_create},
    {"broker.id", set_node_id},
    {"connections.max.idle.ms", set_idle},
    {"controller.listener.names", set_controller_names},
    {"default.replication.factor", set_replication},
    {"delete.topic.enable", set_delete_topics},
    {"listener.security.protocol.map", set_protocols},
    {"listeners", set_listeners},
    {"log.dir", set_dirs},
    {"log.dirs", set_dirs},
    {"max.connections", set_connections},
    {"max.partitions", set_partitions_max},
    {"max.topics", set_topics_max},
    {"metadata.log.dir", set_metadata_dir},
    {"node.id", set_node_id},
    {"num.network.threads", set_threads},
    {"num.partitions", set_num_partitions},
    {"producer.id.expiration.ms", set_producer_expiry},
    {"queued.max.request.bytes", set_queued_max},
    {"socket.request.max.bytes", set_request_max},
};

/* Kafka's, without effect here (yet, or by design). Topic defaults are in topic_conf.c. */
static const char *const known[] = {
    "alter.config.policy.class.name",
    "authorizer.class.name",
    "background.threads",
    "broker.heartbeat.interval.ms",
    "broker.id.generation.enable",
    "broker.rack",
    "broker.session.timeout.ms",
    "client.quota.callback.class",
    "connection.failed.authentication.delay.ms",
    "connections.max.reauth.ms",
    "controlled.shutdown.enable",
    "controller.quorum.append.linger.ms",
    "controller.quorum.bootstrap.servers",
    "controller.quorum.election.backoff.max.ms",
    "controller.quorum.election.timeout.ms",
    "controller.quorum.fetch.timeout.ms",
    "controller.quorum.voters",
    "controller.quota.window.num",
    "controller.socket.timeout.ms",
    "create.topic.policy.class.name",
    "delegation.token.expiry.time.ms",
    "delegation.token.max.lifetime.ms",
    "delete.records.purgatory.purge.interval.requests",
    "early.start.listeners",
    "fetch.max.bytes",
    "fetch.purgatory.purge.interval.requests",
    "group.consumer.heartbeat.interval.ms",
    "group.consumer.session.timeout.ms",
    "group.coordinator.rebalance.protocols",
    "group.coordinator.threads",
    "group.initial.rebalance.delay.ms",
    "group.max.session.timeout.ms",
    "group.max.size",
    "group.min.session.timeout.ms",
    "initial.broker.registration.timeout.ms",
    "inter.broker.listener.name",
    "leader.imbalance.check.interval.seconds",
    "leader.imbalance.per.broker.percentage",
    "log.cleaner.backoff.ms",
    "log.cleaner.dedupe.buffer.size",
    "log.cleaner.enable",
    "log.cleaner.io.buffer.size",
    "log.cleaner.io.max.bytes.per.second",
    "log.cleaner.threads",
    "log.flush.offset.checkpoint.interval.ms",
    "log.flush.scheduler.interval.ms",
    "log.flush.start.offset.checkpoint.interval.ms",
    "log.retention.check.interval.ms",
    "log.retention.hours",
    "log.retention.minutes",
    "log.roll.hours",
    "log.roll.jitter.hours",
    "max.connection.creation.rate",
    "max.connections.per.ip",
    "max.connections.per.ip.overrides",
    "max.incremental.fetch.session.cache.slots",
    "metadata.log.segment.bytes",
    "metadata.max.retention.ms",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "num.io.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.alter.log.dirs.threads",
    "num.replica.fetchers",
    "offset.metadata.max.bytes",
    "offsets.commit.timeout.ms",
    "offsets.load.buffer.size",
    "offsets.retention.check.interval.ms",
    "offsets.retention.minutes",
    "offsets.topic.compression.codec",
    "offsets.topic.num.partitions",
    "offsets.topic.replication.factor",
    "offsets.topic.segment.bytes",
    "principal.builder.class",
    "process.roles",
    "queued.max.requests",
    "quota.window.num",
    "quota.window.size.seconds",
    "replica.fetch.backoff.ms",
    "replica.fetch.max.bytes",
    "replica.fetch.min.bytes",
    "replica.fetch.wait.max.ms",
    "replica.lag.time.max.ms",
    "replica.selector.class",
    "replica.socket.receive.buffer.bytes",
    "replica.socket.timeout.ms",
    "request.timeout.ms",
    "reserved.broker.max.id",
    "sasl.enabled.mechanisms",
    "sasl.mechanism.inter.broker.protocol",
    "security.inter.broker.protocol",
    "server.max.startup.time.ms",
    "share.coordinator.state.topic.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "socket.connection.setup.timeout.ms",
    "socket.listen.backlog.size",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "ssl.cipher.suites",
    "ssl.client.auth",
    "ssl.enabled.protocols",
    "ssl.key.password",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
    "transaction.max.timeout.ms",
    "transaction.state.log.min.isr",
    "transaction.state.log.num.partitions",
    "transaction.state.log.replication.factor",
    "transactional.id.expiration.ms",
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

const char *broker_conf_name(size_t i)
{
    if (i < COUNT(acting))
        return acting[i].name;
    i -= COUNT(acting);
    if (i < COUNT(known))
        return known[i];
    i -= COUNT(known);
    for (const struct topic_conf_key *k = topic_conf_keys; k->name; k++)
        if (k->broker && i-- == 0)
            return k->broker;
    return NULL;
}

/* ---- the whole ---- */

void broker_conf_init(struct broker_conf *c)
{
    *c = (struct broker_conf){
        .node_id = 1,
        .num_partitions = 1,
        .auto_create = true,
        .delete_topics = true,
        .request_max = (int64_t)100 << 20,
        .queued_max = (int64_t)64 << 20,
        .connections_max = 10000,
        .idle_ms = 600000,
        .producer_expiry_ms = 86400000,
        .topics_max = 10000,
        .partitions_max = 100000,
    };
    plog_conf_default(&c->log);
}

void broker_conf_free(struct broker_conf *c)
{
    while (c->dir_count > 0)
        free(c->dirs[--c->dir_count]);
    free(c->metadata_dir);
    c->metadata_dir = NULL;
    buf_free(&c->topic_defaults);
    buf_free(&c->idle);
}

int broker_conf_set(struct broker_conf *c, const char *name, const char *value, struct kerr *e)
{
    const struct topic_conf_key *k;
    int rc;

    for (size_t i = 0; i < COUNT(acting); i++)
        if (strcmp(name, acting[i].name) == 0) {
            rc = acting[i].set(c, value, e);
            return rc < 0 ? kerr_ctx(e, rc, "%s", name) : 0;
        }
    k = topic_conf_find_broker(slice_str(name));
    if (k) {
        rc = topic_conf_check(k, slice_str(value), e);
        if (rc < 0)
            return rc;
        topic_conf_apply(&c->log, k, slice_str(value));
        buf_printf(&c->topic_defaults, "%s=%s\n", k->name, value);
        if (!k->acts)
            buf_printf(&c->idle, "%s\n", name);
        return 0;
    }
    for (size_t i = 0; i < COUNT(known); i++)
        if (strcmp(name, known[i]) == 0) {
            buf_printf(&c->idle, "%s\n", name);
            return 0;
        }
    return kerr_set(e, KE_NOTFOUND, "unknown setting '%s'", name);
}

/* The item of a comma-separated list that begins with name and then has end (0: the item ends
 * there), or NULL. */
static const char *item_of(const char *list, const char *name, char end)
{
    size_t n = strlen(name);

    while (*list) {
        size_t k = strcspn(list, ", ");
        if (k >= n && strncasecmp(list, name, n) == 0 && (end ? list[n] == end : k == n))
            return list;
        list += k;
        list += strspn(list, ", ");
    }
    return NULL;
}

/* Only plain text is spoken; who asks for more must not get less. */
static int check_protocol(const struct broker_conf *c, const struct net_addr *a, struct kerr *e)
{
    static const char secure[] = "SSL,SASL_PLAINTEXT,SASL_SSL";
    const char *mapped = item_of(c->protocols, a->listener, ':');
    const char *protocol = mapped ? mapped + strlen(a->listener) + 1 : a->listener;
    int n = (int)strcspn(protocol, ", ");

    if (mapped ? n == 9 && strncasecmp(protocol, "PLAINTEXT", 9) == 0
               : item_of(secure, protocol, 0) == NULL)
        return 0;
    return kerr_set(e, KE_INVALID, "listener %s asks for %.*s, but only PLAINTEXT is served",
                    a->listener, n, protocol);
}

int broker_conf_check(struct broker_conf *c, struct kerr *e)
{
    int n = 0;

    if (c->dir_count == 0)
        return kerr_set(e, KE_INVALID, "no directory: give -d DIR or log.dirs");
    for (int i = 0; i < c->listener_count; i++) {
        struct net_addr *a = &c->listeners[i];
        if (item_of(c->controller_names, a->listener, 0))
            continue;
        if (check_protocol(c, a, e) < 0)
            return KE_INVALID;
        c->listeners[n++] = *a;
    }
    c->listener_count = n;
    for (int i = 0; i < c->advertised_count; i++)
        if (net_addr_is_any(&c->advertised[i]) &&
            !item_of(c->controller_names, c->advertised[i].listener, 0))
            return kerr_set(e, KE_INVALID, "advertised.listeners: %s names no host",
                            c->advertised[i].listener);
    if (n == 0)
        return broker_conf_add_listener(c, "PLAINTEXT://127.0.0.1:9092", true, e);
    return 0;
}
