/*
 * config - the one table of configurations: Kafka 4.3's of topics and brokers, and ours; their
 * types, defaults and limits, whether they act here, and what they say of themselves.
 *
 * A topic's setting usually has a broker-wide one that is its default, often under another name:
 * they share a row. Where that one has no default of its own (log.retention.ms), older names in
 * other units stand in for it (log.retention.hours).
 */
#ifndef KCORE_BROKER_CONFIG_H
#define KCORE_BROKER_CONFIG_H

#include "base/err.h"
#include "base/slice.h"
#include "log/plog.h"

/* Kafka's ConfigType, as DescribeConfigs tells it. */
enum config_type {
    CONFIG_BOOLEAN = 1,
    CONFIG_STRING,
    CONFIG_INT,
    CONFIG_SHORT,
    CONFIG_LONG,
    CONFIG_DOUBLE,
    CONFIG_LIST,
    CONFIG_CLASS,
    CONFIG_PASSWORD
};

enum config_flag {
    CONFIG_ACTS = 1,              /* on a topic; of the broker's alone see broker_conf_acts() */
    CONFIG_SENSITIVE = 2,         /* never told */
    CONFIG_NO_BROKER_DEFAULT = 4, /* value is the topic's default alone */
    CONFIG_NOT_ZERO = 8,
    CONFIG_REPLICAS = 16, /* a list of PARTITION:BROKER, or * */
};

struct config_key {
    const char *topic;  /* name as a topic's setting, or NULL */
    const char *broker; /* name as the broker's, or NULL */
    enum config_type type;
    const char *value;   /* the default; NULL: none */
    double min, max;     /* of numbers; both 0: whatever the type holds */
    const char *choices; /* "a|b": of strings, and of each item of a list */
    const char *idle;    /* a list's item that is kept and does not act yet, or NULL */
    unsigned flags;
    /* What a value, which has been checked, means for a log; NULL where it means nothing there. */
    void (*apply)(struct plog_conf *c, struct slice value);
    const char *doc; /* NULL for what does not act and never will */
};

/* The table; topics' settings come first, by name but for ours. It ends with neither name. */
extern const struct config_key config_keys[];
const struct config_key *config_find_topic(struct slice name);
const struct config_key *config_find_broker(struct slice name);

/* A topic's settings may be changed on a running broker, for all topics that have none of their
 * own; what is the broker's alone may not. */
static inline bool config_is_dynamic(const struct config_key *k)
{
    return k->topic && k->broker;
}

/* Older broker-wide names for the same in other units, in the order in which they count. */
struct config_alias {
    const char *of;   /* the broker-wide name */
    const char *name; /* the other name */
    int64_t unit;     /* how much one of its units is in those of the first */
};
extern const struct config_alias config_aliases[]; /* ends with a NULL name */

/* 0, or KE_INVALID with what was expected; name is what the value is called in the message. */
int config_check(const struct config_key *k, const char *name, struct slice value, struct kerr *e);

/* Whether a list has the item, blanks around items aside. */
bool config_list_has(struct slice list, const char *item);
/* Items one after the other: false at the end. at starts at 0. */
bool config_list_next(struct slice list, size_t *at, struct slice *item);

/* The number that a checked value says; 0 when it is none. */
int64_t config_number(struct slice value);
bool config_is_true(struct slice value);

#endif
