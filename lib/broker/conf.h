/*
 * conf - a broker's configuration, by the names of Kafka's server.properties.
 *
 * Names come from a file or the command line, one by one. A name that Kafka does not know is
 * KE_NOTFOUND with the nearest match in the message; one that Kafka knows and we do not act on is
 * taken and counted as idle (the caller warns once).
 */
#ifndef KCORE_BROKER_CONF_H
#define KCORE_BROKER_CONF_H

#include "base/buf.h"
#include "base/err.h"
#include "broker/config.h"
#include "broker/guests.h"
#include "net/addr.h"

#define BROKER_MAX_LISTENERS 8
#define BROKER_MAX_DIRS      16

struct broker_conf {
    char *dirs[BROKER_MAX_DIRS]; /* log.dirs; owned */
    int dir_count;
    char *metadata_dir; /* NULL: the first of dirs; owned */
    struct net_addr listeners[BROKER_MAX_LISTENERS];
    int listener_count;
    struct net_addr advertised[BROKER_MAX_LISTENERS]; /* by listener name */
    int advertised_count;
    bool has_metrics;
    struct net_addr metrics;    /* metrics.listener, ours: where metrics are served over HTTP */
    char controller_names[256]; /* controller.listener.names: such listeners are not served */
    char protocols[512];        /* listener.security.protocol.map: NAME:PROTOCOL,... */
    int32_t node_id;
    int threads; /* num.network.threads; 0: a reactor a core */
    int32_t num_partitions;
    bool auto_create, delete_topics;
    int64_t request_max; /* socket.request.max.bytes */
    int64_t queued_max;  /* queued.max.request.bytes */
    int64_t connections_max;
    struct guest_limits guests;
    int64_t idle_ms; /* connections.max.idle.ms */
    int64_t producer_expiry_ms;
    int64_t retention_check_ms;         /* log.retention.check.interval.ms */
    int64_t sessions_max;               /* max.incremental.fetch.session.cache.slots */
    int64_t topics_max, partitions_max; /* ours: error 44 past them */
    int files_max;       /* descriptors for logs; 0: any number. The program's to say. */
    struct buf given;    /* what was set: see broker_conf_find() */
    struct buf idle;     /* names known but without effect here, one a line */
    bool warn_plaintext; /* warn.plaintext.listeners */
    bool adopt, accept_missing, unsafe_fs;
};

void broker_conf_init(struct broker_conf *c);
void broker_conf_free(struct broker_conf *c);
/* Sets one. KE_NOTFOUND, KE_INVALID, KE_NOMEM. A second listeners= replaces the first. */
int broker_conf_set(struct broker_conf *c, const char *name, const char *value, struct kerr *e);
/* -l: adds to what "listeners" holds; the first time it replaces the file's. */
int broker_conf_add_listener(struct broker_conf *c, const char *value, bool first, struct kerr *e);
/* What only the whole can tell: that there is a directory, that listeners ask for no protocol that
 * is not spoken, that what is advertised can be connected to. Fills in the default listener. */
int broker_conf_check(struct broker_conf *c, struct kerr *e);

/* The value that was given for a name, the last one; null: none was. */
struct slice broker_conf_find(struct slice given, const char *name);
void broker_conf_note(struct buf *given, const char *name, const char *value);
/* Whether something follows from a setting, on topics or on the broker. */
bool broker_conf_acts(const struct config_key *k);
/* Whether another value of one that has a broker-wide name acts only after a restart. */
bool broker_conf_needs_restart(const struct config_key *k);

/* Every name that broker_conf_set takes, for "did you mean"; NULL past the last. */
const char *broker_conf_name(size_t i);

#endif
