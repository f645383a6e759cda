#include "client/conf.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum kind { INT32, INT64, BOOL, CALL, IDLE, PLAIN_ONLY };

struct setting {
    const char *name;
    enum kind kind;
    size_t at;
    int64_t min, max;
    int (*call)(struct client_conf *c, const char *value, struct kerr *e);
};

/* ---- those that are more than a number ---- */

static int set_bootstrap(struct client_conf *c, const char *value, struct kerr *e)
{
    char *copy = strdup(value);

    if (!copy)
        return kerr_set(e, KE_NOMEM, "out of memory");
    free(c->bootstrap);
    c->bootstrap = copy;
    return 0;
}

static int set_client_id(struct client_conf *c, const char *value, struct kerr *e)
{
    if (strlen(value) >= sizeof c->client_id)
        return kerr_set(e, KE_INVALID, "longer than %zu bytes", sizeof c->client_id - 1);
    memcpy(c->client_id, value, strlen(value) + 1);
    return 0;
}

static int set_acks(struct client_conf *c, const char *value, struct kerr *e)
{
    static const struct {
        const char *name;
        int16_t acks;
    } all[] = {{"all", -1}, {"-1", -1}, {"0", 0}, {"1", 1}};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(value, all[i].name) == 0) {
            c->acks = all[i].acks;
            return 0;
        }
    return kerr_set(e, KE_INVALID, "'%s', expected 0, 1 or all", value);
}

static int set_codec(struct client_conf *c, const char *value, struct kerr *e)
{
    if (codec_parse(value, &c->codec))
        return 0;
    return kerr_set(e, KE_INVALID, "'%s', expected none, gzip, snappy, lz4 or zstd", value);
}

static int set_isolation(struct client_conf *c, const char *value, struct kerr *e)
{
    c->read_committed = strcmp(value, "read_committed") == 0;
    if (c->read_committed || strcmp(value, "read_uncommitted") == 0)
        return 0;
    return kerr_set(e, KE_INVALID, "'%s', expected read_committed or read_uncommitted", value);
}

/* ---- the table ---- */

#define AT(field) offsetof(struct client_conf, field)
#define FOREVER   INT64_C(0x7fffffff)

static const struct setting settings[] = {
    {"bootstrap.servers", CALL, 0, 0, 0, set_bootstrap},
    {"client.id", CALL, 0, 0, 0, set_client_id},
    {"request.timeout.ms", INT64, AT(request_timeout_ms), 1, FOREVER, NULL},
    {"retry.backoff.ms", INT64, AT(retry_backoff_ms), 0, FOREVER, NULL},
    {"retry.backoff.max.ms", INT64, AT(retry_backoff_max_ms), 0, FOREVER, NULL},
    {"reconnect.backoff.ms", INT64, AT(reconnect_backoff_ms), 0, FOREVER, NULL},
    {"reconnect.backoff.max.ms", INT64, AT(reconnect_backoff_max_ms), 0, FOREVER, NULL},
    {"socket.connection.setup.timeout.ms", INT64, AT(connect_timeout_ms), 1, FOREVER, NULL},
    {"connections.max.idle.ms", INT64, AT(idle_ms), -1, FOREVER, NULL},
    {"metadata.max.age.ms", INT64, AT(metadata_age_ms), 0, FOREVER, NULL},
    {"max.block.ms", INT64, AT(max_block_ms), 0, FOREVER, NULL},
    {"acks", CALL, 0, 0, 0, set_acks},
    {"request.required.acks", CALL, 0, 0, 0, set_acks}, /* librdkafka's name */
    {"retries", INT32, AT(retries), 0, INT32_MAX, NULL},
    {"batch.size", INT32, AT(batch_size), 0, 64 << 20, NULL},
    {"linger.ms", INT64, AT(linger_ms), 0, FOREVER, NULL},
    {"buffer.memory", INT64, AT(buffer_memory), 1 << 16, INT64_C(1) << 40, NULL},
    {"max.in.flight.requests.per.connection", INT32, AT(max_in_flight), 1, 5, NULL},
    {"enable.idempotence", BOOL, AT(idempotence), 0, 0, NULL},
    {"delivery.timeout.ms", INT64, AT(delivery_timeout_ms), 0, FOREVER, NULL},
    {"compression.type", CALL, 0, 0, 0, set_codec},
    {"compression.codec", CALL, 0, 0, 0, set_codec}, /* librdkafka's name */
    {"compression.gzip.level", INT32, AT(levels[CODEC_GZIP]), INT32_MIN, INT32_MAX, NULL},
    {"compression.lz4.level", INT32, AT(levels[CODEC_LZ4]), INT32_MIN, INT32_MAX, NULL},
    {"compression.zstd.level", INT32, AT(levels[CODEC_ZSTD]), INT32_MIN, INT32_MAX, NULL},
    {"max.request.size", INT32, AT(max_request_size), 1024, 1 << 30, NULL},
    {"fetch.min.bytes", INT32, AT(fetch_min_bytes), 0, INT32_MAX, NULL},
    {"fetch.max.wait.ms", INT32, AT(fetch_max_wait_ms), 0, INT32_MAX, NULL},
    {"fetch.max.bytes", INT32, AT(fetch_max_bytes), 1, INT32_MAX, NULL},
    {"max.partition.fetch.bytes", INT32, AT(partition_max_bytes), 1, INT32_MAX, NULL},
    {"isolation.level", CALL, 0, 0, 0, set_isolation},
    {"check.crcs", BOOL, AT(check_crcs), 0, 0, NULL},
    /* these must not be passed over: the data would go in the clear */
    {"security.protocol", PLAIN_ONLY, 0, 0, 0, NULL},
    /* known to Kafka, of no effect on what is here */
    {"allow.auto.create.topics", IDLE, 0, 0, 0, NULL},
    {"auto.commit.interval.ms", IDLE, 0, 0, 0, NULL},
    {"auto.include.jmx.reporter", IDLE, 0, 0, 0, NULL},
    {"auto.offset.reset", IDLE, 0, 0, 0, NULL},
    {"bootstrap.controllers", IDLE, 0, 0, 0, NULL},
    {"client.dns.lookup", IDLE, 0, 0, 0, NULL},
    {"client.rack", IDLE, 0, 0, 0, NULL},
    {"config.providers", IDLE, 0, 0, 0, NULL},
    {"default.api.timeout.ms", IDLE, 0, 0, 0, NULL},
    {"enable.auto.commit", IDLE, 0, 0, 0, NULL},
    {"enable.metrics.push", IDLE, 0, 0, 0, NULL},
    {"exclude.internal.topics", IDLE, 0, 0, 0, NULL},
    {"group.id", IDLE, 0, 0, 0, NULL},
    {"group.instance.id", IDLE, 0, 0, 0, NULL},
    {"group.protocol", IDLE, 0, 0, 0, NULL},
    {"group.remote.assignor", IDLE, 0, 0, 0, NULL},
    {"heartbeat.interval.ms", IDLE, 0, 0, 0, NULL},
    {"interceptor.classes", IDLE, 0, 0, 0, NULL},
    {"key.deserializer", IDLE, 0, 0, 0, NULL},
    {"key.serializer", IDLE, 0, 0, 0, NULL},
    {"max.poll.interval.ms", IDLE, 0, 0, 0, NULL},
    {"max.poll.records", IDLE, 0, 0, 0, NULL},
    {"metadata.max.idle.ms", IDLE, 0, 0, 0, NULL},
    {"metadata.recovery.rebootstrap.trigger.ms", IDLE, 0, 0, 0, NULL},
    {"metadata.recovery.strategy", IDLE, 0, 0, 0, NULL},
    {"metric.reporters", IDLE, 0, 0, 0, NULL},
    {"metrics.num.samples", IDLE, 0, 0, 0, NULL},
    {"metrics.recording.level", IDLE, 0, 0, 0, NULL},
    {"metrics.sample.window.ms", IDLE, 0, 0, 0, NULL},
    {"partition.assignment.strategy", IDLE, 0, 0, 0, NULL},
    {"partitioner.adaptive.partitioning.enable", IDLE, 0, 0, 0, NULL},
    {"partitioner.availability.timeout.ms", IDLE, 0, 0, 0, NULL},
    {"partitioner.class", IDLE, 0, 0, 0, NULL},
    {"partitioner.ignore.keys", IDLE, 0, 0, 0, NULL},
    {"receive.buffer.bytes", IDLE, 0, 0, 0, NULL},
    {"security.providers", IDLE, 0, 0, 0, NULL},
    {"send.buffer.bytes", IDLE, 0, 0, 0, NULL},
    {"session.timeout.ms", IDLE, 0, 0, 0, NULL},
    {"socket.connection.setup.timeout.max.ms", IDLE, 0, 0, 0, NULL},
    {"transaction.timeout.ms", IDLE, 0, 0, 0, NULL},
    {"value.deserializer", IDLE, 0, 0, 0, NULL},
    {"value.serializer", IDLE, 0, 0, 0, NULL},
};

static const size_t setting_count = sizeof settings / sizeof settings[0];

/* ---- setting ---- */

static int parse_int(const struct setting *s, const char *value, int64_t *out, struct kerr *e)
{
    char *end;
    long long v;

    errno = 0;
    v = strtoll(value, &end, 10);
    if (end == value || *end || errno || isspace((unsigned char)*value))
        return kerr_set(e, KE_INVALID, "'%s' is not a number", value);
    if (v < s->min || v > s->max)
        return kerr_set(e, KE_INVALID, "%lld is not in %lld..%lld", v, (long long)s->min,
                        (long long)s->max);
    *out = v;
    return 0;
}

static int parse_bool(const char *value, bool *out, struct kerr *e)
{
    *out = strcmp(value, "true") == 0;
    if (*out || strcmp(value, "false") == 0)
        return 0;
    return kerr_set(e, KE_INVALID, "'%s', expected true or false", value);
}

static int apply(struct client_conf *c, const struct setting *s, const char *value, struct kerr *e)
{
    uint8_t *field = (uint8_t *)c + s->at;
    int64_t v = 0;
    int32_t narrow;
    int rc = 0;

    switch (s->kind) {
    case INT32:
        rc = parse_int(s, value, &v, e);
        narrow = (int32_t)v;
        if (rc == 0)
            memcpy(field, &narrow, sizeof narrow);
        return rc;
    case INT64:
        rc = parse_int(s, value, &v, e);
        if (rc == 0)
            memcpy(field, &v, sizeof v);
        return rc;
    case BOOL:
        return parse_bool(value, (bool *)field, e);
    case CALL:
        return s->call(c, value, e);
    case PLAIN_ONLY:
        if (strcasecmp(value, "plaintext") == 0)
            return 0;
        return kerr_set(e, KE_UNSUPPORTED, "'%s' is not supported, only PLAINTEXT is", value);
    case IDLE:
        break;
    }
    buf_printf(&c->idle, "%s\n", s->name);
    return c->idle.failed ? kerr_set(e, KE_NOMEM, "out of memory") : 0;
}

int client_conf_set(struct client_conf *c, const char *name, const char *value, struct kerr *e)
{
    for (size_t i = 0; i < setting_count; i++)
        if (strcmp(settings[i].name, name) == 0) {
            int rc = apply(c, &settings[i], value, e);
            if (rc == 0 && settings[i].kind == BOOL && settings[i].at == AT(idempotence))
                c->idempotence_set = true;
            return rc;
        }
    /* whole families, to be refused as one */
    if (strncmp(name, "ssl.", 4) == 0 || strncmp(name, "sasl.", 5) == 0)
        return kerr_set(e, KE_UNSUPPORTED, "TLS and SASL are not supported");
    if (strcmp(name, "transactional.id") == 0)
        return kerr_set(e, KE_UNSUPPORTED, "transactions are not supported");
    return kerr_set(e, KE_NOTFOUND, "unknown setting '%s'", name);
}

const char *client_conf_name(size_t i)
{
    return i < setting_count ? settings[i].name : NULL;
}

static int check_levels(const struct client_conf *c, struct kerr *e)
{
    int min, max, level = c->levels[c->codec];

    codec_levels(c->codec, &min, &max);
    if (level == CODEC_LEVEL_DEFAULT || (level >= min && level <= max))
        return 0;
    if (min > max)
        return kerr_set(e, KE_INVALID, "%s has no levels", codec_name(c->codec));
    return kerr_set(e, KE_INVALID, "%s level %d is not in %d..%d", codec_name(c->codec), level, min,
                    max);
}

int client_conf_check(struct client_conf *c, struct kerr *e)
{
    if (!c->bootstrap || !*c->bootstrap)
        return kerr_set(e, KE_INVALID, "no bootstrap.servers");
    if (c->acks != -1 && c->idempotence) {
        if (c->idempotence_set)
            return kerr_set(e, KE_INVALID, "enable.idempotence=true needs acks=all");
        c->idempotence = false;
    }
    if (c->retry_backoff_max_ms < c->retry_backoff_ms)
        c->retry_backoff_max_ms = c->retry_backoff_ms;
    if (c->reconnect_backoff_max_ms < c->reconnect_backoff_ms)
        c->reconnect_backoff_max_ms = c->reconnect_backoff_ms;
    return check_levels(c, e);
}

/* ---- life ---- */

/* Kafka 4.3's defaults, but for two: batch.size, because a tool at the end of a pipe has one
 * partition or a few to fill, and a batch costs its memory only as it fills; max.request.size, so
 * that what is too large for a topic is the broker's to say (socket.request.max.bytes bounds it).
 */
void client_conf_init(struct client_conf *c)
{
    *c = (struct client_conf){
        .client_id = "kcore",
        .request_timeout_ms = 30000,
        .retry_backoff_ms = 100,
        .retry_backoff_max_ms = 1000,
        .reconnect_backoff_ms = 50,
        .reconnect_backoff_max_ms = 1000,
        .connect_timeout_ms = 10000,
        .idle_ms = 540000,
        .metadata_age_ms = 300000,
        .max_block_ms = 5000,
        .acks = -1,
        .retries = INT32_MAX,
        .batch_size = 512 << 10,
        .linger_ms = 5,
        .buffer_memory = 32 << 20,
        .max_in_flight = 5,
        .idempotence = true,
        .delivery_timeout_ms = 120000,
        .max_request_size = (100 << 20) - 4096,
        .fetch_min_bytes = 1,
        .fetch_max_wait_ms = 500,
        .fetch_max_bytes = 50 << 20,
        .partition_max_bytes = 1 << 20,
        .read_committed = true,
        .check_crcs = true,
    };
    for (int i = 0; i < CODEC_COUNT; i++)
        c->levels[i] = CODEC_LEVEL_DEFAULT;
}

void client_conf_free(struct client_conf *c)
{
    free(c->bootstrap);
    c->bootstrap = NULL;
    buf_free(&c->idle);
}

int client_conf_copy(struct client_conf *to, const struct client_conf *from, struct kerr *e)
{
    *to = *from;
    to->idle = (struct buf){0};
    to->bootstrap = from->bootstrap ? strdup(from->bootstrap) : NULL;
    if (from->bootstrap && !to->bootstrap)
        return kerr_set(e, KE_NOMEM, "out of memory");
    return 0;
}
