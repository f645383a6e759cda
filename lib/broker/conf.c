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
    for (int i = 0; i < c->dir_count; i++)
        if (strcmp(c->dirs[i], item) == 0)
            return kerr_set(e, KE_INVALID, "%s is given twice", item);
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

static int set_warn_plaintext(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_bool(v, &c->warn_plaintext, e);
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

static int set_per_ip(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 0, INT32_MAX, &c->guests.per_ip, e);
}

static int set_overrides(struct broker_conf *c, const char *v, struct kerr *e)
{
    int rc = guest_overrides_check(v, e);

    return rc < 0 ? rc : set_text(c->guests.overrides, sizeof c->guests.overrides, v, e);
}

static int set_creation_rate(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 1, INT32_MAX, &c->guests.rate, e);
}

static int set_idle(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 0, INT64_MAX / 2000000, &c->idle_ms, e);
}

static int set_producer_expiry(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 1, INT32_MAX, &c->producer_expiry_ms, e);
}

static int set_retention_check(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 1, INT64_MAX / 2000000, &c->retention_check_ms, e);
}

static int set_replication(struct broker_conf *c, const char *v, struct kerr *e)
{
    (void)c;
    return strcmp(v, "1") == 0 ? 0 : kerr_set(e, KE_INVALID, "'%s', but there is one broker: 1", v);
}

static int set_sessions_max(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 0, INT32_MAX, &c->sessions_max, e);
}

static int set_topics_max(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 1, INT32_MAX, &c->topics_max, e);
}

static int set_partitions_max(struct broker_conf *c, const char *v, struct kerr *e)
{
    return set_int(v, 1, INT32_MAX, &c->partitions_max, e);
}

/* Nobody but this machine, unless the address says so; and no port of Kafka's by default. */
static int set_metrics(struct broker_conf *c, const char *v, struct kerr *e)
{
    const char *colon = strrchr(v, ':');

    c->has_metrics = *v != 0;
    if (!c->has_metrics)
        return 0;
    if (strstr(v, "://") || !colon || strchr(colon, ']'))
        return kerr_set(e, KE_INVALID, "'%s' is none of HOST:PORT, [IPV6]:PORT, unix:PATH", v);
    if (net_addr_parse(v, &c->metrics, e) < 0)
        return KE_INVALID;
    if (!c->metrics.is_unix && !c->metrics.host[0])
        memcpy(c->metrics.host, "127.0.0.1", sizeof "127.0.0.1");
    return 0;
}

static const struct acting {
    const char *name;
    int (*set)(struct broker_conf *c, const char *value, struct kerr *e);
    bool live; /* live_take() takes another value over */
} acting[] = {
    {"advertised.listeners", set_advertised, false},
    {"auto.create.topics.enable", set_auto_create, true},
    {"broker.id", set_node_id, false},
    {"connections.max.idle.ms", set_idle, true},
    {"controller.listener.names", set_controller_names, false},
    {"default.replication.factor", set_replication, false},
    {"delete.topic.enable", set_delete_topics, true},
    {"listener.security.protocol.map", set_protocols, false},
    {"listeners", set_listeners, false},
    {"log.dir", set_dirs, false},
    {"log.dirs", set_dirs, false},
    {"log.retention.check.interval.ms", set_retention_check, true},
    {"max.connection.creation.rate", set_creation_rate, true},
    {"max.connections", set_connections, true},
    {"max.connections.per.ip", set_per_ip, true},
    {"max.connections.per.ip.overrides", set_overrides, true},
    {"max.incremental.fetch.session.cache.slots", set_sessions_max, true},
    {"max.partitions", set_partitions_max, true},
    {"max.topics", set_topics_max, true},
    {"metadata.log.dir", set_metadata_dir, false},
    {"metrics.listener", set_metrics, false},
    {"node.id", set_node_id, false},
    {"num.network.threads", set_threads, false},
    {"num.partitions", set_num_partitions, true},
    {"producer.id.expiration.ms", set_producer_expiry, true},
    {"queued.max.request.bytes", set_queued_max, true},
    {"socket.request.max.bytes", set_request_max, true},
    {"warn.plaintext.listeners", set_warn_plaintext, false},
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct acting *acting_of(const char *name)
{
    for (size_t i = 0; i < COUNT(acting); i++)
        if (strcmp(name, acting[i].name) == 0)
            return &acting[i];
    return NULL;
}

bool broker_conf_acts(const struct config_key *k)
{
    return k->flags & CONFIG_ACTS || (k->broker && acting_of(k->broker));
}

bool broker_conf_needs_restart(const struct config_key *k)
{
    const struct acting *a = acting_of(k->broker);

    return a && !a->live;
}

const char *broker_conf_name(size_t i)
{
    for (const struct config_key *k = config_keys; k->topic || k->broker; k++)
        if (k->broker && i-- == 0)
            return k->broker;
    return NULL;
}

/* ---- what was given: name, NUL, value, NUL ---- */

void broker_conf_note(struct buf *given, const char *name, const char *value)
{
    buf_put(given, name, strlen(name) + 1);
    buf_put(given, value, strlen(value) + 1);
}

static int note_given(struct broker_conf *c, const char *name, const char *value, struct kerr *e)
{
    broker_conf_note(&c->given, name, value);
    return c->given.failed ? kerr_set(e, KE_NOMEM, "configuration") : 0;
}

struct slice broker_conf_find(struct slice given, const char *name)
{
    struct slice found = {NULL, 0};

    for (size_t at = 0; at < given.n;) {
        const char *n = (const char *)given.p + at, *value = n + strlen(n) + 1;
        if (strcmp(n, name) == 0)
            found = slice_str(value); /* the last one counts */
        at += strlen(n) + strlen(value) + 2;
    }
    return found;
}

/* ---- the whole ---- */

void broker_conf_init(struct broker_conf *c)
{
    *c = (struct broker_conf){
        .node_id = 1,
        .num_partitions = 1,
        .auto_create = true,
        .delete_topics = true,
        .warn_plaintext = true,
        .request_max = (int64_t)100 << 20,
        .queued_max = (int64_t)64 << 20,
        .connections_max = 10000,
        .guests = {.per_ip = INT32_MAX, .rate = 10000},
        .idle_ms = 600000,
        .producer_expiry_ms = 86400000,
        .retention_check_ms = 300000,
        .sessions_max = 1000,
        .topics_max = 10000,
        .partitions_max = 100000,
    };
}

void broker_conf_free(struct broker_conf *c)
{
    while (c->dir_count > 0)
        free(c->dirs[--c->dir_count]);
    free(c->metadata_dir);
    c->metadata_dir = NULL;
    buf_free(&c->given);
    buf_free(&c->idle);
}

int broker_conf_set(struct broker_conf *c, const char *name, const char *value, struct kerr *e)
{
    const struct config_key *k = config_find_broker(slice_str(name));
    const struct acting *acts = acting_of(name);
    int rc;

    if (!k)
        return kerr_set(e, KE_NOTFOUND, "unknown setting '%s'", name);
    rc = acts ? acts->set(c, value, e) : 0;
    if (rc < 0)
        return kerr_ctx(e, rc, "%s", name);
    rc = acts ? 0 : config_check(k, name, slice_str(value), e);
    if (rc < 0)
        return rc;
    if (!broker_conf_acts(k))
        buf_printf(&c->idle, "%s\n", name);
    return note_given(c, name, value, e);
}

int broker_conf_add_listener(struct broker_conf *c, const char *value, bool first, struct kerr *e)
{
    struct slice before = broker_conf_find(buf_slice(&c->given), "listeners");
    struct buf all = {0};
    int rc;

    if (first)
        c->listener_count = 0;
    rc = each_item(c, value, add_listener, e);
    if (rc < 0)
        return rc;
    if (!first && before.n > 0)
        buf_printf(&all, "%.*s,", (int)before.n, (const char *)before.p);
    buf_printf(&all, "%s", value);
    rc = buf_cstr(&all) ? note_given(c, "listeners", buf_cstr(&all), e)
                        : kerr_set(e, KE_NOMEM, "configuration");
    buf_free(&all);
    return rc;
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
