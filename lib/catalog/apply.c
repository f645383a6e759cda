#include "catalog/apply.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "wire/catalog_alter_configs.h"
#include "wire/catalog_cluster_id.h"
#include "wire/catalog_command.h"
#include "wire/catalog_create_partitions.h"
#include "wire/catalog_create_topic.h"
#include "wire/catalog_delete_topic.h"
#include "wire/catalog_producer_ids.h"

#include <stdlib.h>

struct apply {
    struct store *s;
    struct edit *ed;
    struct arena arena;
    struct catalog_command cmd;
    struct applied *out;
    struct kerr *e;
};

/* A change's answer: 0 with out->result (DONE to go on) or out->err, or the store's error. */
typedef int (*change_fn)(struct apply *a, struct wire_reader *r, int16_t version);

static int refuse(struct apply *a, enum catalog_result why)
{
    a->out->result = why;
    return 0;
}

static int unreadable(struct apply *a, int err)
{
    a->out->err = err;
    return err == KE_NOMEM ? err : 0;
}

/* A body must be read to its end. 0, or the error for unreadable(). */
static int finish_body(int rc, const struct wire_reader *r)
{
    return rc < 0 ? rc : wire_left(r) > 0 ? KE_CORRUPT : 0;
}

/* ---- the changes -------------------------------------------------------------------------------
 */

static int set_cluster_id(struct apply *a, struct wire_reader *r, int16_t version)
{
    struct catalog_cluster_id m;
    sqlite3_stmt *st;
    int rc = finish_body(catalog_cluster_id_decode(&m, r, version), r);

    if (rc < 0)
        return unreadable(a, rc);
    if (uuid_is_zero(m.cluster_id) || !uuid_is_zero(a->ed->cluster_id))
        return refuse(a, CATALOG_INVALID);
    st = store_statement(a->s, STORE_SET_CLUSTER, a->e);
    if (!st)
        return store_error(a->s, "set the cluster id", a->e);
    store_bind_uuid(st, 1, m.cluster_id);
    a->ed->cluster_id = m.cluster_id;
    return store_step(a->s, st, a->e);
}

static int order_configs(const void *x, const void *y)
{
    return slice_cmp(((const struct catalog_config *)x)->name,
                     ((const struct catalog_config *)y)->name);
}

static bool holds(const int32_t *v, int32_t n, int32_t id)
{
    for (int32_t i = 0; i < n; i++)
        if (v[i] == id)
            return true;
    return false;
}

/* At least one replica, none twice, the in-sync ones among them. */
static bool replicas_valid(const struct catalog_partition *p)
{
    if (p->replica_count < 1)
        return false;
    for (int32_t i = 0; i < p->replica_count; i++)
        if (p->replicas[i] < 0 || holds(p->replicas, i, p->replicas[i]))
            return false;
    for (int32_t i = 0; i < p->isr_count; i++)
        if (!holds(p->replicas, p->replica_count, p->isr[i]) || holds(p->isr, i, p->isr[i]))
            return false;
    return true;
}

static bool topic_valid(const struct catalog_topic *t)
{
    if (!catalog_topic_name_valid(t->name) || uuid_is_zero(t->id) || t->partition_count < 1)
        return false;
    for (int32_t i = 0; i < t->partition_count; i++)
        if (!replicas_valid(&t->partitions[i]))
            return false;
    for (int32_t i = 0; i < t->config_count; i++)
        if (t->configs[i].name.n == 0 ||
            (i > 0 && slice_eq(t->configs[i].name, t->configs[i - 1].name)))
            return false;
    return true;
}

/* The message as a topic; its texts stay where they are. False without memory. */
static bool topic_of(struct apply *a, const struct catalog_create_topic *m, struct catalog_topic *t)
{
    struct catalog_partition *p = arena_array(&a->arena, (size_t)m->partitions.n, sizeof *p);
    struct catalog_config *c = arena_array(&a->arena, (size_t)m->configs.n, sizeof *c);

    if (!p || !c)
        return false;
    *t = (struct catalog_topic){
        m->name, m->topic_id, p, m->partitions.n, c, m->configs.n,
    };
    for (int32_t i = 0; i < m->partitions.n; i++) {
        const struct catalog_create_topic_partition *from = &m->partitions.v[i];
        p[i] = (struct catalog_partition){
            .id = i,
            .leader = from->leader,
            .leader_epoch = from->leader_epoch,
            .partition_epoch = from->partition_epoch,
            .replicas = from->replicas.v,
            .replica_count = from->replicas.n,
            .isr = from->isr.v,
            .isr_count = from->isr.n,
            .directory_id = from->directory_id,
        };
    }
    for (int32_t i = 0; i < m->configs.n; i++)
        c[i] = (struct catalog_config){m->configs.v[i].name, m->configs.v[i].value};
    qsort(c, (size_t)m->configs.n, sizeof *c, order_configs);
    return true;
}

static void write_ids(struct buf *b, const int32_t *v, int32_t n)
{
    buf_clear(b);
    for (int32_t i = 0; i < n; i++)
        buf_printf(b, "%s%d", i ? "," : "", v[i]);
}

/* Those from number from on. */
static int insert_partitions(struct apply *a, const struct catalog_topic *t, int32_t from)
{
    struct buf replicas = {0}, isr = {0};
    int rc = 0;

    for (int32_t i = from; rc == 0 && i < t->partition_count; i++) {
        const struct catalog_partition *p = &t->partitions[i];
        sqlite3_stmt *st = store_statement(a->s, STORE_ADD_PARTITION, a->e);
        write_ids(&replicas, p->replicas, p->replica_count);
        write_ids(&isr, p->isr, p->isr_count);
        if (!st || replicas.failed || isr.failed) {
            rc = st ? kerr_set(a->e, KE_NOMEM, "add partition %d", i)
                    : store_error(a->s, "add a partition", a->e);
            break;
        }
        store_bind_uuid(st, 1, t->id);
        sqlite3_bind_int(st, 2, i);
        sqlite3_bind_int(st, 3, p->leader);
        sqlite3_bind_int(st, 4, p->leader_epoch);
        sqlite3_bind_int(st, 5, p->partition_epoch);
        store_bind_text(st, 6, buf_slice(&replicas));
        store_bind_text(st, 7, buf_slice(&isr));
        store_bind_uuid(st, 8, p->directory_id);
        rc = store_step(a->s, st, a->e);
    }
    buf_free(&replicas);
    buf_free(&isr);
    return rc;
}

static int insert_topic(struct apply *a, const struct catalog_topic *t)
{
    sqlite3_stmt *st = store_statement(a->s, STORE_ADD_TOPIC, a->e);
    int rc;

    if (!st)
        return store_error(a->s, "add a topic", a->e);
    store_bind_uuid(st, 1, t->id);
    store_bind_text(st, 2, t->name);
    sqlite3_bind_int64(st, 3, a->cmd.wall_ms);
    rc = store_step(a->s, st, a->e);
    for (int32_t i = 0; rc == 0 && i < t->config_count; i++) {
        st = store_statement(a->s, STORE_ADD_CONFIG, a->e);
        if (!st)
            return store_error(a->s, "add a config", a->e);
        store_bind_uuid(st, 1, t->id);
        store_bind_text(st, 2, t->configs[i].name);
        store_bind_text(st, 3, t->configs[i].value);
        rc = store_step(a->s, st, a->e);
    }
    return rc < 0 ? rc : insert_partitions(a, t, 0);
}

static int create_topic(struct apply *a, struct wire_reader *r, int16_t version)
{
    struct catalog_create_topic m;
    struct catalog_topic t;
    int rc = finish_body(catalog_create_topic_decode(&m, r, version), r);

    if (rc < 0)
        return unreadable(a, rc);
    if (!topic_of(a, &m, &t))
        return kerr_set(a->e, KE_NOMEM, "create a topic");
    if (!topic_valid(&t))
        return refuse(a, CATALOG_INVALID);
    if (edit_topic_by_name(a->ed, t.name) || edit_topic_by_id(a->ed, t.id))
        return refuse(a, CATALOG_TOPIC_EXISTS);
    if (!edit_add(a->ed, &t))
        return kerr_set(a->e, KE_NOMEM, "create a topic");
    return insert_topic(a, &t);
}

static int delete_topic(struct apply *a, struct wire_reader *r, int16_t version)
{
    static const enum store_statement drop[] = {STORE_DROP_TOPIC, STORE_DROP_PARTITIONS,
                                                STORE_DROP_CONFIGS};
    struct catalog_delete_topic m;
    const struct catalog_topic *t;
    int rc = finish_body(catalog_delete_topic_decode(&m, r, version), r);

    if (rc < 0)
        return unreadable(a, rc);
    t = edit_topic_by_id(a->ed, m.topic_id);
    if (!t)
        return refuse(a, CATALOG_NO_SUCH_TOPIC);
    if (!edit_remove(a->ed, t))
        return kerr_set(a->e, KE_NOMEM, "delete a topic");
    for (size_t i = 0; rc == 0 && i < sizeof drop / sizeof drop[0]; i++) {
        sqlite3_stmt *st = store_statement(a->s, drop[i], a->e);
        if (!st)
            return store_error(a->s, "delete a topic", a->e);
        store_bind_uuid(st, 1, m.topic_id);
        rc = store_step(a->s, st, a->e);
    }
    return rc;
}

/* The topic with the new partitions behind its own; false without memory. */
static bool grown(struct apply *a, const struct catalog_topic *old,
                  const struct catalog_create_partitions *m, struct catalog_topic *t)
{
    struct catalog_partition *p =
        arena_array(&a->arena, (size_t)old->partition_count + (size_t)m->partitions.n, sizeof *p);

    if (!p)
        return false;
    memcpy(p, old->partitions, (size_t)old->partition_count * sizeof *p);
    for (int32_t i = 0; i < m->partitions.n; i++) {
        const struct catalog_create_partitions_partition *from = &m->partitions.v[i];
        p[old->partition_count + i] = (struct catalog_partition){
            .leader = from->leader,
            .leader_epoch = from->leader_epoch,
            .partition_epoch = from->partition_epoch,
            .replicas = from->replicas.v,
            .replica_count = from->replicas.n,
            .isr = from->isr.v,
            .isr_count = from->isr.n,
            .directory_id = from->directory_id,
        };
    }
    *t = *old;
    t->partitions = p;
    t->partition_count += m->partitions.n;
    return true;
}

static int create_partitions(struct apply *a, struct wire_reader *r, int16_t version)
{
    struct catalog_create_partitions m;
    const struct catalog_topic *old;
    struct catalog_topic t;
    int rc = finish_body(catalog_create_partitions_decode(&m, r, version), r);

    if (rc < 0)
        return unreadable(a, rc);
    old = edit_topic_by_id(a->ed, m.topic_id);
    if (!old)
        return refuse(a, CATALOG_NO_SUCH_TOPIC);
    if (m.partitions.n < 1 || m.count > old->partition_count ||
        m.partitions.n > INT32_MAX - old->partition_count)
        return refuse(a, CATALOG_INVALID);
    if (m.count != old->partition_count)
        return refuse(a, CATALOG_PARTITIONS_EXIST);
    if (!grown(a, old, &m, &t))
        return kerr_set(a->e, KE_NOMEM, "create partitions");
    if (!topic_valid(&t))
        return refuse(a, CATALOG_INVALID);
    if (!edit_replace(a->ed, old, &t))
        return kerr_set(a->e, KE_NOMEM, "create partitions");
    return insert_partitions(a, &t, m.count);
}

/* ---- settings ---- */

struct settings {
    struct catalog_config *v; /* sorted */
    int32_t n;
};

static const struct catalog_config *find_config(const struct settings *s, struct slice name)
{
    for (int32_t i = 0; i < s->n; i++)
        if (slice_eq(s->v[i].name, name))
            return &s->v[i];
    return NULL;
}

static bool named(const struct catalog_alter_configs *m, struct slice name)
{
    for (int32_t i = 0; i < m->changes.n; i++)
        if (slice_eq(m->changes.v[i].name, name))
            return true;
    return false;
}

/* CATALOG_DONE, or why not: a name that is none or there twice, or a value that was another. */
static enum catalog_result changes_valid(const struct settings *old,
                                         const struct catalog_alter_configs *m)
{
    for (int32_t i = 0; i < m->changes.n; i++) {
        const struct catalog_alter_configs_change *c = &m->changes.v[i];
        const struct catalog_config *have = find_config(old, c->name);
        if (c->name.n == 0)
            return CATALOG_INVALID;
        for (int32_t k = 0; k < i; k++)
            if (slice_eq(m->changes.v[k].name, c->name))
                return CATALOG_INVALID;
        if (c->checked && (have ? slice_is_null(c->was) || !slice_eq(have->value, c->was)
                                : !slice_is_null(c->was)))
            return CATALOG_CONFLICT;
    }
    return CATALOG_DONE;
}

/* What old becomes; false without memory. */
static bool changed_settings(struct apply *a, const struct settings *old,
                             const struct catalog_alter_configs *m, struct settings *out)
{
    out->n = 0;
    out->v = arena_array(&a->arena, (size_t)old->n + (size_t)m->changes.n, sizeof *out->v);
    if (!out->v)
        return false;
    for (int32_t i = 0; i < old->n; i++)
        if (!m->replace && !named(m, old->v[i].name))
            out->v[out->n++] = old->v[i];
    for (int32_t i = 0; i < m->changes.n; i++)
        if (!slice_is_null(m->changes.v[i].value))
            out->v[out->n++] = (struct catalog_config){m->changes.v[i].name, m->changes.v[i].value};
    qsort(out->v, (size_t)out->n, sizeof *out->v, order_configs);
    return true;
}

/* The rows of one owner, a topic's id or a broker, are written anew. */
static int write_settings(struct apply *a, enum store_statement drop, enum store_statement add,
                          struct slice owner, const struct settings *s)
{
    sqlite3_stmt *st = store_statement(a->s, drop, a->e);
    int rc;

    if (!st)
        return store_error(a->s, "drop configs", a->e);
    store_bind_text(st, 1, owner);
    rc = store_step(a->s, st, a->e);
    for (int32_t i = 0; rc == 0 && i < s->n; i++) {
        st = store_statement(a->s, add, a->e);
        if (!st)
            return store_error(a->s, "add a config", a->e);
        store_bind_text(st, 1, owner);
        store_bind_text(st, 2, s->v[i].name);
        store_bind_text(st, 3, s->v[i].value);
        rc = store_step(a->s, st, a->e);
    }
    return rc;
}

static int alter_topic(struct apply *a, const struct catalog_alter_configs *m)
{
    const struct catalog_topic *old = edit_topic_by_id(a->ed, m->topic_id);
    char id[UUID_TEXT];
    struct catalog_topic t;
    struct settings have, want;
    enum catalog_result why;

    if (!old)
        return refuse(a, CATALOG_NO_SUCH_TOPIC);
    have = (struct settings){(struct catalog_config *)(uintptr_t)old->configs, old->config_count};
    why = changes_valid(&have, m);
    if (why != CATALOG_DONE)
        return refuse(a, why);
    if (!changed_settings(a, &have, m, &want))
        return kerr_set(a->e, KE_NOMEM, "alter configs");
    t = *old;
    t.configs = want.v;
    t.config_count = want.n;
    if (!edit_replace(a->ed, old, &t))
        return kerr_set(a->e, KE_NOMEM, "alter configs");
    return write_settings(a, STORE_DROP_CONFIGS, STORE_ADD_CONFIG,
                          slice_str(uuid_format(m->topic_id, id)), &want);
}

static int order_broker_configs(const void *x, const void *y)
{
    const struct catalog_broker_config *a = x, *b = y;
    int c = slice_cmp(a->broker, b->broker);

    return c ? c : slice_cmp(a->name, b->name);
}

/* All brokers' settings with those of one exchanged; false without memory. */
static bool exchange_settings(struct apply *a, struct slice broker, const struct settings *want)
{
    int32_t count, n = 0;
    const struct catalog_broker_config *all = edit_broker_configs(a->ed, &count);
    struct catalog_broker_config *v =
        arena_array(&a->arena, (size_t)count + (size_t)want->n, sizeof *v);

    if (!v)
        return false;
    for (int32_t i = 0; i < count; i++)
        if (!slice_eq(all[i].broker, broker))
            v[n++] = all[i];
    for (int32_t i = 0; i < want->n; i++)
        v[n++] = (struct catalog_broker_config){broker, want->v[i].name, want->v[i].value};
    qsort(v, (size_t)n, sizeof *v, order_broker_configs);
    return edit_set_broker_configs(a->ed, v, n);
}

static int alter_broker(struct apply *a, const struct catalog_alter_configs *m)
{
    int32_t count;
    const struct catalog_broker_config *all = edit_broker_configs(a->ed, &count);
    struct settings have = {arena_array(&a->arena, (size_t)count, sizeof *have.v), 0}, want;
    enum catalog_result why;

    if (!have.v)
        return kerr_set(a->e, KE_NOMEM, "alter configs");
    for (int32_t i = 0; i < count; i++)
        if (slice_eq(all[i].broker, m->broker))
            have.v[have.n++] = (struct catalog_config){all[i].name, all[i].value};
    why = changes_valid(&have, m);
    if (why != CATALOG_DONE)
        return refuse(a, why);
    if (!changed_settings(a, &have, m, &want) || !exchange_settings(a, m->broker, &want))
        return kerr_set(a->e, KE_NOMEM, "alter configs");
    return write_settings(a, STORE_DROP_BROKER_CONFIGS, STORE_ADD_BROKER_CONFIG, m->broker, &want);
}

static int alter_configs(struct apply *a, struct wire_reader *r, int16_t version)
{
    struct catalog_alter_configs m;
    int rc = finish_body(catalog_alter_configs_decode(&m, r, version), r);

    if (rc < 0)
        return unreadable(a, rc);
    return uuid_is_zero(m.topic_id) ? alter_broker(a, &m) : alter_topic(a, &m);
}

static int give_producer_ids(struct apply *a, struct wire_reader *r, int16_t version)
{
    struct catalog_producer_ids m;
    sqlite3_stmt *st;
    int rc = finish_body(catalog_producer_ids_decode(&m, r, version), r);

    if (rc < 0)
        return unreadable(a, rc);
    if (m.count < 1 || a->ed->next_producer_id > INT64_MAX - m.count)
        return refuse(a, CATALOG_INVALID);
    st = store_statement(a->s, STORE_SET_PRODUCER_IDS, a->e);
    if (!st)
        return store_error(a->s, "give producer ids", a->e);
    a->out->value = a->ed->next_producer_id;
    a->ed->next_producer_id += m.count;
    sqlite3_bind_int64(st, 1, a->ed->next_producer_id);
    return store_step(a->s, st, a->e);
}

static change_fn change_of(int16_t kind)
{
    switch (kind) {
    case CATALOG_KIND_CLUSTER_ID:
        return set_cluster_id;
    case CATALOG_KIND_CREATE_TOPIC:
        return create_topic;
    case CATALOG_KIND_DELETE_TOPIC:
        return delete_topic;
    case CATALOG_KIND_PRODUCER_IDS:
        return give_producer_ids;
    case CATALOG_KIND_CREATE_PARTITIONS:
        return create_partitions;
    case CATALOG_KIND_ALTER_CONFIGS:
        return alter_configs;
    default:
        return NULL;
    }
}

/* ---- the command -------------------------------------------------------------------------------
 */

/* All changes or, when one is refused or cannot be read, none. */
static int apply_changes(struct apply *a)
{
    struct edit_mark mark = edit_mark(a->ed);
    int rc = store_run(a->s, STORE_SAVEPOINT, a->e);

    for (int32_t i = 0; rc == 0 && i < a->cmd.changes.n; i++) {
        const struct catalog_command_change *c = &a->cmd.changes.v[i];
        change_fn fn = change_of(c->kind);
        struct wire_reader r;
        wire_reader_init(&r, c->body, &a->arena);
        rc = fn ? fn(a, &r, c->version) : unreadable(a, KE_UNSUPPORTED);
        if (a->out->err || a->out->result != CATALOG_DONE)
            break;
    }
    if (rc == 0 && (a->out->err || a->out->result != CATALOG_DONE)) {
        edit_undo(a->ed, &mark);
        a->out->value = 0;
        rc = store_run(a->s, STORE_UNDO, a->e);
    }
    return rc < 0 ? rc : store_run(a->s, STORE_RELEASE, a->e);
}

/* 1 when the command was applied before: out has that answer. */
static int find_proposal(struct apply *a)
{
    sqlite3_stmt *st = store_statement(a->s, STORE_FIND_PROPOSAL, a->e);
    int rc;

    if (!st)
        return store_error(a->s, "find a proposal", a->e);
    store_bind_uuid(st, 1, a->cmd.proposer);
    sqlite3_bind_int64(st, 2, a->cmd.seq);
    rc = store_step(a->s, st, a->e);
    if (rc == 1) {
        a->out->index = sqlite3_column_int64(st, 0);
        a->out->result = (enum catalog_result)sqlite3_column_int(st, 1);
        a->out->value = sqlite3_column_int64(st, 2);
        sqlite3_reset(st);
    }
    return rc;
}

static int remember_proposal(struct apply *a, int64_t index)
{
    sqlite3_stmt *st = store_statement(a->s, STORE_ADD_PROPOSAL, a->e);

    if (!st)
        return store_error(a->s, "remember a proposal", a->e);
    sqlite3_bind_int64(st, 1, index);
    store_bind_uuid(st, 2, a->cmd.proposer);
    sqlite3_bind_int64(st, 3, a->cmd.seq);
    sqlite3_bind_int(st, 4, (int)a->out->result);
    sqlite3_bind_int64(st, 5, a->out->value);
    return store_step(a->s, st, a->e);
}

static int forget_proposals(struct apply *a, int64_t index)
{
    sqlite3_stmt *st = store_statement(a->s, STORE_DROP_PROPOSALS, a->e);

    if (!st)
        return store_error(a->s, "forget proposals", a->e);
    sqlite3_bind_int64(st, 1, index - APPLY_REMEMBERED);
    return store_step(a->s, st, a->e);
}

/* See catalog.h for what this hash is worth. */
static void chain(uint8_t hash[CATALOG_HASH], struct slice cmd)
{
    uint64_t k0 = get_be64(hash), k1 = get_be64(hash + 8);

    put_be64(hash, siphash(cmd, k0, k1));
    put_be64(hash + 8, siphash(cmd, ~k0, ~k1));
}

/* The update finds its row only if the file is at the index before: nobody else wrote to it. */
static int step_index(struct apply *a, int64_t index, struct slice bytes)
{
    sqlite3_stmt *st = store_statement(a->s, STORE_SET_META, a->e);
    int rc;

    if (!st)
        return store_error(a->s, "step the index", a->e);
    chain(a->ed->hash, bytes);
    a->ed->index = index;
    sqlite3_bind_int64(st, 1, index);
    sqlite3_bind_blob(st, 2, a->ed->hash, CATALOG_HASH, SQLITE_TRANSIENT);
    rc = store_step(a->s, st, a->e);
    if (rc == 0 && sqlite3_changes(a->s->db) != 1)
        rc = kerr_set(a->e, KE_CORRUPT, "somebody else has written to the catalog");
    return rc;
}

static int apply_new(struct apply *a, int64_t index, struct slice bytes)
{
    int rc = find_proposal(a);

    if (rc == 0) {
        rc = apply_changes(a);
        if (rc < 0 || a->out->err)
            return rc;
        rc = remember_proposal(a, index);
    }
    if (rc >= 0)
        rc = forget_proposals(a, index);
    return rc < 0 ? rc : step_index(a, index, bytes);
}

int catalog_apply(struct store *s, struct edit *ed, int64_t index, struct slice cmd,
                  struct applied *out, struct kerr *e)
{
    struct apply a = {.s = s, .ed = ed, .out = out, .e = e};
    struct wire_reader r;
    int rc;

    *out = (struct applied){.index = index, .result = CATALOG_DONE};
    if (index <= ed->index)
        return 0;
    if (index != ed->index + 1)
        return kerr_set(e, KE_INVALID, "command %lld after %lld", (long long)index,
                        (long long)ed->index);
    if (cmd.n < 2)
        return unreadable(&a, KE_CORRUPT);
    wire_reader_init(&r, slice_of(cmd.p + 2, cmd.n - 2), &a.arena);
    rc = finish_body(catalog_command_decode(&a.cmd, &r, (int16_t)get_be16(cmd.p)), &r);
    rc = rc < 0 ? unreadable(&a, rc) : apply_new(&a, index, cmd);
    arena_free(&a.arena);
    return rc;
}
