#include "catalog/command.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "wire/catalog_alter_configs.h"
#include "wire/catalog_cluster_id.h"
#include "wire/catalog_command.h"
#include "wire/catalog_create_partitions.h"
#include "wire/catalog_create_topic.h"
#include "wire/catalog_delete_topic.h"
#include "wire/catalog_producer_ids.h"

/* One change in one command; body is freed. After an error b is as it was. */
static int put_command(struct buf *b, const struct catalog_stamp *s, enum catalog_kind kind,
                       int16_t version, struct buf *body, int rc)
{
    struct catalog_command_change change;
    struct catalog_command m;
    size_t start = b->n;
    uint8_t *head;

    if (rc == 0) {
        catalog_command_init(&m);
        catalog_command_change_init(&change);
        m.proposer = s->proposer;
        m.seq = s->seq;
        m.wall_ms = s->now.ms;
        m.changes.v = &change;
        m.changes.n = 1;
        change.kind = (int16_t)kind;
        change.version = version;
        change.body = buf_slice(body);
        head = buf_add(b, 2);
        if (head)
            put_be16(head, CATALOG_COMMAND_MAX_VERSION);
        rc = head ? catalog_command_encode(&m, b, CATALOG_COMMAND_MAX_VERSION) : KE_NOMEM;
        if (rc < 0)
            b->n = start;
    }
    buf_free(body);
    return rc;
}

static bool fill_partitions(struct catalog_create_topic *m, const struct catalog_topic *t,
                            struct arena *a)
{
    m->partitions.v = arena_array(a, (size_t)t->partition_count, sizeof *m->partitions.v);
    if (!m->partitions.v)
        return false;
    m->partitions.n = t->partition_count;
    for (int32_t i = 0; i < t->partition_count; i++) {
        const struct catalog_partition *from = &t->partitions[i];
        struct catalog_create_topic_partition *to = &m->partitions.v[i];
        catalog_create_topic_partition_init(to);
        to->leader = from->leader;
        to->leader_epoch = from->leader_epoch;
        to->partition_epoch = from->partition_epoch;
        to->replicas.v = (int32_t *)(uintptr_t)from->replicas;
        to->replicas.n = from->replica_count;
        to->isr.v = (int32_t *)(uintptr_t)from->isr;
        to->isr.n = from->isr_count;
        to->directory_id = from->directory_id;
    }
    return true;
}

static bool fill_configs(struct catalog_create_topic *m, const struct catalog_topic *t,
                         struct arena *a)
{
    m->configs.v = arena_array(a, (size_t)t->config_count, sizeof *m->configs.v);
    if (!m->configs.v)
        return false;
    m->configs.n = t->config_count;
    for (int32_t i = 0; i < t->config_count; i++) {
        catalog_create_topic_config_init(&m->configs.v[i]);
        m->configs.v[i].name = t->configs[i].name;
        m->configs.v[i].value = t->configs[i].value;
    }
    return true;
}

int catalog_cmd_create_topic(struct buf *b, const struct catalog_stamp *s,
                             const struct catalog_topic *t)
{
    struct catalog_create_topic m;
    struct arena a = {0};
    struct buf body = {0};
    int rc = KE_NOMEM;

    catalog_create_topic_init(&m);
    m.name = t->name;
    m.topic_id = t->id;
    if (fill_partitions(&m, t, &a) && fill_configs(&m, t, &a))
        rc = catalog_create_topic_encode(&m, &body, CATALOG_CREATE_TOPIC_MAX_VERSION);
    arena_free(&a);
    return put_command(b, s, CATALOG_KIND_CREATE_TOPIC, CATALOG_CREATE_TOPIC_MAX_VERSION, &body,
                       rc);
}

int catalog_cmd_delete_topic(struct buf *b, const struct catalog_stamp *s, struct uuid id)
{
    struct catalog_delete_topic m = {.topic_id = id};
    struct buf body = {0};
    int rc = catalog_delete_topic_encode(&m, &body, CATALOG_DELETE_TOPIC_MAX_VERSION);

    return put_command(b, s, CATALOG_KIND_DELETE_TOPIC, CATALOG_DELETE_TOPIC_MAX_VERSION, &body,
                       rc);
}

int catalog_cmd_create_partitions(struct buf *b, const struct catalog_stamp *s, struct uuid id,
                                  int32_t count, const struct catalog_partition *more, int32_t n)
{
    struct catalog_create_partitions m = {.topic_id = id, .count = count};
    struct arena a = {0};
    struct buf body = {0};
    int rc = KE_NOMEM;

    m.partitions.n = n;
    m.partitions.v = arena_array(&a, (size_t)n, sizeof *m.partitions.v);
    for (int32_t i = 0; m.partitions.v && i < n; i++) {
        struct catalog_create_partitions_partition *to = &m.partitions.v[i];
        catalog_create_partitions_partition_init(to);
        to->leader = more[i].leader;
        to->leader_epoch = more[i].leader_epoch;
        to->partition_epoch = more[i].partition_epoch;
        to->replicas.v = (int32_t *)(uintptr_t)more[i].replicas;
        to->replicas.n = more[i].replica_count;
        to->isr.v = (int32_t *)(uintptr_t)more[i].isr;
        to->isr.n = more[i].isr_count;
        to->directory_id = more[i].directory_id;
    }
    if (m.partitions.v)
        rc = catalog_create_partitions_encode(&m, &body, CATALOG_CREATE_PARTITIONS_MAX_VERSION);
    arena_free(&a);
    return put_command(b, s, CATALOG_KIND_CREATE_PARTITIONS, CATALOG_CREATE_PARTITIONS_MAX_VERSION,
                       &body, rc);
}

int catalog_cmd_alter_configs(struct buf *b, const struct catalog_stamp *s, struct uuid topic,
                              struct slice broker, bool replace,
                              const struct catalog_config_change *v, int32_t n)
{
    struct catalog_alter_configs m = {.topic_id = topic, .broker = broker, .replace = replace};
    struct arena a = {0};
    struct buf body = {0};
    int rc = KE_NOMEM;

    m.changes.n = n;
    m.changes.v = arena_array(&a, (size_t)n, sizeof *m.changes.v);
    for (int32_t i = 0; m.changes.v && i < n; i++)
        m.changes.v[i] =
            (struct catalog_alter_configs_change){v[i].name, v[i].value, v[i].checked, v[i].was};
    if (m.changes.v)
        rc = catalog_alter_configs_encode(&m, &body, CATALOG_ALTER_CONFIGS_MAX_VERSION);
    arena_free(&a);
    return put_command(b, s, CATALOG_KIND_ALTER_CONFIGS, CATALOG_ALTER_CONFIGS_MAX_VERSION, &body,
                       rc);
}

int catalog_cmd_producer_ids(struct buf *b, const struct catalog_stamp *s, int32_t block)
{
    struct catalog_producer_ids m = {.count = block};
    struct buf body = {0};
    int rc = catalog_producer_ids_encode(&m, &body, CATALOG_PRODUCER_IDS_MAX_VERSION);

    return put_command(b, s, CATALOG_KIND_PRODUCER_IDS, CATALOG_PRODUCER_IDS_MAX_VERSION, &body,
                       rc);
}

int catalog_cmd_set_cluster_id(struct buf *b, const struct catalog_stamp *s, struct uuid id)
{
    struct catalog_cluster_id m = {.cluster_id = id};
    struct buf body = {0};
    int rc = catalog_cluster_id_encode(&m, &body, CATALOG_CLUSTER_ID_MAX_VERSION);

    return put_command(b, s, CATALOG_KIND_CLUSTER_ID, CATALOG_CLUSTER_ID_MAX_VERSION, &body, rc);
}
