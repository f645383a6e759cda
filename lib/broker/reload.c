#include "broker/reload.h"

#include "broker/lap.h"
#include "broker/sessions.h"
#include "broker/settings.h"
#include "broker/stock.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- values ---- */

static void take_limits(struct net_limits *l, const struct broker_conf *c)
{
    l->max_frame = (size_t)c->request_max;
    l->idle_ms = c->idle_ms;
}

static void take_live(struct live *l, const struct broker_conf *c)
{
    l->num_partitions = c->num_partitions;
    l->auto_create = c->auto_create;
    l->delete_topics = c->delete_topics;
    l->connections_max = c->connections_max;
    l->topics_max = c->topics_max;
    l->partitions_max = c->partitions_max;
    l->retention_check_ms = c->retention_check_ms;
}

int live_init(struct broker *b, struct kerr *e)
{
    struct buf *given = malloc(sizeof *given);

    if (!given)
        return kerr_set(e, KE_NOMEM, "broker");
    *given = b->conf.given;
    b->conf.given = (struct buf){0};
    b->given = given;
    net_limits_default(&b->limits);
    take_limits(&b->limits, &b->conf);
    take_live(&b->live, &b->conf);
    b->budget.max = b->conf.queued_max;
    return 0;
}

static void free_text(struct buf *text)
{
    if (text)
        buf_free(text);
    free(text);
}

void live_free(struct broker *b)
{
    free_text(b->given);
}

/* ---- what is said ---- */

struct reload {
    struct broker *b;
    const struct catalog_image *image;
    struct slice old, new; /* what was given */
    int changes;
};

enum { SHOWN = 320 };

static struct slice standard(const struct config_key *k)
{
    return k->value && !(k->flags & CONFIG_NO_BROKER_DEFAULT) ? slice_str(k->value)
                                                              : (struct slice){NULL, 0};
}

static const char *show(const struct config_key *k, struct slice value, char out[SHOWN])
{
    char text[DIAG_ESCAPED_MAX];

    if (!value.p && !standard(k).p)
        return "not set";
    if (value.p && k->flags & CONFIG_SENSITIVE)
        return "(hidden)";
    diag_escape(text, sizeof text, value.p ? value : standard(k));
    snprintf(out, SHOWN, "%.250s%s", text, value.p ? "" : " (the default)");
    return out;
}

/* Set while running: what the file says does not count as long as that stands. */
static bool is_overruled(const struct reload *r, const struct config_key *k)
{
    char self[BROKER_NAME];
    struct slice name = slice_str(k->broker);

    return catalog_broker_value(r->image, broker_name(r->b, self), name).p ||
           catalog_broker_value(r->image, slice_str(""), name).p;
}

/* Also when one is given that is the default. */
static bool is_same(const struct config_key *k, struct slice a, struct slice b)
{
    a = a.p ? a : standard(k);
    b = b.p ? b : standard(k);
    return !a.p == !b.p && slice_eq(a, b);
}

static void tell(struct reload *r, const struct config_key *k)
{
    struct slice was = broker_conf_find(r->old, k->broker);
    struct slice is = broker_conf_find(r->new, k->broker);
    char from[SHOWN], to[SHOWN];

    if (is_same(k, was, is))
        return;
    r->changes++;
    diag(r->b->diag, broker_conf_needs_restart(k) ? DIAG_WARN : DIAG_INFO,
         "reload: %s: from %s to %s%s", k->broker, show(k, was, from), show(k, is, to),
         broker_conf_needs_restart(k) ? ": needs a restart"
         : !broker_conf_acts(k)       ? ": known, but has no effect here"
         : is_overruled(r, k)         ? ": but a value set while running counts"
                                      : "");
}

static void tell_all(struct broker *b, const struct broker_conf *conf)
{
    struct reload r = {.b = b,
                       .image = catalog_image(b->catalog),
                       .old = buf_slice(atomic_load(&b->given)),
                       .new = buf_slice(&conf->given)};

    for (const struct config_key *k = config_keys; k->topic || k->broker; k++)
        if (k->broker)
            tell(&r, k);
    if (r.changes == 0)
        diag(b->diag, DIAG_INFO, "reload: nothing has changed");
    catalog_image_release(r.image);
}

/* ---- the change ---- */

/* The new values of what can change, the old ones of what needs a restart: what will act. */
static void merge(struct buf *out, struct slice from, bool restart)
{
    for (size_t at = 0; at < from.n;) {
        const char *name = (const char *)from.p + at, *value = name + strlen(name) + 1;
        if (broker_conf_needs_restart(config_find_broker(slice_str(name))) == restart)
            broker_conf_note(out, name, value);
        at += strlen(name) + strlen(value) + 2;
    }
}

static void take_on_reactor(struct lap *l, struct reactor *r)
{
    r->limits = l->limits;
    for (struct connection *c = r->connections; c; c = c->next)
        net_conn_limits_changed(c->conn);
    if (r == l->broker->reactors[0])
        broker_tick_changed(l->broker);
}

static void drop_old(struct lap *l)
{
    free_text(l->old);
}

int broker_reload(struct broker *b, const struct broker_conf *conf, struct kerr *e)
{
    struct lap *lap = lap_new(b);
    struct buf *text = calloc(1, sizeof *text);

    if (text) {
        merge(text, buf_slice(atomic_load(&b->given)), true);
        merge(text, buf_slice(&conf->given), false);
    }
    if (!lap || !text || text->failed) {
        free(lap);
        free_text(text);
        return kerr_set(e, KE_NOMEM, "reload");
    }
    tell_all(b, conf);
    lap->old = atomic_exchange(&b->given, text);
    lap->at = take_on_reactor;
    lap->ended = drop_old;
    lap->limits = b->limits;
    take_limits(&lap->limits, conf);
    take_live(&b->live, conf);
    net_budget_resize(&b->budget, conf->queued_max);
    sessions_set_max(b->sessions, conf->sessions_max);
    guests_set_limits(b->guests, &conf->guests);
    for (int i = 0; i < b->dir_count; i++)
        logdir_set_producer_expiry(b->dirs[i], conf->producer_expiry_ms);
    stock_refresh(b);
    /* what could have held the old text is the reactors, and stock, which has just let go */
    lap_start(lap);
    return 0;
}
