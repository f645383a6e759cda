#include "catalog/image_own.h"

#include <stdlib.h>

struct topic {
    struct catalog_topic pub; /* first: a pub is its topic */
    atomic_int refs;
};

int topic_order_name(const struct catalog_topic *a, const struct catalog_topic *b)
{
    return slice_cmp(a->name, b->name);
}

int topic_order_id(const struct catalog_topic *a, const struct catalog_topic *b)
{
    return memcmp(a->id.b, b->id.b, sizeof a->id.b);
}

bool catalog_topic_name_valid(struct slice name)
{
    if (name.n < 1 || name.n > 249 || slice_eq_str(name, ".") || slice_eq_str(name, ".."))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

bool catalog_topic_name_internal(struct slice name)
{
    return slice_eq_str(name, "__consumer_offsets") || slice_eq_str(name, "__transaction_state") ||
           slice_eq_str(name, "__share_group_state");
}

/* ---- topics: one allocation each --------------------------------------------------------------
 */

const struct catalog_topic *topic_hold(const struct catalog_topic *t)
{
    atomic_fetch_add_explicit(&((struct topic *)(uintptr_t)t)->refs, 1, memory_order_relaxed);
    return t;
}

void topic_release(const struct catalog_topic *t)
{
    struct topic *own = (struct topic *)(uintptr_t)t;

    if (atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) == 1)
        free(own);
}

static size_t topic_size(const struct catalog_topic *t)
{
    size_t n = sizeof(struct topic) + t->name.n;

    for (int32_t i = 0; i < t->partition_count; i++) {
        const struct catalog_partition *p = &t->partitions[i];
        n += sizeof *p + ((size_t)p->replica_count + (size_t)p->isr_count) * sizeof(int32_t);
    }
    for (int32_t i = 0; i < t->config_count; i++)
        n += sizeof(struct catalog_config) + t->configs[i].name.n + t->configs[i].value.n;
    return n;
}

static int32_t *copy_ids(int32_t **at, const int32_t *from, int32_t n)
{
    int32_t *to = *at;

    if (n > 0)
        memcpy(to, from, (size_t)n * sizeof *to);
    *at += n;
    return to;
}

static struct slice copy_text(uint8_t **at, struct slice s)
{
    uint8_t *to = *at;

    if (s.n > 0)
        memcpy(to, s.p, s.n);
    *at += s.n;
    return slice_of(to, s.n);
}

/* In the order of alignment: topic, configs, partitions, replica ids, text. */
const struct catalog_topic *topic_copy(const struct catalog_topic *from)
{
    struct topic *t = malloc(topic_size(from));
    struct catalog_config *configs;
    struct catalog_partition *partitions;
    int32_t *ids;
    uint8_t *text;

    if (!t)
        return NULL;
    t->pub = *from;
    atomic_init(&t->refs, 1);
    configs = (struct catalog_config *)(t + 1);
    partitions = (struct catalog_partition *)(configs + from->config_count);
    ids = (int32_t *)(partitions + from->partition_count);
    for (int32_t i = 0; i < from->partition_count; i++) {
        const struct catalog_partition *p = &from->partitions[i];
        partitions[i] = *p;
        partitions[i].id = i;
        partitions[i].replicas = copy_ids(&ids, p->replicas, p->replica_count);
        partitions[i].isr = copy_ids(&ids, p->isr, p->isr_count);
    }
    text = (uint8_t *)ids;
    t->pub.name = copy_text(&text, from->name);
    for (int32_t i = 0; i < from->config_count; i++) {
        configs[i].name = copy_text(&text, from->configs[i].name);
        configs[i].value = copy_text(&text, from->configs[i].value);
    }
    t->pub.partitions = partitions;
    t->pub.configs = configs;
    return &t->pub;
}

/* ---- settings of brokers -----------------------------------------------------------------------
 */

const struct broker_configs *broker_configs_copy(const struct catalog_broker_config *v, int32_t n)
{
    size_t size = sizeof(struct broker_configs) + (size_t)n * sizeof *v;
    struct broker_configs *c;
    uint8_t *text;

    for (int32_t i = 0; i < n; i++)
        size += v[i].broker.n + v[i].name.n + v[i].value.n;
    c = malloc(size);
    if (!c)
        return NULL;
    atomic_init(&c->refs, 1);
    c->count = n;
    text = (uint8_t *)(c->v + n);
    for (int32_t i = 0; i < n; i++) {
        c->v[i].broker = copy_text(&text, v[i].broker);
        c->v[i].name = copy_text(&text, v[i].name);
        c->v[i].value = copy_text(&text, v[i].value);
    }
    return c;
}

const struct broker_configs *broker_configs_hold(const struct broker_configs *c)
{
    if (c)
        atomic_fetch_add_explicit(&((struct broker_configs *)(uintptr_t)c)->refs, 1,
                                  memory_order_relaxed);
    return c;
}

void broker_configs_release(const struct broker_configs *c)
{
    struct broker_configs *own = (struct broker_configs *)(uintptr_t)c;

    if (c && atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) == 1)
        free(own);
}

struct slice catalog_broker_value(const struct catalog_image *i, struct slice broker,
                                  struct slice name)
{
    for (int32_t k = 0; k < i->broker_config_count; k++)
        if (slice_eq(i->broker_configs[k].broker, broker) &&
            slice_eq(i->broker_configs[k].name, name))
            return i->broker_configs[k].value;
    return (struct slice){NULL, 0};
}

/* ---- images -----------------------------------------------------------------------------------
 */

const struct catalog_image *catalog_image_hold(const struct catalog_image *i)
{
    atomic_fetch_add_explicit(&((struct image *)(uintptr_t)i)->refs, 1, memory_order_relaxed);
    return i;
}

void catalog_image_release(const struct catalog_image *i)
{
    struct image *own = (struct image *)(uintptr_t)i;

    if (!i || atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (int32_t k = 0; k < i->topic_count; k++)
        topic_release(i->topics[k]);
    broker_configs_release(own->broker_configs);
    free(own);
}

struct image *image_new(size_t topics)
{
    struct image *i = calloc(1, sizeof *i + topics * 2 * sizeof i->slots[0]);

    if (!i)
        return NULL;
    atomic_init(&i->refs, 1);
    i->pub.topics = i->slots;
    i->pub.topic_count = (int32_t)topics;
    i->by_id = i->slots + topics;
    return i;
}

static const struct catalog_topic *search(const struct catalog_topic *const *v, int32_t n,
                                          const struct catalog_topic *key, topic_order_fn order)
{
    int32_t lo = 0, hi = n;

    while (lo < hi) {
        int32_t mid = lo + (hi - lo) / 2;
        int c = order(v[mid], key);
        if (c == 0)
            return v[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const struct catalog_topic *catalog_topic_by_name(const struct catalog_image *i, struct slice name)
{
    const struct catalog_topic key = {.name = name};

    return search(i->topics, i->topic_count, &key, topic_order_name);
}

const struct catalog_topic *catalog_topic_by_id(const struct catalog_image *i, struct uuid id)
{
    const struct catalog_topic key = {.id = id};

    return search(((const struct image *)i)->by_id, i->topic_count, &key, topic_order_id);
}

void catalog_image_diff(const struct catalog_image *before, const struct catalog_image *after,
                        catalog_diff_fn fn, void *arg)
{
    int32_t b = 0, a = 0;

    while (b < before->topic_count || a < after->topic_count) {
        const struct catalog_topic *old = b < before->topic_count ? before->topics[b] : NULL;
        const struct catalog_topic *new = a < after->topic_count ? after->topics[a] : NULL;
        int c = !old ? 1 : !new ? -1 : topic_order_name(old, new);
        b += c <= 0;
        a += c >= 0;
        if (c < 0 || (c == 0 && !uuid_eq(old->id, new->id)))
            fn(arg, old, NULL);
        if (c > 0 || (c == 0 && !uuid_eq(old->id, new->id)))
            fn(arg, NULL, new);
        if (c == 0 && old != new &&uuid_eq(old->id, new->id))
            fn(arg, old, new);
    }
}
