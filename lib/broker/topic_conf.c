#include "broker/topic_conf.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define INT_MAX_  2147483647.0
#define LONG_MAX_ 9223372036854775807.0

/* Names, types, defaults and limits are Kafka 4.3's (TopicConfig, LogConfig); the last two are
 * ours. */
const struct topic_conf_key topic_conf_keys[] = {
    {"cleanup.policy", "log.cleanup.policy", TOPIC_CONF_CHOICE, "delete", 0, 0, "delete|compact",
     true, false},
    {"compression.gzip.level", "compression.gzip.level", TOPIC_CONF_INT, "-1", -1, 9, NULL, false,
     false},
    {"compression.lz4.level", "compression.lz4.level", TOPIC_CONF_INT, "9", 1, 17, NULL, false,
     false},
    {"compression.type", "compression.type", TOPIC_CONF_CHOICE, "producer", 0, 0,
     "uncompressed|zstd|lz4|snappy|gzip|producer", false, false},
    {"compression.zstd.level", "compression.zstd.level", TOPIC_CONF_INT, "3", -131072, 22, NULL,
     false, false},
    {"delete.retention.ms", "log.cleaner.delete.retention.ms", TOPIC_CONF_LONG, "86400000", 0,
     LONG_MAX_, NULL, false, false},
    {"file.delete.delay.ms", "log.segment.delete.delay.ms", TOPIC_CONF_LONG, "60000", 0, LONG_MAX_,
     NULL, false, false},
    {"flush.messages", "log.flush.interval.messages", TOPIC_CONF_LONG, "9223372036854775807", 1,
     LONG_MAX_, NULL, false, false},
    {"flush.ms", "log.flush.interval.ms", TOPIC_CONF_LONG, "9223372036854775807", 0, LONG_MAX_,
     NULL, false, false},
    {"follower.replication.throttled.replicas", NULL, TOPIC_CONF_TEXT, "", 0, 0, NULL, false,
     false},
    {"index.interval.bytes", "log.index.interval.bytes", TOPIC_CONF_INT, "4096", 0, INT_MAX_, NULL,
     false, true},
    {"leader.replication.throttled.replicas", NULL, TOPIC_CONF_TEXT, "", 0, 0, NULL, false, false},
    {"local.retention.bytes", "log.local.retention.bytes", TOPIC_CONF_LONG, "-2", -2, LONG_MAX_,
     NULL, false, false},
    {"local.retention.ms", "log.local.retention.ms", TOPIC_CONF_LONG, "-2", -2, LONG_MAX_, NULL,
     false, false},
    {"max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms", TOPIC_CONF_LONG,
     "9223372036854775807", 1, LONG_MAX_, NULL, false, false},
    {"max.message.bytes", "message.max.bytes", TOPIC_CONF_INT, "1048588", 0, INT_MAX_, NULL, false,
     true},
    {"message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms", TOPIC_CONF_LONG,
     "3600000", 0, LONG_MAX_, NULL, false, true},
    {"message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms", TOPIC_CONF_LONG,
     "9223372036854775807", 0, LONG_MAX_, NULL, false, true},
    {"message.timestamp.type", "log.message.timestamp.type", TOPIC_CONF_CHOICE, "CreateTime", 0, 0,
     "CreateTime|LogAppendTime", false, true},
    {"min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio", TOPIC_CONF_DOUBLE, "0.5", 0, 1,
     NULL, false, false},
    {"min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms", TOPIC_CONF_LONG, "0", 0,
     LONG_MAX_, NULL, false, false},
    {"min.insync.replicas", "min.insync.replicas", TOPIC_CONF_INT, "1", 1, INT_MAX_, NULL, false,
     false},
    {"preallocate", "log.preallocate", TOPIC_CONF_BOOL, "false", 0, 0, NULL, false, false},
    {"remote.storage.enable", NULL, TOPIC_CONF_BOOL, "false", 0, 0, NULL, false, false},
    {"retention.bytes", "log.retention.bytes", TOPIC_CONF_LONG, "-1", -1, LONG_MAX_, NULL, false,
     false},
    {"retention.ms", "log.retention.ms", TOPIC_CONF_LONG, "604800000", -1, LONG_MAX_, NULL, false,
     false},
    {"segment.bytes", "log.segment.bytes", TOPIC_CONF_INT, "1073741824", 14, INT_MAX_, NULL, false,
     true},
    {"segment.index.bytes", "log.index.size.max.bytes", TOPIC_CONF_INT, "10485760", 4, INT_MAX_,
     NULL, false, true},
    {"segment.jitter.ms", "log.roll.jitter.ms", TOPIC_CONF_LONG, "0", 0, LONG_MAX_, NULL, false,
     false},
    {"segment.ms", "log.roll.ms", TOPIC_CONF_LONG, "604800000", 1, LONG_MAX_, NULL, false, true},
    {"unclean.leader.election.enable", "unclean.leader.election.enable", TOPIC_CONF_BOOL, "false",
     0, 0, NULL, false, false},
    {"flush", "flush", TOPIC_CONF_CHOICE, "sync", 0, 0, "sync|os", false, true},
    {"validate.records", "validate.records", TOPIC_CONF_BOOL, "false", 0, 0, NULL, false, true},
    {NULL, NULL, TOPIC_CONF_TEXT, NULL, 0, 0, NULL, false, false},
};

const struct topic_conf_key *topic_conf_find(struct slice name)
{
    for (const struct topic_conf_key *k = topic_conf_keys; k->name; k++)
        if (slice_eq_str(name, k->name))
            return k;
    return NULL;
}

const struct topic_conf_key *topic_conf_find_broker(struct slice name)
{
    for (const struct topic_conf_key *k = topic_conf_keys; k->name; k++)
        if (k->broker && slice_eq_str(name, k->broker))
            return k;
    return NULL;
}

/* A copy with a NUL, for the C library's parsers; false when it is too long to be a number. */
static bool text_of(struct slice value, char *out, size_t cap)
{
    if (!value.p || value.n == 0 || value.n >= cap || memchr(value.p, 0, value.n))
        return false;
    memcpy(out, value.p, value.n);
    out[value.n] = 0;
    return true;
}

static bool in_choices(const char *choices, struct slice value)
{
    while (choices) {
        size_t n = strcspn(choices, "|");
        if (n == value.n && memcmp(choices, value.p, n) == 0)
            return true;
        choices = choices[n] ? choices + n + 1 : NULL;
    }
    return false;
}

static int check_choice(const struct topic_conf_key *k, struct slice value, struct kerr *e)
{
    struct slice rest = value;

    while (k->list) { /* "compact,delete" */
        const uint8_t *comma = rest.n ? memchr(rest.p, ',', rest.n) : NULL;
        size_t n = comma ? (size_t)(comma - rest.p) : rest.n;
        if (!in_choices(k->choices, slice_of(rest.p, n)))
            break;
        if (!comma)
            return 0;
        rest = slice_of(comma + 1, rest.n - n - 1);
    }
    if (!k->list && in_choices(k->choices, value))
        return 0;
    return kerr_set(e, KE_INVALID, "%s: '%.*s' is none of %s", k->name,
                    (int)(value.n < 64 ? value.n : 64), (const char *)value.p, k->choices);
}

int topic_conf_check(const struct topic_conf_key *k, struct slice value, struct kerr *e)
{
    char text[64], *end = text;
    long long whole;
    double real;

    if (!value.p)
        return kerr_set(e, KE_INVALID, "%s: no value", k->name);
    switch (k->type) {
    case TOPIC_CONF_TEXT:
        return 0;
    case TOPIC_CONF_CHOICE:
        return check_choice(k, value, e);
    case TOPIC_CONF_BOOL:
        if (value.n < sizeof text && text_of(value, text, sizeof text) &&
            (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0))
            return 0;
        return kerr_set(e, KE_INVALID, "%s: expected true or false", k->name);
    default:
        break;
    }
    if (!text_of(value, text, sizeof text))
        return kerr_set(e, KE_INVALID, "%s: expected a number", k->name);
    errno = 0;
    if (k->type == TOPIC_CONF_DOUBLE) {
        real = strtod(text, &end);
    } else {
        whole = strtoll(text, &end, 10);
        real = (double)whole;
    }
    if (*end || errno || !isfinite(real))
        return kerr_set(e, KE_INVALID, "%s: '%s' is not a number of its type", k->name, text);
    if (real < k->min || real > k->max)
        return kerr_set(e, KE_INVALID, "%s: %s is not within %.0f and %.0f", k->name, text, k->min,
                        k->max);
    return 0;
}

void topic_conf_apply(struct plog_conf *c, const struct topic_conf_key *k, struct slice value)
{
    char text[64] = "";
    int64_t n;

    text_of(value, text, sizeof text);
    n = strtoll(text, NULL, 10);
    if (strcmp(k->name, "segment.bytes") == 0)
        c->segment_bytes = n;
    else if (strcmp(k->name, "segment.ms") == 0)
        c->segment_ms = n;
    else if (strcmp(k->name, "segment.index.bytes") == 0)
        c->segment_index_bytes = (int32_t)n;
    else if (strcmp(k->name, "index.interval.bytes") == 0)
        c->index_interval_bytes = (int32_t)n;
    else if (strcmp(k->name, "max.message.bytes") == 0)
        c->max_message_bytes = n;
    else if (strcmp(k->name, "message.timestamp.type") == 0)
        c->append_time = strcmp(text, "LogAppendTime") == 0;
    else if (strcmp(k->name, "message.timestamp.before.max.ms") == 0)
        c->before_max_ms = n;
    else if (strcmp(k->name, "message.timestamp.after.max.ms") == 0)
        c->after_max_ms = n;
    else if (strcmp(k->name, "validate.records") == 0)
        c->validate_records = strcasecmp(text, "true") == 0;
    else if (strcmp(k->name, "flush") == 0)
        c->flush = strcmp(text, "os") == 0 ? PLOG_FLUSH_OS : PLOG_FLUSH_SYNC;
}
