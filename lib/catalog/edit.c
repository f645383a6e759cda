#include "catalog/edit.h"

#include "catalog/image_own.h"

#include <stdlib.h>

const struct catalog_image *image_empty(void)
{
    struct image *i = image_new(0);

    return i ? &i->pub : NULL;
}

void edit_init(struct edit *ed, const struct catalog_image *base)
{
    *ed = (struct edit){
        .base = base,
        .index = base->index,
        .cluster_id = base->cluster_id,
        .next_producer_id = base->next_producer_id,
        .broker_configs = ((const struct image *)base)->broker_configs,
    };
    memcpy(ed->hash, base->hash, sizeof ed->hash);
}

void edit_free(struct edit *ed)
{
    edit_undo(ed, &(struct edit_mark){0});
    free(ed->ops);
    ed->ops = NULL;
    while (ed->made_count > 0)
        broker_configs_release(ed->made[--ed->made_count]);
    free(ed->made);
    ed->made = NULL;
}

struct edit_mark edit_mark(const struct edit *ed)
{
    return (struct edit_mark){ed->n, ed->cluster_id, ed->next_producer_id, ed->broker_configs};
}

void edit_undo(struct edit *ed, const struct edit_mark *m)
{
    while (ed->n > m->n)
        topic_release(ed->ops[--ed->n].topic);
    ed->cluster_id = m->cluster_id;
    ed->next_producer_id = m->next_producer_id;
    ed->broker_configs = m->broker_configs;
}

/* The newest op on a name or id decides; without one, the base. */
static const struct catalog_topic *find(const struct edit *ed, const struct catalog_topic *key,
                                        topic_order_fn order)
{
    for (size_t i = ed->n; i > 0; i--)
        if (order(ed->ops[i - 1].topic, key) == 0)
            return ed->ops[i - 1].gone ? NULL : ed->ops[i - 1].topic;
    return order == topic_order_id ? catalog_topic_by_id(ed->base, key->id)
                                   : catalog_topic_by_name(ed->base, key->name);
}

const struct catalog_topic *edit_topic_by_name(const struct edit *ed, struct slice name)
{
    return find(ed, &(struct catalog_topic){.name = name}, topic_order_name);
}

const struct catalog_topic *edit_topic_by_id(const struct edit *ed, struct uuid id)
{
    return find(ed, &(struct catalog_topic){.id = id}, topic_order_id);
}

static bool push(struct edit *ed, const struct catalog_topic *t, bool gone)
{
    if (ed->n == ed->cap) {
        size_t cap = ed->cap ? ed->cap * 2 : 8;
        struct edit_op *ops = reallocarray(ed->ops, cap, sizeof *ops);
        if (!ops)
            return false;
        ed->ops = ops;
        ed->cap = cap;
    }
    ed->ops[ed->n++] = (struct edit_op){t, gone};
    return true;
}

bool edit_add(struct edit *ed, const struct catalog_topic *t)
{
    const struct catalog_topic *copy = topic_copy(t);

    if (!copy)
        return false;
    if (push(ed, copy, false))
        return true;
    topic_release(copy);
    return false;
}

bool edit_remove(struct edit *ed, const struct catalog_topic *t)
{
    if (!push(ed, topic_hold(t), true)) {
        topic_release(t);
        return false;
    }
    return true;
}

bool edit_replace(struct edit *ed, const struct catalog_topic *old, const struct catalog_topic *t)
{
    const struct catalog_topic *copy = topic_copy(t); /* before old may go */

    if (copy && edit_remove(ed, old) && push(ed, copy, false))
        return true;
    if (copy)
        topic_release(copy);
    return false;
}

const struct catalog_broker_config *edit_broker_configs(const struct edit *ed, int32_t *count)
{
    *count = ed->broker_configs ? ed->broker_configs->count : 0;
    return ed->broker_configs ? ed->broker_configs->v : NULL;
}

bool edit_set_broker_configs(struct edit *ed, const struct catalog_broker_config *v, int32_t n)
{
    const struct broker_configs **made = reallocarray(ed->made, ed->made_count + 1, sizeof *made);
    const struct broker_configs *c;

    if (!made)
        return false;
    ed->made = made;
    c = broker_configs_copy(v, n);
    if (!c)
        return false;
    ed->made[ed->made_count++] = c;
    ed->broker_configs = c;
    return true;
}

/* ---- from an edit to the next image -----------------------------------------------------------
 */

struct net {
    const struct catalog_topic **added, **removed;
    size_t add_count, remove_count;
};

/* What is left of the ops when additions that were taken away again cancel out. Removals are few,
 * additions may be many (when a file is loaded): so each removal looks for its addition. */
static bool net_of(const struct edit *ed, struct net *net)
{
    net->added = malloc((ed->n + 1) * sizeof(void *));
    net->removed = malloc((ed->n + 1) * sizeof(void *));
    net->add_count = net->remove_count = 0;
    if (!net->added || !net->removed)
        return false;
    for (size_t i = 0; i < ed->n; i++) {
        size_t k = 0;
        if (!ed->ops[i].gone) {
            net->added[net->add_count++] = ed->ops[i].topic;
            continue;
        }
        while (k < net->add_count && net->added[k] != ed->ops[i].topic)
            k++;
        if (k < net->add_count)
            net->added[k] = net->added[--net->add_count];
        else
            net->removed[net->remove_count++] = ed->ops[i].topic;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return topic_order_name(*(const struct catalog_topic *const *)a,
                            *(const struct catalog_topic *const *)b);
}

static int by_id(const void *a, const void *b)
{
    return topic_order_id(*(const struct catalog_topic *const *)a,
                          *(const struct catalog_topic *const *)b);
}

/* base without what was removed, merged with what was added. */
static void merge(const struct catalog_topic **to, const struct catalog_topic *const *base,
                  int32_t base_count, const struct net *net, topic_order_fn order)
{
    size_t added = 0, removed = 0;

    for (int32_t i = 0; i < base_count; i++) {
        if (removed < net->remove_count && net->removed[removed] == base[i]) {
            removed++;
            continue;
        }
        while (added < net->add_count && order(net->added[added], base[i]) < 0)
            *to++ = net->added[added++];
        *to++ = base[i];
    }
    while (added < net->add_count)
        *to++ = net->added[added++];
}

static void sort_net(struct net *net, int (*cmp)(const void *, const void *))
{
    qsort(net->added, net->add_count, sizeof(void *), cmp);
    qsort(net->removed, net->remove_count, sizeof(void *), cmp);
}

const struct catalog_image *edit_build(const struct edit *ed)
{
    const struct image *base = (const struct image *)ed->base;
    int32_t count = base->pub.topic_count;
    struct image *next = NULL;
    struct net net;

    if (net_of(ed, &net))
        next = image_new((size_t)count + net.add_count - net.remove_count);
    if (next) {
        sort_net(&net, by_name);
        merge(next->slots, base->pub.topics, count, &net, topic_order_name);
        sort_net(&net, by_id);
        merge(next->by_id, base->by_id, count, &net, topic_order_id);
        for (int32_t i = 0; i < next->pub.topic_count; i++)
            topic_hold(next->slots[i]);
        next->pub.index = ed->index;
        memcpy(next->pub.hash, ed->hash, sizeof ed->hash);
        next->pub.cluster_id = ed->cluster_id;
        next->pub.next_producer_id = ed->next_producer_id;
        next->broker_configs = broker_configs_hold(ed->broker_configs);
        next->pub.broker_configs = edit_broker_configs(ed, &next->pub.broker_config_count);
    }
    free(net.added);
    free(net.removed);
    return next ? &next->pub : NULL;
}
