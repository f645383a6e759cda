/*
 * admin - what an administrator asks of a cluster, one call each; every call waits for its answer.
 *
 * admin.c has topics and their partitions, admin_configs.c configurations, admin_cluster.c brokers
 * and what lies on their disks. Calls that fill a struct keep the broker's answer in it: slices
 * point there until the struct is freed. A call that fails leaves nothing to free.
 */
#ifndef KCORE_CLIENT_ADMIN_H
#define KCORE_CLIENT_ADMIN_H

#include "client/client.h"

/* ---- topics ---- */

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

/* More partitions: count in all. check: only checked. KE_NOTFOUND when there is no such topic;
 * brokers refuse what would not be more, so a lost answer looks like that. */
int admin_grow(struct client *c, const char *name, int32_t count, bool check, int64_t timeout_ms,
               struct kerr *e);

struct admin_partition {
    int32_t index;
    int32_t *replicas, *isr; /* ids of brokers; isr: those that are in sync */
    int32_t replica_count, isr_count;
};

struct admin_partitions {
    struct admin_partition *v; /* as the broker lists them */
    int32_t n;
    struct client_answer answer;
};

/* Where a topic's partitions are. KE_NOTFOUND when there is no such topic. */
int admin_partitions(struct client *c, const char *topic, int64_t timeout_ms,
                     struct admin_partitions *out, struct kerr *e);
void admin_partitions_free(struct admin_partitions *p);

struct admin_trim {
    const struct client_topic *topic;
    int32_t partition;
    int64_t offset; /* the first to be kept */
    int64_t start;  /* the answer: where the partition begins now; -1: nothing was answered */
    int32_t leader; /* internal */
};

/* Deletes what lies before the offsets. Each leader is asked once, for its partitions, of which
 * none may be there twice. The first thing that went wrong; start tells which partitions were
 * done. */
int admin_trim(struct client *c, struct admin_trim *v, size_t n, int64_t timeout_ms,
               struct kerr *e);

/* ---- configurations ---- */

/* Kafka's ConfigResource.Type. */
enum admin_resource { ADMIN_TOPIC = 2, ADMIN_BROKER = 4 };

struct admin_target {
    enum admin_resource type;
    const char *name; /* of the topic; the broker's id; "": what is for all brokers */
};

/* Kafka's ConfigSource, as far as it concerns topics and brokers. */
enum admin_source {
    ADMIN_FROM_TOPIC = 1,
    ADMIN_FROM_BROKER = 2,  /* set for this broker while it ran */
    ADMIN_FROM_BROKERS = 3, /* for all brokers */
    ADMIN_FROM_START = 4,   /* file and command line */
    ADMIN_FROM_DEFAULT = 5
};

/* One of the values that there are for a configuration, under the name that it was given. */
struct admin_value {
    struct slice name, value; /* a null value: none, or not told */
    int8_t source;
};

struct admin_setting {
    struct admin_value is; /* the one that acts */
    bool read_only, sensitive;
    bool idle;                  /* kept without effect: the broker says so (WIRE_CONFIG_IDLE) */
    struct admin_value *others; /* all that there are, the one that acts first */
    int32_t other_count;
    struct slice documentation; /* null: there is none (brokers before 2.6) */
};

struct admin_settings {
    struct admin_setting *v; /* by name */
    int32_t n;
    struct client_answer answer;
};

/* KE_NOTFOUND: there is no such topic or broker. */
int admin_configs(struct client *c, const struct admin_target *t, int64_t timeout_ms,
                  struct admin_settings *out, struct kerr *e);
void admin_settings_free(struct admin_settings *s);

/* All of the changes or none; a NULL value takes away what was set. check: only checked. */
int admin_alter_configs(struct client *c, const struct admin_target *t,
                        const struct admin_config *changes, size_t n, bool check,
                        int64_t timeout_ms, struct kerr *e);

/* ---- the cluster ---- */

struct admin_broker {
    int32_t id, port;
    struct slice host, rack; /* a null rack: none */
};

struct admin_cluster {
    struct slice id;
    int32_t controller; /* -1: not told */
    struct admin_broker *brokers;
    int32_t broker_count;
    struct client_answer answer;
};

/* KE_UNSUPPORTED by brokers before 2.8. */
int admin_cluster(struct client *c, int64_t timeout_ms, struct admin_cluster *out, struct kerr *e);
void admin_cluster_free(struct admin_cluster *k);

struct admin_replica {
    struct slice topic;
    int32_t partition;
    int64_t size; /* of its segments */
};

struct admin_dir {
    struct slice path;
    int16_t error;         /* Kafka's code: the directory cannot be used, the rest says nothing */
    int64_t total, usable; /* of the file system; -1: not told (before 3.3) */
    struct admin_replica *replicas;
    int32_t replica_count;
};

struct admin_dirs {
    struct admin_dir *v;
    int32_t n;
    struct client_answer answer;
};

/* One broker's directories. topic: only what is of that one; NULL: everything. */
int admin_dirs(struct client *c, int32_t broker, const struct client_topic *topic,
               int64_t timeout_ms, struct admin_dirs *out, struct kerr *e);
void admin_dirs_free(struct admin_dirs *d);

struct admin_feature {
    struct slice name;
    int16_t level;
};

struct admin_versions {
    struct admin_feature *features; /* those that the cluster has settled on */
    int32_t feature_count;
    struct client_answer answer;
};

/* What one broker says of itself (ApiVersions). */
int admin_versions(struct client *c, int32_t broker, int64_t timeout_ms, struct admin_versions *out,
                   struct kerr *e);
void admin_versions_free(struct admin_versions *v);

#endif
