/*
 * topic_conf - topic configurations by Kafka's names: which exist, their types and limits, their
 * broker-wide synonyms, and what a partition log makes of them.
 */
#ifndef KCORE_BROKER_TOPIC_CONF_H
#define KCORE_BROKER_TOPIC_CONF_H

#include "base/err.h"
#include "base/slice.h"
#include "log/plog.h"

enum topic_conf_type {
    TOPIC_CONF_INT,
    TOPIC_CONF_LONG,
    TOPIC_CONF_DOUBLE,
    TOPIC_CONF_BOOL,
    TOPIC_CONF_CHOICE,
    TOPIC_CONF_TEXT
};

struct topic_conf_key {
    const char *name;   /* of the topic's setting */
    const char *broker; /* the broker-wide setting that is its default, or NULL */
    enum topic_conf_type type;
    const char *value;   /* Kafka's default, "" where there is none */
    double min, max;     /* of numbers */
    const char *choices; /* "a|b" for TOPIC_CONF_CHOICE; several may be given where list is set */
    bool list;
    bool acts; /* false: stored and answered, nothing follows from it yet */
};

/* The table; ends with a NULL name. */
extern const struct topic_conf_key topic_conf_keys[];
const struct topic_conf_key *topic_conf_find(struct slice name);
const struct topic_conf_key *topic_conf_find_broker(struct slice name);

/* KE_INVALID with what was expected. */
int topic_conf_check(const struct topic_conf_key *k, struct slice value, struct kerr *e);

/* Sets what the value of one setting means for a log; the value has been checked. */
void topic_conf_apply(struct plog_conf *c, const struct topic_conf_key *k, struct slice value);

#endif
