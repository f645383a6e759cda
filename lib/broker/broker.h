/*
 * broker - the broker as an object. Two may live in one process: no globals, no signals, no exit.
 */
#ifndef KCORE_BROKER_BROKER_H
#define KCORE_BROKER_BROKER_H

#include "base/diag.h"
#include "base/err.h"
#include "broker/conf.h"
#include "net/addr.h"
#include "os/clock.h"

struct broker;

struct broker_env {
    const struct os_clock *clock; /* NULL: real */
    const struct diag *diag;
};

/* Opens directories and catalog, recovers, binds and starts to serve; returns when it is ready.
 * conf, which has been checked, is taken over and left empty. */
int broker_new(struct broker **out, struct broker_conf *conf, const struct broker_env *env,
               struct kerr *e);
/* The i-th listener's address, with its real port; NULL past the last. */
const struct net_addr *broker_listener(const struct broker *b, int i);
/* Where metrics are served, with the real port; NULL: nowhere. */
const struct net_addr *broker_metrics_listener(const struct broker *b);
int broker_topic_count(const struct broker *b);
/* Set when the broker cannot go on by itself (the catalog's disk has failed): fd becomes readable,
 * for the main's poll. */
int broker_fatal_fd(const struct broker *b);

/* Takes over what of a configuration can change while the broker runs. Says each change, and each
 * that needs a restart, and goes on as it was with those. conf, which has been checked, stays as it
 * is. On failure nothing has changed. All of it acts when the lap under way then has ended; two
 * reloads must not overlap. */
int broker_reload(struct broker *b, const struct broker_conf *conf, struct kerr *e);

/* Sends a message round all threads that serve: the descriptor becomes readable when each of them
 * has come by, and never if one has ceased to. */
int broker_lap(struct broker *b, struct kerr *e);
int broker_lap_fd(const struct broker *b);
/* Asked when it was readable: whether no lap is under way any more. */
bool broker_lap_over(struct broker *b);

/* Stops accepting, answers what is in flight (for at most grace_ms), flushes, marks a clean stop,
 * frees. 0, or the first thing that went wrong on the way. */
int broker_free(struct broker *b, int64_t grace_ms, struct kerr *e);

#endif
