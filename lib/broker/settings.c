#include "broker/settings.h"

#include <inttypes.h>
#include <stdio.h>

#define MIN_INSYNC "min.insync.replicas"

struct slice broker_name(const struct broker *b, char out[BROKER_NAME])
{
    snprintf(out, BROKER_NAME, "%" PRId32, b->conf.node_id);
    return slice_str(out);
}

/* ---- where values are ---- */

static struct slice own_value(const struct catalog_topic *t, const char *name)
{
    for (int32_t i = 0; i < t->config_count; i++)
        if (slice_eq_str(t->configs[i].name, name))
            return t->configs[i].value;
    return (struct slice){NULL, 0};
}

static struct slice default_value(const struct config_key *k, bool of_broker)
{
    if (!k || !k->value || (of_broker && k->flags & CONFIG_NO_BROKER_DEFAULT))
        return (struct slice){NULL, 0};
    return slice_str(k->value);
}

static struct slice value_from(const struct broker *b, const struct catalog_image *image,
                               const char *name, int8_t source)
{
    char self[BROKER_NAME];

    switch (source) {
    case SOURCE_DYNAMIC_BROKER:
        return catalog_broker_value(image, broker_name(b, self), slice_str(name));
    case SOURCE_DYNAMIC_DEFAULT:
        return catalog_broker_value(image, slice_str(""), slice_str(name));
    case SOURCE_STATIC_BROKER:
        return broker_conf_find(buf_slice(atomic_load(&b->given)), name);
    default:
        return default_value(config_find_broker(slice_str(name)), true);
    }
}

/* The broker-wide names of k: its own, then the older ones. NULL past the last. */
static const char *name_at(const struct config_key *k, int i)
{
    if (i == 0)
        return k->broker;
    for (const struct config_alias *a = config_aliases; a->name; a++)
        if (strcmp(a->of, k->broker) == 0 && --i == 0)
            return a->name;
    return NULL;
}

int setting_values(const struct broker *b, const struct catalog_image *image,
                   const struct catalog_topic *t, const struct config_key *k,
                   struct setting out[SETTINGS_MAX])
{
    struct slice own = t ? own_value(t, k->topic) : (struct slice){NULL, 0};
    bool begun = false;
    const char *name;
    int n = 0;

    if (own.p)
        out[n++] = (struct setting){slice_str(k->topic), own, SOURCE_TOPIC};
    for (int8_t source = SOURCE_DYNAMIC_BROKER; k->broker && source <= SOURCE_DEFAULT; source++)
        for (int i = 0; (name = name_at(k, i)) != NULL; i++) {
            struct slice value = value_from(b, image, name, source);
            begun |= value.p && i == 0;
            if (value.p && begun)
                out[n++] = (struct setting){slice_str(name), value, source};
        }
    return n;
}

/* From an older name, in its unit. */
static struct slice converted(const struct broker *b, const struct config_key *k, struct arena *a)
{
    char text[32];
    bool ok = true;

    for (const struct config_alias *o = config_aliases; k->broker && o->name; o++) {
        struct slice v = strcmp(o->of, k->broker) == 0
                             ? value_from(b, NULL, o->name, SOURCE_STATIC_BROKER)
                             : (struct slice){NULL, 0};
        int64_t n = config_number(v);
        if (!v.p)
            continue;
        snprintf(text, sizeof text, "%" PRId64, n < 0 ? n : n * o->unit);
        v = arena_dup(a, slice_str(text), &ok);
        return ok ? v : (struct slice){NULL, 0};
    }
    return (struct slice){NULL, 0};
}

struct setting setting_of(const struct broker *b, const struct catalog_image *image,
                          const struct catalog_topic *t, const struct config_key *k,
                          struct arena *a)
{
    struct setting v[SETTINGS_MAX];
    struct setting s = {slice_str(t ? k->topic : k->broker), {NULL, 0}, SOURCE_DEFAULT};

    if (setting_values(b, image, t, k, v) > 0) {
        s.value = v[0].value;
        s.source = v[0].source;
    } else if (t) {
        s.value = converted(b, k, a);
        s.source = s.value.p ? SOURCE_STATIC_BROKER : SOURCE_DEFAULT;
        if (!s.value.p)
            s.value = default_value(k, false);
    }
    return s;
}

bool setting_cleanup(const struct broker *b, const struct catalog_image *image,
                     const struct catalog_topic *t, const char *policy)
{
    struct arena a = {0};
    const struct config_key *k = config_find_topic(slice_str("cleanup.policy"));

    return config_list_has(setting_of(b, image, t, k, &a).value, policy);
}

/* ---- logs ---- */

void settings_refresh(struct broker *b, const struct catalog_image *image)
{
    const struct config_key *insync = config_find_topic(slice_str(MIN_INSYNC));
    const struct catalog_topic none = {0};
    struct arena a = {0};

    plog_conf_default(&b->log_base);
    for (const struct config_key *k = config_keys; k->topic; k++)
        if (k->apply)
            k->apply(&b->log_base, setting_of(b, image, &none, k, &a).value);
    atomic_store(&b->min_insync, config_number(setting_of(b, image, &none, insync, &a).value));
    arena_free(&a);
}

int64_t setting_min_insync(const struct broker *b, const struct catalog_topic *t)
{
    struct slice own = own_value(t, MIN_INSYNC);

    return own.p ? config_number(own) : atomic_load_explicit(&b->min_insync, memory_order_relaxed);
}

void setting_log(const struct catalog_topic *t, struct plog_conf *c)
{
    for (int32_t i = 0; i < t->config_count; i++) {
        const struct config_key *k = config_find_topic(t->configs[i].name);
        if (k && k->apply)
            k->apply(c, t->configs[i].value);
    }
}
