/*
 * AlterConfigs, which says all that a topic or a broker is to have, and IncrementalAlterConfigs
 * (KIP-339), which says what is to change. A resource is changed wholly or not at all, by one
 * catalog command (levels of loggers: at once); what a change to a list started from is checked by
 * it again.
 */
#include "broker/config_target.h"
#include "broker/dispatch.h"
#include "broker/propose.h"
#include "broker/settings.h"
#include "wire/alter_configs_request.h"
#include "wire/alter_configs_response.h"
#include "wire/error.h"
#include "wire/incremental_alter_configs_request.h"
#include "wire/incremental_alter_configs_response.h"

#include <stdlib.h>

/* Kafka's AlterConfigOp. */
enum config_op { OP_SET, OP_REMOVE, OP_APPEND, OP_SUBTRACT };

struct change {
    struct slice name, value;
    int8_t op;
};

/* One resource of the request. */
struct altered {
    int8_t type;
    struct slice name;
    struct change *changes;
    int32_t change_count;
    bool repeated;
    int16_t error;
    struct slice message;
};

struct alteration {
    struct round round;
    bool incremental, validate_only;
    struct altered *v;
    int32_t n;
};

/* ---- the answer ---- */

static int encode_plain(struct alteration *a, struct buf *b)
{
    struct alter_configs_response m;

    alter_configs_response_init(&m);
    m.responses.v = arena_array(&a->round.r->arena, (size_t)a->n, sizeof *m.responses.v);
    m.responses.n = a->n;
    for (int32_t i = 0; m.responses.v && i < a->n; i++) {
        struct alter_configs_response_alter_configs_resource_response *o = &m.responses.v[i];
        alter_configs_response_alter_configs_resource_response_init(o);
        o->error_code = a->v[i].error;
        o->error_message = a->v[i].message;
        o->resource_type = a->v[i].type;
        o->resource_name = a->v[i].name;
    }
    return m.responses.v ? alter_configs_response_encode(&m, b, a->round.r->version) : KE_NOMEM;
}

static int encode_incremental(struct alteration *a, struct buf *b)
{
    struct incremental_alter_configs_response m;

    incremental_alter_configs_response_init(&m);
    m.responses.v = arena_array(&a->round.r->arena, (size_t)a->n, sizeof *m.responses.v);
    m.responses.n = a->n;
    for (int32_t i = 0; m.responses.v && i < a->n; i++) {
        struct incremental_alter_configs_response_alter_configs_resource_response *o =
            &m.responses.v[i];
        incremental_alter_configs_response_alter_configs_resource_response_init(o);
        o->error_code = a->v[i].error;
        o->error_message = a->v[i].message;
        o->resource_type = a->v[i].type;
        o->resource_name = a->v[i].name;
    }
    return m.responses.v ? incremental_alter_configs_response_encode(&m, b, a->round.r->version)
                         : KE_NOMEM;
}

static int encode(struct round *d, struct buf *b)
{
    struct alteration *a = (struct alteration *)d;

    for (int32_t i = 0; i < a->n; i++)
        if (a->v[i].error) {
            d->r->failed = true;
            if (!a->v[i].message.p)
                a->v[i].message = slice_str(wire_error_text(a->v[i].error));
        }
    return a->incremental ? encode_incremental(a, b) : encode_plain(a, b);
}

/* ---- what is asked for, checked ---- */

struct work {
    struct alteration *a;
    struct altered *res;
    const struct catalog_image *image;
    struct config_target target;
    struct catalog_config_change *out;
    int32_t out_count;
};

/* fmt takes one string. */
static int16_t refuse(struct work *w, int16_t error, const char *fmt, struct slice what)
{
    struct buf text = {0};
    bool ok = true;

    buf_printf(&text, fmt, (int)(what.n < 256 ? what.n : 256), (const char *)what.p);
    w->res->message = arena_dup(&w->a->round.r->arena, buf_slice(&text), &ok);
    buf_free(&text);
    return error;
}

/* What the resource has of its own; null: nothing. */
static struct slice present_value(const struct work *w, struct slice name)
{
    const struct catalog_topic *t = w->target.topic;

    if (!t)
        return catalog_broker_value(w->image, w->target.broker, name);
    for (int32_t i = 0; i < t->config_count; i++)
        if (slice_eq(t->configs[i].name, name))
            return t->configs[i].value;
    return (struct slice){NULL, 0};
}

/* The value from which a list is changed: the resource's own, else what acts without it. */
static struct slice list_base(const struct work *w, const struct config_key *k)
{
    struct slice own = present_value(w, slice_str(w->target.topic ? k->topic : k->broker));

    if (own.p)
        return own;
    return setting_of(w->a->round.r->broker, w->image, w->target.topic, k, &w->a->round.r->arena)
        .value;
}

static bool has_item(struct slice list, struct slice item)
{
    struct slice s;

    for (size_t at = 0; config_list_next(list, &at, &s);)
        if (slice_eq(s, item))
            return true;
    return false;
}

static void put_item(struct buf *b, struct slice item)
{
    if (b->n > 0)
        buf_put_u8(b, ',');
    buf_put_slice(b, item);
}

static bool list_changed(const struct work *w, const struct config_key *k, const struct change *c,
                         struct slice *out)
{
    struct slice base = list_base(w, k), item;
    struct buf b = {0};
    bool ok = true;

    for (size_t at = 0; config_list_next(base, &at, &item);)
        if (c->op == OP_APPEND || !has_item(c->value, item))
            put_item(&b, item);
    for (size_t at = 0; c->op == OP_APPEND && config_list_next(c->value, &at, &item);)
        if (!has_item(base, item))
            put_item(&b, item);
    ok = !b.failed;
    *out = arena_dup(&w->a->round.r->arena, b.n ? buf_slice(&b) : slice_str(""), &ok);
    buf_free(&b);
    return ok;
}

/* The key of a change that sets something; NULL with *error. */
static const struct config_key *find_key(struct work *w, const struct change *c, int16_t *error)
{
    const struct config_key *k =
        w->target.topic ? config_find_topic(c->name) : config_find_broker(c->name);

    if (!k) {
        *error = refuse(w, KAFKA_INVALID_CONFIG, "there is no configuration '%.*s'", c->name);
        return NULL;
    }
    if (!w->target.topic && !config_is_dynamic(k)) {
        *error = refuse(w, KAFKA_INVALID_REQUEST,
                        "'%.*s' can only be changed in the file, and with a restart", c->name);
        return NULL;
    }
    return k;
}

static int16_t check_change(struct work *w, const struct change *c)
{
    struct catalog_config_change *o = &w->out[w->out_count++];
    const struct config_key *k;
    struct kerr e = {0};
    int16_t error = 0;
    bool ok = true;

    *o = (struct catalog_config_change){.name = c->name};
    if (c->op == OP_REMOVE) {
        w->out_count -= slice_is_null(present_value(w, c->name)); /* there is nothing to remove */
        return 0;
    }
    k = find_key(w, c, &error);
    if (!k)
        return error;
    if (c->op < OP_SET || c->op > OP_SUBTRACT)
        return refuse(w, KAFKA_INVALID_REQUEST, "%.*s: no such operation", c->name);
    if (slice_is_null(c->value))
        return refuse(w, KAFKA_INVALID_REQUEST, "%.*s: no value is given", c->name);
    if (c->op != OP_SET && k->type != CONFIG_LIST)
        return refuse(w, KAFKA_INVALID_CONFIG, "%.*s is no list", c->name);
    o->value = c->value;
    if (c->op != OP_SET) {
        ok = list_changed(w, k, c, &o->value);
        o->checked = true;
        o->was = present_value(w, c->name);
    }
    if (!ok)
        return KAFKA_UNKNOWN_SERVER_ERROR;
    if (config_check(k, w->target.topic ? k->topic : k->broker, o->value, &e) < 0)
        return refuse(w, w->target.topic ? KAFKA_INVALID_CONFIG : KAFKA_INVALID_REQUEST, "%.*s",
                      slice_str(kerr_msg(&e)));
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct change *)a)->name, ((const struct change *)b)->name);
}

/* What the topic would then have: of its own, or without. */
static int64_t number_after(const struct work *w, const char *name)
{
    const struct config_key *k = config_find_topic(slice_str(name));
    const struct catalog_topic none = {0};
    struct broker *b = w->a->round.r->broker;
    struct arena *a = &w->a->round.r->arena;

    for (int32_t i = 0; i < w->out_count; i++)
        if (slice_eq_str(w->out[i].name, name))
            return config_number(w->out[i].value.p ? w->out[i].value
                                                   : setting_of(b, w->image, &none, k, a).value);
    return config_number(
        setting_of(b, w->image, w->a->incremental ? w->target.topic : &none, k, a).value);
}

static int16_t check_all(struct work *w)
{
    int16_t error;

    if (w->res->change_count > 1)
        qsort(w->res->changes, (size_t)w->res->change_count, sizeof *w->res->changes, by_name);
    for (int32_t i = 0; i < w->res->change_count; i++) {
        if (i > 0 && by_name(&w->res->changes[i], &w->res->changes[i - 1]) == 0)
            return refuse(w, KAFKA_INVALID_REQUEST, "%.*s is there twice", w->res->changes[i].name);
        error = check_change(w, &w->res->changes[i]);
        if (error)
            return error;
    }
    if (w->target.topic &&
        number_after(w, "min.compaction.lag.ms") > number_after(w, "max.compaction.lag.ms"))
        return refuse(w, KAFKA_INVALID_CONFIG, "%.*s would be over max.compaction.lag.ms",
                      slice_str("min.compaction.lag.ms"));
    return 0;
}

/* ---- loggers: of this process, and so of no catalog ---- */

static int16_t check_logger(struct work *w, const struct change *c)
{
    int i = logger_find(c->name);

    if (c->op != OP_SET && c->op != OP_REMOVE)
        return refuse(w, KAFKA_INVALID_REQUEST, "%.*s: a level is set or removed", c->name);
    if (i < 0)
        return refuse(w, KAFKA_INVALID_CONFIG, "there is no logger '%.*s'", c->name);
    if (c->op == OP_REMOVE)
        return i == LOGGER_ROOT
                   ? refuse(w, KAFKA_INVALID_REQUEST, "%.*s always has a level", c->name)
                   : 0;
    return logger_level(c->value) >= 0
               ? 0
               : refuse(w, KAFKA_INVALID_CONFIG,
                        "'%.*s' is no level: ERROR, WARN, INFO and DEBUG are", c->value);
}

static int16_t alter_loggers(struct work *w)
{
    const struct altered *res = w->res;
    struct broker *b = w->a->round.r->broker;
    int16_t error = 0;

    if (!w->a->incremental) {
        w->res->message = slice_str("levels of loggers are changed one by one");
        return KAFKA_INVALID_REQUEST;
    }
    if (res->change_count > 1)
        qsort(res->changes, (size_t)res->change_count, sizeof *res->changes, by_name);
    for (int32_t i = 0; !error && i < res->change_count; i++)
        error = i > 0 && by_name(&res->changes[i], &res->changes[i - 1]) == 0
                    ? refuse(w, KAFKA_INVALID_REQUEST, "%.*s is there twice", res->changes[i].name)
                    : check_logger(w, &res->changes[i]);
    for (int32_t i = 0; !error && !w->a->validate_only && i < res->change_count; i++)
        loggers_set(&b->loggers, (enum logger)logger_find(res->changes[i].name),
                    res->changes[i].op == OP_SET ? logger_level(res->changes[i].value) : -1);
    return error;
}

static int16_t alter(struct alteration *a, const struct catalog_image *image, struct altered *res)
{
    struct request *r = a->round.r;
    struct catalog_stamp stamp = broker_stamp(r->broker);
    struct work w = {.a = a, .res = res, .image = image};
    struct buf cmd = {0};
    int16_t error;

    if (res->repeated)
        return refuse(&w, KAFKA_INVALID_REQUEST, "the request names %.*s twice", res->name);
    error = config_target_find(r, image, res->type, res->name, OP_ALTER_CONFIGS, &w.target,
                               &res->message);
    if (error || w.target.loggers)
        return error ? error : alter_loggers(&w);
    w.out = arena_array(&r->arena, (size_t)res->change_count, sizeof *w.out);
    if (!w.out)
        return KAFKA_UNKNOWN_SERVER_ERROR;
    error = check_all(&w);
    if (error || a->validate_only)
        return error;
    if (catalog_cmd_alter_configs(&cmd, &stamp,
                                  w.target.topic ? w.target.topic->id : (struct uuid){{0}},
                                  w.target.broker, !a->incremental, w.out, w.out_count) < 0)
        cmd.failed = true;
    round_propose(&a->round, &cmd, &(struct round_change){.error = &res->error});
    return res->error;
}

/* ---- the requests ---- */

struct place {
    const struct altered *res;
    int32_t at;
};

static int by_resource(const void *x, const void *y)
{
    const struct altered *a = ((const struct place *)x)->res, *b = ((const struct place *)y)->res;

    return a->type != b->type ? a->type - b->type : slice_cmp(a->name, b->name);
}

static bool mark_repeated(struct alteration *a)
{
    struct place *p = arena_array(&a->round.r->arena, (size_t)a->n, sizeof *p);

    if (!p)
        return false;
    for (int32_t i = 0; i < a->n; i++)
        p[i] = (struct place){&a->v[i], i};
    qsort(p, (size_t)a->n, sizeof *p, by_resource);
    for (int32_t i = 1; i < a->n; i++)
        if (by_resource(&p[i], &p[i - 1]) == 0)
            a->v[p[i].at].repeated = a->v[p[i - 1].at].repeated = true;
    return true;
}

/* The names have to outlive the frame. */
static bool start(struct alteration *a)
{
    const struct catalog_image *image;
    bool ok = mark_repeated(a);

    for (int32_t i = 0; i < a->n; i++)
        a->v[i].name = arena_dup(&a->round.r->arena, a->v[i].name, &ok);
    if (!ok)
        return false;
    image = catalog_image(a->round.r->broker->catalog);
    for (int32_t i = 0; i < a->n; i++)
        a->v[i].error = alter(a, image, &a->v[i]);
    catalog_image_release(image);
    round_wait(&a->round, 0);
    return true;
}

static struct alteration *alteration_new(struct request *r, bool incremental, int32_t n)
{
    struct alteration *a = arena_alloc(&r->arena, sizeof *a);

    if (!a)
        return NULL;
    round_init(&a->round, r, encode);
    a->incremental = incremental;
    a->n = n;
    a->v = arena_array(&r->arena, (size_t)n, sizeof *a->v);
    return a->v ? a : NULL;
}

static bool resource_init(struct request *r, struct altered *o, int8_t type, struct slice name,
                          int32_t changes)
{
    *o = (struct altered){.type = type, .name = name, .change_count = changes};
    o->changes = arena_array(&r->arena, (size_t)changes, sizeof *o->changes);
    return o->changes != NULL;
}

int handle_alter_configs(struct request *r)
{
    struct alter_configs_request q;
    struct alteration *a;
    bool ok = true;
    int rc;

    if ((rc = alter_configs_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    a = alteration_new(r, false, q.resources.n);
    for (int32_t i = 0; a && ok && i < a->n; i++) {
        const struct alter_configs_request_alter_configs_resource *from = &q.resources.v[i];
        ok = resource_init(r, &a->v[i], from->resource_type, from->resource_name, from->configs.n);
        for (int32_t k = 0; ok && k < from->configs.n; k++)
            a->v[i].changes[k] =
                (struct change){from->configs.v[k].name, from->configs.v[k].value, OP_SET};
    }
    if (a)
        a->validate_only = q.validate_only;
    if (!a || !ok || !start(a))
        request_kill(r, "out of memory");
    return 0;
}

int handle_incremental_alter_configs(struct request *r)
{
    struct incremental_alter_configs_request q;
    struct alteration *a;
    bool ok = true;
    int rc;

    if ((rc = incremental_alter_configs_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    a = alteration_new(r, true, q.resources.n);
    for (int32_t i = 0; a && ok && i < a->n; i++) {
        const struct incremental_alter_configs_request_alter_configs_resource *from =
            &q.resources.v[i];
        ok = resource_init(r, &a->v[i], from->resource_type, from->resource_name, from->configs.n);
        for (int32_t k = 0; ok && k < from->configs.n; k++)
            a->v[i].changes[k] = (struct change){from->configs.v[k].name, from->configs.v[k].value,
                                                 from->configs.v[k].config_operation};
    }
    if (a)
        a->validate_only = q.validate_only;
    if (!a || !ok || !start(a))
        request_kill(r, "out of memory");
    return 0;
}
