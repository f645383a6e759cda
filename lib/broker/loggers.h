/*
 * loggers - how much each area of the broker says, changed while it runs.
 *
 * Areas are Kafka's loggers: root, under it kcore, under that kcore.broker, kcore.catalog,
 * kcore.log and kcore.net. One without a level of its own has its parent's. At first only root has
 * one, what the broker was started with; nothing is kept past its end. Thread-safe.
 */
#ifndef KCORE_BROKER_LOGGERS_H
#define KCORE_BROKER_LOGGERS_H

#include "base/diag.h"

#include <pthread.h>

enum logger {
    LOGGER_ROOT,
    LOGGER_KCORE,
    LOGGER_BROKER,
    LOGGER_CATALOG,
    LOGGER_LOG,
    LOGGER_NET,
    LOGGER_COUNT
};

struct loggers {
    pthread_mutex_t mu;
    int own[LOGGER_COUNT];          /* a level, or -1: the parent's */
    struct diag diag[LOGGER_COUNT]; /* with the level that acts */
};

/* Messages go where from sends them; NULL: nowhere. */
void loggers_init(struct loggers *l, const struct diag *from);
void loggers_free(struct loggers *l);
const char *logger_name(enum logger i);
/* -1: there is none of that name. */
int logger_find(struct slice name);
/* "ERROR", "WARN", "INFO" or "DEBUG": a level, else -1. */
int logger_level(struct slice name);
/* The level that acts. */
const char *loggers_level(const struct loggers *l, enum logger i);
/* level -1: its parent's from now on; root has none. */
void loggers_set(struct loggers *l, enum logger i, int level);

#endif
