/*
 * core - what the handlers see of the broker they work for. lib/broker's own.
 */
#ifndef KCORE_BROKER_CORE_H
#define KCORE_BROKER_CORE_H

#include "base/hash.h"
#include "broker/broker.h"
#include "broker/loggers.h"
#include "broker/partition.h"
#include "catalog/catalog.h"
#include "log/logdir.h"
#include "net/conn.h"
#include "net/listener.h"

struct reactor;
struct sessions;
struct scrape;

/* What a listener's callback gets. */
struct door {
    struct broker *broker;
    int index;
};

/* What of the configuration may change while the broker runs (reload.h); limits and the likes lie
 * where they are used. */
struct live {
    _Atomic int32_t num_partitions;
    _Atomic bool auto_create, delete_topics;
    _Atomic int64_t connections_max, topics_max, partitions_max, retention_check_ms;
};

struct broker {
    struct broker_conf conf; /* as it was at the start */
    struct live live;
    struct buf *_Atomic given; /* conf's, until a reload puts another in its place: a value found
                                  there is good for as long as a reactor handles one event, or
                                  stock_mu is held */
    const struct os_clock *clock;
    struct loggers loggers;
    const struct diag *diag; /* kcore.broker's */
    wall_ms started;
    /* Each kind of waiting has threads of its own, so that none can take all of them: cold reads,
     * searches and chores; flushes; appends to logs that stall. */
    struct pool *pool, *flush_pool, *append_pool;
    struct logdir *dirs[BROKER_MAX_DIRS];
    int dir_count;
    struct catalog *catalog;
    struct sessions *sessions;
    struct scrape *scrape; /* NULL: no metrics.listener */
    struct uuid cluster_id, proposer;
    _Atomic int64_t proposals;
    struct partitions partitions;
    pthread_mutex_t stock_mu;   /* stock is at work on the logs */
    struct plog_conf log_base;  /* of topics without settings of their own; stock's */
    _Atomic int64_t min_insync; /* likewise */
    struct net_limits limits;   /* at the start: each reactor has its own */
    struct net_budget budget;
    struct net_listener *listeners[BROKER_MAX_LISTENERS];
    struct door doors[BROKER_MAX_LISTENERS];
    int listener_count;
    struct reactor **reactors;
    int reactor_count, next_reactor;
    _Atomic int64_t connections;
    struct guests *guests;
    struct said crowded; /* that there are too many: the accepting reactor's */
    /* asked of the catalog and not in its image yet */
    _Atomic int32_t topics_coming, partitions_coming;
    pthread_mutex_t quiet_mu;
    struct hash quiet; /* names of those that nobody waits for: one proposal each is enough */
    int fatal_fd;
    int lap_fd; /* readable when a lap has ended */
    _Atomic int laps;
    pthread_mutex_t ids_mu; /* the block of producer ids */
    int64_t next_id, last_id;
    struct net_timer tick;   /* on the first reactor */
    struct net_task arm;     /* sets it */
    struct pool_task chores; /* what it has to do */
    struct net_task chores_done;
    _Atomic bool stopping; /* parked fetches are answered with what there is */
    _Atomic bool dirty;    /* something was appended since the last checkpoint */
};

/* Identifies the next catalog command. */
struct catalog_stamp broker_stamp(struct broker *b);

/* What a topic's settings make of its logs. */
void broker_plog_conf(const struct broker *b, const struct catalog_topic *t, struct plog_conf *out);

/* Where clients of a listener find this broker; local is the connection's own end, for listeners on
 * every address. */
void broker_advertised(const struct broker *b, int listener, const struct net_addr *local,
                       struct net_addr *out);

/* Something has been appended: the housekeeping has work. */
void broker_touch(struct broker *b);
/* live.retention_check_ms has changed; on the first reactor. */
void broker_tick_changed(struct broker *b);

#endif
