/* Images against a model that is dumber: an array of what each topic id is called. */
#include "catalog_support.h"

#include "catalog/edit.h"

#include <stdio.h>
#include <stdlib.h>

enum { IDS = 40, NAMES = 30 };

struct model {
    int name[IDS]; /* -1: no such topic */
};

static const char *name_of(int n)
{
    static char name[16];

    snprintf(name, sizeof name, "name-%d", n);
    return name;
}

static int owner(const struct model *m, int name)
{
    for (int i = 0; i < IDS; i++)
        if (m->name[i] == name)
            return i;
    return -1;
}

static void add(struct edit *ed, uint32_t id, int name)
{
    static const int32_t replicas[] = {7};
    const struct catalog_partition p[2] = {
        {.leader = (int32_t)id, .replicas = replicas, .replica_count = 1},
        {.leader = -1, .isr = replicas, .isr_count = 1},
    };
    const struct catalog_config config = {slice_str("c"), slice_str(name_of(name))};
    struct catalog_topic t = {slice_str(name_of(name)), uuid_of(id), p, 2, &config, 1};

    assert_true(edit_add(ed, &t));
}

static void check_topic(const struct catalog_topic *t, int id, int name)
{
    assert_non_null(t);
    assert_true(slice_eq_str(t->name, name_of(name)));
    assert_true(uuid_eq(t->id, uuid_of((uint32_t)id)));
    assert_int_equal(t->partition_count, 2);
    assert_int_equal(t->partitions[0].leader, id);
    assert_int_equal(t->partitions[0].replicas[0], 7);
    assert_int_equal(t->partitions[1].id, 1);
    assert_int_equal(t->partitions[1].isr[0], 7);
    assert_true(slice_eq_str(t->configs[0].value, name_of(name)));
}

static void check_image(const struct catalog_image *image, const struct model *m)
{
    int live = 0;

    for (int i = 0; i < IDS; i++) {
        const struct catalog_topic *t = catalog_topic_by_id(image, uuid_of((uint32_t)i));
        live += m->name[i] >= 0;
        if (m->name[i] >= 0)
            check_topic(t, i, m->name[i]);
        else
            assert_null(t);
    }
    assert_int_equal(image->topic_count, live);
    for (int n = 0; n < NAMES; n++) {
        int id = owner(m, n);
        const struct catalog_topic *t = catalog_topic_by_name(image, slice_str(name_of(n)));
        if (id >= 0)
            check_topic(t, id, n);
        else
            assert_null(t);
    }
    for (int i = 1; i < image->topic_count; i++)
        assert_true(slice_cmp(image->topics[i - 1]->name, image->topics[i]->name) < 0);
}

/* Replays what the diff says onto the older model and must arrive at the newer: what is gone first,
 * because an id may come back under a name that stands before its old one. */
static void take_gone(void *arg, const struct catalog_topic *before,
                      const struct catalog_topic *after)
{
    struct model *m = arg;
    uint32_t id;

    (void)after;
    if (!before)
        return;
    memcpy(&id, before->id.b + 12, sizeof id);
    assert_true(m->name[id] >= 0);
    m->name[id] = -1;
}

static void take_new(void *arg, const struct catalog_topic *before,
                     const struct catalog_topic *after)
{
    struct model *m = arg;
    uint32_t id;
    int name;
    char text[16];

    (void)before;
    if (!after)
        return;
    memcpy(&id, after->id.b + 12, sizeof id);
    snprintf(text, sizeof text, "%.*s", (int)after->name.n, (const char *)after->name.p);
    assert_int_equal(sscanf(text, "name-%d", &name), 1);
    assert_int_equal(m->name[id], -1);
    assert_int_equal(owner(m, name), -1);
    m->name[id] = name;
}

/* Tries one random change on both; they must agree on whether it is possible. */
static void one_change(struct edit *ed, struct model *m, struct rng *r)
{
    int id = (int)rng_below(r, IDS), name = (int)rng_below(r, NAMES);
    const struct catalog_topic *t = edit_topic_by_id(ed, uuid_of((uint32_t)id));
    const struct catalog_topic *u = edit_topic_by_name(ed, slice_str(name_of(name)));

    assert_true((t != NULL) == (m->name[id] >= 0));
    assert_true((u != NULL) == (owner(m, name) >= 0));
    if (t && rng_below(r, 2)) {
        assert_true(edit_remove(ed, t));
        m->name[id] = -1;
    } else if (!t && !u) {
        add(ed, (uint32_t)id, name);
        m->name[id] = name;
    }
}

static void images_agree_with_the_model(void **state)
{
    const struct catalog_image *image = image_empty(), *held = NULL;
    struct model m, at_held, before;
    struct rng r = {3};

    (void)state;
    memset(&m, 0xff, sizeof m);
    for (int round = 0; round < 400; round++) {
        const struct catalog_image *next;
        struct edit ed;
        before = m;
        edit_init(&ed, image);
        for (uint32_t n = rng_below(&r, 12); n > 0; n--) {
            struct edit_mark mark = edit_mark(&ed);
            struct model saved = m;
            one_change(&ed, &m, &r);
            one_change(&ed, &m, &r);
            if (rng_below(&r, 4) == 0) {
                edit_undo(&ed, &mark);
                m = saved;
            }
        }
        ed.index = round;
        next = edit_build(&ed);
        edit_free(&ed);
        assert_non_null(next);
        check_image(next, &m);
        assert_int_equal(next->index, round);
        catalog_image_diff(image, next, take_gone, &before);
        catalog_image_diff(image, next, take_new, &before);
        assert_memory_equal(&before, &m, sizeof m);
        if (round % 50 == 0) { /* an old one stays what it was */
            if (held)
                check_image(held, &at_held);
            catalog_image_release(held);
            held = catalog_image_hold(next);
            at_held = m;
        }
        catalog_image_release(image);
        image = next;
    }
    catalog_image_release(held);
    catalog_image_release(image);
}

/* Topics that did not change are the same memory in both images. */
static void unchanged_topics_are_shared(void **state)
{
    const struct catalog_image *empty = image_empty(), *first, *second;
    struct edit ed;

    (void)state;
    edit_init(&ed, empty);
    for (uint32_t i = 0; i < 20; i++)
        add(&ed, i, (int)i);
    first = edit_build(&ed);
    edit_free(&ed);
    edit_init(&ed, first);
    add(&ed, 30, 25);
    assert_true(edit_remove(&ed, edit_topic_by_id(&ed, uuid_of(4))));
    second = edit_build(&ed);
    edit_free(&ed);
    assert_int_equal(second->topic_count, 20);
    for (uint32_t i = 0; i < 20; i++)
        if (i != 4)
            assert_ptr_equal(catalog_topic_by_id(first, uuid_of(i)),
                             catalog_topic_by_id(second, uuid_of(i)));
    catalog_image_release(first);
    assert_true(slice_eq_str(second->topics[0]->name, "name-0"));
    catalog_image_release(second);
    catalog_image_release(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_agree_with_the_model),
        cmocka_unit_test(unchanged_topics_are_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
