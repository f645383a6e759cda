#include "broker/propose.h"

#include "broker/reactor.h"
#include "os/random.h"
#include "wire/error.h"

#include <stdlib.h>

struct catalog_stamp broker_stamp(struct broker *b)
{
    return (struct catalog_stamp){b->proposer, atomic_fetch_add(&b->proposals, 1) + 1,
                                  os_wall(b->clock)};
}

static void on_loop(struct net_task *t)
{
    struct proposal *p = (struct proposal *)((char *)t - offsetof(struct proposal, task));

    p->done(p);
}

static void decided(void *arg, int err, int64_t index, enum catalog_result result, int64_t value)
{
    struct proposal *p = arg;

    (void)index;
    p->err = err;
    p->result = result;
    p->value = value;
    p->task.run = on_loop;
    net_post(p->loop, &p->task);
}

int propose(struct broker *b, struct slice cmd, struct proposal *p)
{
    return catalog_propose(b->catalog, cmd, decided, p);
}

/* ---- the commands of one request ---- */

struct change {
    struct proposal proposal;
    struct round *round;
    struct round_change what;
};

static void answer(struct round *d)
{
    struct buf b = {0};
    int rc;

    net_timer_clear(&d->timer);
    d->answered = true;
    request_reply_begin(d->r, &b);
    rc = d->encode(d, &b);
    if (d->open == 0)
        request_reply(d->r, &b, rc);
    else
        request_answer(d->r, &b, rc);
}

/* One command less is open; the last one ends the request. */
static void close_one(struct round *d)
{
    if (--d->open > 0)
        return;
    if (d->answered)
        request_end(d->r);
    else
        answer(d);
}

static void timed_out(struct net_timer *timer)
{
    answer((struct round *)((char *)timer - offsetof(struct round, timer)));
}

void round_init(struct round *d, struct request *r, int (*encode)(struct round *d, struct buf *b))
{
    *d = (struct round){.r = r, .encode = encode, .open = 1};
    net_timer_init(&d->timer, r->reactor->loop, timed_out);
}

static void change_decided(struct proposal *p)
{
    struct change *c = (struct change *)p;

    plan_coming(c->round->r->broker, -c->what.topics, -c->what.partitions);
    *c->what.error = proposal_error(p);
    if (p->err == 0 && p->result == CATALOG_NO_SUCH_TOPIC && c->what.no_topic)
        *c->what.error = c->what.no_topic;
    close_one(c->round);
}

void round_propose(struct round *d, struct buf *cmd, const struct round_change *what)
{
    struct change *c = arena_alloc(&d->r->arena, sizeof *c);

    *what->error = KAFKA_REQUEST_TIMED_OUT;
    if (c)
        *c = (struct change){.proposal = {.done = change_decided, .loop = d->r->reactor->loop},
                             .round = d,
                             .what = *what};
    if (c && !cmd->failed && propose(d->r->broker, buf_slice(cmd), &c->proposal) == 0) {
        d->open++;
        plan_coming(d->r->broker, what->topics, what->partitions);
    } else {
        *what->error = KAFKA_KAFKA_STORAGE_ERROR;
    }
    buf_free(cmd);
}

void round_wait(struct round *d, int32_t timeout_ms)
{
    if (d->open > 1 && timeout_ms > 0)
        net_timer_set(&d->timer, timeout_ms); /* without memory for it there is no hurry */
    close_one(d);
}

/* ---- topics ---- */

struct catalog_partition *plan_partitions(struct broker *b, struct arena *a, int32_t n)
{
    struct catalog_partition *p = arena_array(a, (size_t)n, sizeof *p);
    int32_t *self = arena_alloc(a, sizeof *self);

    if (!p || !self)
        return NULL;
    *self = b->conf.node_id;
    for (int32_t i = 0; i < n; i++)
        p[i] = (struct catalog_partition){
            .id = i,
            .leader = *self,
            .replicas = self,
            .isr = self,
            .replica_count = 1,
            .isr_count = 1,
            /* partitions spread over the directories */
            .directory_id =
                logdir_id(b->dirs[(partitions_count(&b->partitions) + i) % b->dir_count]),
        };
    return p;
}

struct catalog_topic *plan_topic(struct broker *b, struct arena *a, struct slice name,
                                 int32_t partitions)
{
    struct catalog_topic *t = arena_alloc(a, sizeof *t);
    struct catalog_partition *p = plan_partitions(b, a, partitions);

    if (!t || !p)
        return NULL;
    t->name = name;
    do
        os_random(&t->id, sizeof t->id);
    while (uuid_is_zero(t->id));
    t->partitions = p;
    t->partition_count = partitions;
    return t;
}

void plan_coming(struct broker *b, int32_t topics, int32_t partitions)
{
    atomic_fetch_add(&b->topics_coming, topics);
    atomic_fetch_add(&b->partitions_coming, partitions);
}

bool plan_too_many(struct broker *b, int32_t partitions)
{
    return (int64_t)partitions_count(&b->partitions) + atomic_load(&b->partitions_coming) +
               partitions >
           b->live.partitions_max;
}

static bool collide(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        uint8_t x = a.p[i] == '.' ? '_' : a.p[i], y = b.p[i] == '.' ? '_' : b.p[i];
        if (x != y)
            return false;
    }
    return true;
}

int16_t plan_refusal(struct broker *b, const struct catalog_image *image, struct slice name,
                     int32_t partitions)
{
    if (!catalog_topic_name_valid(name))
        return KAFKA_INVALID_TOPIC_EXCEPTION;
    if (catalog_topic_by_name(image, name))
        return KAFKA_TOPIC_ALREADY_EXISTS;
    if (image->topic_count + atomic_load(&b->topics_coming) >= b->live.topics_max ||
        plan_too_many(b, partitions))
        return KAFKA_POLICY_VIOLATION;
    if (memchr(name.p, '.', name.n) || memchr(name.p, '_', name.n))
        for (int32_t i = 0; i < image->topic_count; i++)
            if (collide(image->topics[i]->name, name))
                return KAFKA_INVALID_TOPIC_EXCEPTION;
    return 0;
}

/* A topic made because somebody asked for it. */
struct quiet {
    struct broker *broker;
    int32_t partitions;
    size_t n;
    uint8_t name[];
};

/* False: it is coming already, or there is no memory. */
static bool quiet_begin(struct quiet *q)
{
    struct slice name = slice_of(q->name, q->n);
    struct broker *b = q->broker;
    bool first;

    pthread_mutex_lock(&b->quiet_mu);
    first = !hash_get(&b->quiet, name) && hash_put(&b->quiet, name, q, NULL);
    pthread_mutex_unlock(&b->quiet_mu);
    if (first)
        plan_coming(b, 1, q->partitions);
    return first;
}

static void quiet_end(struct quiet *q)
{
    struct broker *b = q->broker;

    plan_coming(b, -1, -q->partitions);
    pthread_mutex_lock(&b->quiet_mu);
    hash_del(&b->quiet, slice_of(q->name, q->n));
    pthread_mutex_unlock(&b->quiet_mu);
    free(q);
}

static void quiet_decided(void *arg, int err, int64_t index, enum catalog_result result,
                          int64_t value)
{
    (void)err;
    (void)index;
    (void)result;
    (void)value;
    quiet_end(arg);
}

void propose_topic_quietly(struct broker *b, struct slice name)
{
    struct catalog_stamp s = broker_stamp(b);
    struct arena a = {0};
    int32_t partitions = b->live.num_partitions; /* one number, whatever a reload does meanwhile */
    struct catalog_topic *t = plan_topic(b, &a, name, partitions);
    struct quiet *q = malloc(sizeof *q + name.n);
    struct buf cmd = {0};

    if (q) {
        *q = (struct quiet){b, partitions, name.n};
        memcpy(q->name, name.p, name.n);
    }
    if (!q || !t || catalog_cmd_create_topic(&cmd, &s, t) < 0 || !quiet_begin(q))
        free(q);
    else if (catalog_propose(b->catalog, buf_slice(&cmd), quiet_decided, q) < 0)
        quiet_end(q);
    buf_free(&cmd);
    arena_free(&a);
}

int16_t proposal_error(const struct proposal *p)
{
    if (p->err < 0)
        return p->err == KE_UNKNOWN_OUTCOME ? KAFKA_REQUEST_TIMED_OUT : KAFKA_KAFKA_STORAGE_ERROR;
    switch (p->result) {
    case CATALOG_DONE:
        return 0;
    case CATALOG_TOPIC_EXISTS:
        return KAFKA_TOPIC_ALREADY_EXISTS;
    case CATALOG_CONFLICT: /* the client is to try again */
        return KAFKA_REQUEST_TIMED_OUT;
    case CATALOG_PARTITIONS_EXIST:
        return KAFKA_INVALID_PARTITIONS;
    case CATALOG_NO_SUCH_TOPIC:
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    default:
        return KAFKA_INVALID_REQUEST;
    }
}
