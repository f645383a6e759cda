/*
 * admin - what an administrator asks of a cluster, one call each; every call waits for its answer.
 */
#ifndef KCORE_CLIENT_ADMIN_H
#define KCORE_CLIENT_ADMIN_H

#include "client/client.h"

struct admin_config {
    const char *name, *value;
};

struct admin_topic {
    const char *name;
    int32_t partitions;  /* -1: the broker's default */
    int16_t replication; /* likewise */
    const struct admin_config *configs;
    size_t config_count;
};

/* *partitions (may be NULL): how many it got, -1 when the broker does not say. KE_REMOTE with the
 * broker's own message. check: nothing is made, only checked. A topic that a lost answer left
 * behind is found as "already exists". */
int admin_create(struct client *c, const struct admin_topic *t, bool check, int64_t timeout_ms,
                 int32_t *partitions, struct kerr *e);

/* KE_NOTFOUND when there is no such topic. */
int admin_delete(struct client *c, const char *name, int64_t timeout_ms, struct kerr *e);

#endif
