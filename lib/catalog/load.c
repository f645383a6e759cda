/* store_load: from the tables to an image. What is read is believed no more than a peer's bytes. */
#include "base/arena.h"
#include "catalog/edit.h"
#include "catalog/store.h"

struct loader {
    struct store *s;
    struct edit edit;
    struct arena arena; /* of one topic */
    sqlite3_stmt *topics, *partitions, *configs;
    struct kerr *e;
};

static struct slice column(sqlite3_stmt *st, int i)
{
    const void *p = sqlite3_column_text(st, i);

    return slice_of(p ? p : "", (size_t)sqlite3_column_bytes(st, i));
}

static bool column_int32(sqlite3_stmt *st, int i, int32_t *out)
{
    int64_t v = sqlite3_column_int64(st, i);

    *out = (int32_t)v;
    return v == *out;
}

/* "1,2,3": how replica ids are written. */
static int parse_ids(struct loader *l, struct slice text, const int32_t **out, int32_t *count)
{
    int32_t *ids = arena_array(&l->arena, text.n / 2 + 1, sizeof *ids);
    size_t i = 0;

    *count = 0;
    *out = ids;
    if (!ids)
        return kerr_set(l->e, KE_NOMEM, "read the catalog");
    while (i < text.n) {
        int64_t v = 0;
        size_t digits = 0;
        for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9' && v <= INT32_MAX; i++, digits++)
            v = v * 10 + (text.p[i] - '0');
        if (digits == 0 || v > INT32_MAX || (i < text.n && (text.p[i] != ',' || i + 1 == text.n)))
            return kerr_set(l->e, KE_CORRUPT, "a list of replicas is no list of numbers");
        ids[(*count)++] = (int32_t)v;
        i++;
    }
    return 0;
}

static int query(struct loader *l, sqlite3_stmt **st, const char *sql)
{
    if (sqlite3_prepare_v2(l->s->db, sql, -1, st, NULL) != SQLITE_OK)
        return store_error(l->s, sql, l->e);
    return 0;
}

/* How many rows there are for a topic; then the statement stands before the first one again. */
static int count_rows(struct loader *l, sqlite3_stmt *st, struct slice topic, int32_t *n)
{
    int rc;

    sqlite3_reset(st);
    store_bind_text(st, 1, topic);
    for (*n = 0; (rc = store_step(l->s, st, l->e)) == 1;)
        if (++*n == INT32_MAX)
            return kerr_set(l->e, KE_CORRUPT, "too many rows");
    return rc;
}

static int load_partition(struct loader *l, struct catalog_partition *p, int32_t want)
{
    sqlite3_stmt *st = l->partitions;
    int rc;

    if (!column_int32(st, 0, &p->id) || !column_int32(st, 1, &p->leader) ||
        !column_int32(st, 2, &p->leader_epoch) || !column_int32(st, 3, &p->partition_epoch) ||
        !uuid_parse(column(st, 6), &p->directory_id))
        return kerr_set(l->e, KE_CORRUPT, "partition %d has a value out of range", want);
    if (p->id != want)
        return kerr_set(l->e, KE_CORRUPT, "partition %d is missing", want);
    rc = parse_ids(l, column(st, 4), &p->replicas, &p->replica_count);
    return rc < 0 ? rc : parse_ids(l, column(st, 5), &p->isr, &p->isr_count);
}

static int load_partitions(struct loader *l, struct catalog_topic *t, struct slice id)
{
    struct catalog_partition *p;
    int rc = count_rows(l, l->partitions, id, &t->partition_count);

    if (rc < 0)
        return rc;
    if (t->partition_count == 0)
        return kerr_set(l->e, KE_CORRUPT, "no partitions");
    p = arena_array(&l->arena, (size_t)t->partition_count, sizeof *p);
    if (!p)
        return kerr_set(l->e, KE_NOMEM, "read the catalog");
    t->partitions = p;
    for (int32_t i = 0; rc == 0 && i < t->partition_count; i++) {
        rc = store_step(l->s, l->partitions, l->e);
        if (rc == 1)
            rc = load_partition(l, &p[i], i);
    }
    return rc;
}

static int load_configs(struct loader *l, struct catalog_topic *t, struct slice id)
{
    struct catalog_config *c;
    bool ok = true;
    int rc = count_rows(l, l->configs, id, &t->config_count);

    if (rc < 0)
        return rc;
    c = arena_array(&l->arena, (size_t)t->config_count, sizeof *c);
    if (!c)
        return kerr_set(l->e, KE_NOMEM, "read the catalog");
    t->configs = c;
    for (int32_t i = 0; i < t->config_count; i++) {
        rc = store_step(l->s, l->configs, l->e);
        if (rc < 0)
            return rc;
        c[i].name = arena_dup(&l->arena, column(l->configs, 0), &ok);
        c[i].value = arena_dup(&l->arena, column(l->configs, 1), &ok);
    }
    return ok ? 0 : kerr_set(l->e, KE_NOMEM, "read the catalog");
}

static int load_topic(struct loader *l)
{
    struct catalog_topic t = {0};
    struct slice id = column(l->topics, 0);
    int rc;

    t.name = column(l->topics, 1);
    if (!catalog_topic_name_valid(t.name))
        return kerr_set(l->e, KE_CORRUPT, "a topic has a name that none can have");
    if (!uuid_parse(id, &t.id))
        return kerr_set(l->e, KE_CORRUPT, "topic %.*s has no valid id", (int)t.name.n, t.name.p);
    rc = load_partitions(l, &t, id);
    if (rc == 0)
        rc = load_configs(l, &t, id);
    if (rc < 0)
        return kerr_ctx(l->e, rc, "topic %.*s", (int)t.name.n, t.name.p);
    if (!edit_add(&l->edit, &t))
        return kerr_set(l->e, KE_NOMEM, "read the catalog");
    arena_reset(&l->arena);
    return 0;
}

static int load_topics(struct loader *l)
{
    int rc = query(l, &l->topics, "SELECT id, name FROM topics ORDER BY name");

    if (rc == 0)
        rc = query(l, &l->partitions,
                   "SELECT partition, leader, leader_epoch, partition_epoch, replicas, isr, "
                   "directory FROM partitions WHERE topic = ?1 ORDER BY partition");
    if (rc == 0)
        rc =
            query(l, &l->configs, "SELECT name, value FROM configs WHERE topic = ?1 ORDER BY name");
    while (rc == 0 && (rc = store_step(l->s, l->topics, l->e)) == 1)
        rc = load_topic(l);
    return rc;
}

static int load_broker_config(struct loader *l, sqlite3_stmt *st, struct catalog_broker_config *c)
{
    bool ok = true;

    c->broker = arena_dup(&l->arena, column(st, 0), &ok);
    c->name = arena_dup(&l->arena, column(st, 1), &ok);
    c->value = arena_dup(&l->arena, column(st, 2), &ok);
    return ok ? 0 : kerr_set(l->e, KE_NOMEM, "read the catalog");
}

/* All brokers' settings, in their order. */
static int load_broker_configs(struct loader *l)
{
    struct catalog_broker_config *v;
    sqlite3_stmt *st = NULL;
    int32_t n = 0;
    int rc = query(l, &st, "SELECT broker, name, value FROM broker_configs ORDER BY broker, name");

    if (rc == 0)
        while ((rc = store_step(l->s, st, l->e)) == 1)
            n++;
    v = arena_array(&l->arena, (size_t)n, sizeof *v);
    if (rc == 0 && !v)
        rc = kerr_set(l->e, KE_NOMEM, "read the catalog");
    for (int32_t i = 0; rc == 0 && i < n; i++) {
        rc = store_step(l->s, st, l->e);
        rc = rc < 0 ? rc : load_broker_config(l, st, &v[i]);
    }
    sqlite3_finalize(st);
    if (rc == 0 && n > 0 && !edit_set_broker_configs(&l->edit, v, n))
        rc = kerr_set(l->e, KE_NOMEM, "read the catalog");
    arena_reset(&l->arena);
    return rc;
}

static int load_scalars(struct loader *l)
{
    sqlite3_stmt *st = NULL;
    int rc = query(l, &st,
                   "SELECT applied, hash, id, next FROM meta, cluster, producer_ids "
                   "WHERE meta.one = 1 AND cluster.one = 1 AND producer_ids.one = 1");

    if (rc == 0)
        rc = store_step(l->s, st, l->e);
    if (rc == 1) {
        l->edit.index = sqlite3_column_int64(st, 0);
        l->edit.next_producer_id = sqlite3_column_int64(st, 3);
        rc = l->edit.index >= 0 && l->edit.next_producer_id >= 0 &&
                     sqlite3_column_bytes(st, 1) == CATALOG_HASH &&
                     uuid_parse(column(st, 2), &l->edit.cluster_id)
                 ? 0
                 : kerr_set(l->e, KE_CORRUPT, "meta, cluster or producer_ids: impossible value");
        if (rc == 0)
            memcpy(l->edit.hash, sqlite3_column_blob(st, 1), CATALOG_HASH);
    } else if (rc == 0) {
        rc = kerr_set(l->e, KE_CORRUPT, "meta, cluster or producer_ids: no row");
    }
    sqlite3_finalize(st);
    return rc;
}

int store_load(struct store *s, const struct catalog_image **out, struct kerr *e)
{
    const struct catalog_image *empty = image_empty();
    struct loader l = {.s = s, .e = e};
    int rc;

    *out = NULL;
    if (!empty)
        return kerr_set(e, KE_NOMEM, "read the catalog");
    edit_init(&l.edit, empty);
    rc = load_scalars(&l);
    if (rc == 0)
        rc = load_broker_configs(&l);
    if (rc == 0)
        rc = load_topics(&l);
    if (rc == 0 && !(*out = edit_build(&l.edit)))
        rc = kerr_set(e, KE_NOMEM, "read the catalog");
    sqlite3_finalize(l.topics);
    sqlite3_finalize(l.partitions);
    sqlite3_finalize(l.configs);
    arena_free(&l.arena);
    edit_free(&l.edit);
    catalog_image_release(empty);
    return rc;
}
