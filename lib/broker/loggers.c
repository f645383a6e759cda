#include "broker/loggers.h"

static const struct {
    const char *name;
    enum logger parent; /* comes before it; root's is root */
} loggers[LOGGER_COUNT] = {
    [LOGGER_ROOT] = {"root", LOGGER_ROOT},
    [LOGGER_KCORE] = {"kcore", LOGGER_ROOT},
    [LOGGER_BROKER] = {"kcore.broker", LOGGER_KCORE},
    [LOGGER_CATALOG] = {"kcore.catalog", LOGGER_KCORE},
    [LOGGER_LOG] = {"kcore.log", LOGGER_KCORE},
    [LOGGER_NET] = {"kcore.net", LOGGER_KCORE},
};
static const char *const levels[] = {"ERROR", "WARN", "INFO", "DEBUG"};

void loggers_init(struct loggers *l, const struct diag *from)
{
    pthread_mutex_init(&l->mu, NULL);
    for (int i = 0; i < LOGGER_COUNT; i++) {
        l->own[i] = -1;
        l->diag[i].level = from ? (int)from->level : DIAG_ERROR;
        l->diag[i].sink = from ? from->sink : NULL;
        l->diag[i].arg = from ? from->arg : NULL;
    }
    l->own[LOGGER_ROOT] = l->diag[LOGGER_ROOT].level;
}

void loggers_free(struct loggers *l)
{
    pthread_mutex_destroy(&l->mu);
}

const char *logger_name(enum logger i)
{
    return loggers[i].name;
}

int logger_find(struct slice name)
{
    for (int i = 0; i < LOGGER_COUNT; i++)
        if (slice_eq_str(name, loggers[i].name))
            return i;
    return -1;
}

int logger_level(struct slice name)
{
    for (int i = DIAG_ERROR; i <= DIAG_DEBUG; i++)
        if (slice_eq_str(name, levels[i]))
            return i;
    return -1;
}

const char *loggers_level(const struct loggers *l, enum logger i)
{
    return levels[l->diag[i].level];
}

void loggers_set(struct loggers *l, enum logger i, int level)
{
    pthread_mutex_lock(&l->mu);
    l->own[i] = level;
    for (int k = 0; k < LOGGER_COUNT; k++)
        l->diag[k].level = l->own[k] >= 0 ? l->own[k] : (int)l->diag[loggers[k].parent].level;
    pthread_mutex_unlock(&l->mu);
}
