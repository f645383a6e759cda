#include "broker/sessions.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "os/random.h"
#include "wire/error.h"

#include <pthread.h>
#include <stdlib.h>

/* A topic's name or id, and the partition's number. */
#define KEY_MAX 260

struct session_part {
    struct session_part *next, *prev; /* in the session */
    struct session_topic topic;       /* its name lies behind this */
    struct fetch_request_fetch_partition wanted;
    struct session_told told;
};

struct session {
    int32_t id, epoch; /* epoch: of the next request */
    bool by_id;
    struct hash parts; /* to struct session_part */
    struct session_part *first, *last;
    mono_ns used;
    struct session *newer, *older; /* by use */
};

struct sessions {
    pthread_mutex_t mu;
    struct hash table; /* from id */
    struct session *newest, *oldest;
    int64_t max;
    size_t parts; /* in all of them */
    int64_t evicted;
};

struct sessions *sessions_new(int64_t max)
{
    struct sessions *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    pthread_mutex_init(&t->mu, NULL);
    hash_init(&t->table, os_random_u64(), os_random_u64());
    t->max = max;
    return t;
}

/* ---- keys ---- */

static struct slice id_key(uint8_t out[4], int32_t id)
{
    put_be32(out, (uint32_t)id);
    return slice_of(out, 4);
}

static struct slice part_key(uint8_t out[KEY_MAX], bool by_id, const struct session_topic *topic,
                             int32_t index)
{
    struct slice t = by_id ? slice_of(topic->id.b, sizeof topic->id.b) : topic->name;
    size_t n = t.n < KEY_MAX - 4 ? t.n : KEY_MAX - 4; /* no topic's name is that long */

    memcpy(out, t.p, n);
    put_be32(out + n, (uint32_t)index);
    return slice_of(out, n + 4);
}

/* ---- the list of a session ---- */

static void unlink_part(struct session *s, struct session_part *p)
{
    *(p->prev ? &p->prev->next : &s->first) = p->next;
    *(p->next ? &p->next->prev : &s->last) = p->prev;
}

static void append_part(struct session *s, struct session_part *p)
{
    p->next = NULL;
    p->prev = s->last;
    *(s->last ? &s->last->next : &s->first) = p;
    s->last = p;
}

static struct session_part *find_part(const struct session *s, const struct session_topic *topic,
                                      int32_t index)
{
    uint8_t key[KEY_MAX];

    return hash_get(&s->parts, part_key(key, s->by_id, topic, index));
}

bool session_add(struct sessions *t, struct session *s, const struct session_topic *topic,
                 const struct fetch_request_fetch_partition *q, const struct session_told *told)
{
    struct session_part *p = find_part(s, topic, q->partition);
    uint8_t key[KEY_MAX];

    if (p) {
        p->wanted = *q;
        return true;
    }
    if (t->parts >= SESSION_PARTS_MAX)
        return false;
    p = malloc(sizeof *p + topic->name.n);
    if (!p)
        return false;
    *p = (struct session_part){.topic = *topic, .wanted = *q, .told = *told};
    if (topic->name.n)
        memcpy(p + 1, topic->name.p, topic->name.n);
    p->topic.name = slice_of(p + 1, topic->name.n);
    if (!hash_put(&s->parts, part_key(key, s->by_id, topic, q->partition), p, NULL)) {
        free(p);
        return false;
    }
    append_part(s, p);
    t->parts++;
    return true;
}

static void forget_part(struct sessions *t, struct session *s, const struct session_topic *topic,
                        int32_t index)
{
    uint8_t key[KEY_MAX];
    struct session_part *p = hash_del(&s->parts, part_key(key, s->by_id, topic, index));

    if (!p)
        return;
    unlink_part(s, p);
    free(p);
    t->parts--;
}

bool session_tell(struct session *s, const struct session_topic *topic, int32_t index, bool records,
                  bool error, const struct session_told *now)
{
    struct session_part *p = find_part(s, topic, index);
    bool news = records || error || !p || p->told.high_watermark != now->high_watermark ||
                p->told.log_start != now->log_start;

    if (p && news)
        p->told = *now;
    if (p && records) {
        unlink_part(s, p);
        append_part(s, p);
    }
    return news;
}

/* ---- sessions ---- */

static void unlink_session(struct sessions *t, struct session *s)
{
    *(s->newer ? &s->newer->older : &t->newest) = s->older;
    *(s->older ? &s->older->newer : &t->oldest) = s->newer;
}

static void use_now(struct sessions *t, struct session *s, mono_ns now)
{
    s->used = now;
    s->newer = NULL;
    s->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = s;
    t->newest = s;
}

void session_drop(struct sessions *t, struct session *s)
{
    uint8_t key[4];

    hash_del(&t->table, id_key(key, s->id));
    unlink_session(t, s);
    for (struct session_part *p = s->first, *next; p; p = next) {
        next = p->next;
        free(p);
        t->parts--;
    }
    hash_free(&s->parts);
    free(s);
}

void sessions_free(struct sessions *t)
{
    if (!t)
        return;
    while (t->newest)
        session_drop(t, t->newest);
    hash_free(&t->table);
    pthread_mutex_destroy(&t->mu);
    free(t);
}

/* With the lock. */
static struct session *find_session(const struct sessions *t, int32_t id)
{
    uint8_t key[4];

    return hash_get(&t->table, id_key(key, id));
}

struct session *sessions_hold(struct sessions *t, int32_t id)
{
    struct session *s;

    pthread_mutex_lock(&t->mu);
    s = find_session(t, id);
    if (!s)
        pthread_mutex_unlock(&t->mu);
    return s;
}

void sessions_set_max(struct sessions *t, int64_t max)
{
    pthread_mutex_lock(&t->mu);
    t->max = max;
    pthread_mutex_unlock(&t->mu);
}

void sessions_release(struct sessions *t)
{
    pthread_mutex_unlock(&t->mu);
}

int32_t session_id(const struct session *s)
{
    return s->id;
}

static bool has_room(const struct sessions *t)
{
    return (int64_t)t->table.n < t->max && t->parts < SESSION_PARTS_MAX;
}

static int32_t new_id(const struct sessions *t)
{
    int32_t id;

    do
        id = (int32_t)(os_random_u64() & INT32_MAX);
    while (id == 0 || find_session(t, id));
    return id;
}

static struct session *make(struct sessions *t, bool by_id, mono_ns now)
{
    struct session *s;
    uint8_t key[4];

    if (!has_room(t) && t->oldest && now.ns - t->oldest->used.ns >= SESSION_IDLE_MS * 1000000LL) {
        session_drop(t, t->oldest);
        t->evicted++;
    }
    s = has_room(t) ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->id = new_id(t);
    s->epoch = 1;
    s->by_id = by_id;
    hash_init(&s->parts, os_random_u64(), os_random_u64());
    if (!hash_put(&t->table, id_key(key, s->id), s, NULL)) {
        free(s);
        return NULL;
    }
    use_now(t, s, now);
    return s;
}

struct session *sessions_make(struct sessions *t, bool by_id, mono_ns now)
{
    struct session *s;

    pthread_mutex_lock(&t->mu);
    s = make(t, by_id, now);
    if (!s)
        pthread_mutex_unlock(&t->mu);
    return s;
}

void sessions_stats(struct sessions *t, struct sessions_stats *out)
{
    pthread_mutex_lock(&t->mu);
    *out = (struct sessions_stats){(int64_t)t->table.n, (int64_t)t->parts, t->evicted};
    pthread_mutex_unlock(&t->mu);
}

/* ---- requests ---- */

static bool take_changes(struct sessions *t, struct session *s, const struct fetch_request *q)
{
    static const struct session_told nothing = {-1, -1};

    for (int32_t i = 0; i < q->topics.n; i++) {
        struct session_topic topic = {q->topics.v[i].topic, q->topics.v[i].topic_id};
        for (int32_t k = 0; k < q->topics.v[i].partitions.n; k++)
            if (!session_add(t, s, &topic, &q->topics.v[i].partitions.v[k], &nothing))
                return false;
    }
    for (int32_t i = 0; i < q->forgotten_topics_data.n; i++) {
        const struct fetch_request_forgotten_topic *f = &q->forgotten_topics_data.v[i];
        struct session_topic topic = {f->topic, f->topic_id};
        for (int32_t k = 0; k < f->partitions.n; k++)
            forget_part(t, s, &topic, f->partitions.v[k]);
    }
    return true;
}

static bool same_topic(const struct session *s, const struct session_part *a,
                       const struct session_part *b)
{
    return s->by_id ? uuid_eq(a->topic.id, b->topic.id) : slice_eq(a->topic.name, b->topic.name);
}

/* The session as a full request: neighbours of one topic together. False without memory. */
static bool spell_out(const struct session *s, struct fetch_request *q, struct arena *a)
{
    struct fetch_request_fetch_partition *all = arena_array(a, s->parts.n, sizeof *all);
    struct fetch_request_fetch_topic *t = NULL;
    int32_t topics = 0;
    bool ok = true;

    for (const struct session_part *p = s->first; p; p = p->next)
        topics += !p->prev || !same_topic(s, p, p->prev);
    q->topics.v = arena_array(a, (size_t)topics, sizeof *t);
    q->topics.n = 0;
    if (!all || !q->topics.v)
        return false;
    for (const struct session_part *p = s->first; p; p = p->next) {
        if (!p->prev || !same_topic(s, p, p->prev)) {
            t = &q->topics.v[q->topics.n++];
            fetch_request_fetch_topic_init(t);
            t->topic = arena_dup(a, p->topic.name, &ok);
            t->topic_id = p->topic.id;
            t->partitions.v = all;
        }
        *all++ = p->wanted;
        t->partitions.n++;
    }
    return ok;
}

static struct session_step go_on(struct sessions *t, struct session *s, struct fetch_request *q,
                                 bool by_id, mono_ns now, struct arena *a)
{
    if (q->session_epoch != s->epoch)
        return (struct session_step){.error = KAFKA_INVALID_FETCH_SESSION_EPOCH};
    if (by_id != s->by_id)
        return (struct session_step){.error = KAFKA_FETCH_SESSION_TOPIC_ID_ERROR};
    if (!take_changes(t, s, q) || !spell_out(s, q, a)) {
        session_drop(t, s); /* half changed: the client is to begin anew */
        return (struct session_step){.error = KAFKA_FETCH_SESSION_ID_NOT_FOUND};
    }
    if (s->parts.n == 0) { /* nothing is left of it */
        session_drop(t, s);
        return (struct session_step){.kind = SESSION_NONE};
    }
    s->epoch = s->epoch == INT32_MAX ? 1 : s->epoch + 1;
    unlink_session(t, s);
    use_now(t, s, now);
    return (struct session_step){SESSION_GOES_ON, s->id, 0};
}

struct session_step sessions_begin(struct sessions *t, struct fetch_request *q, bool by_id,
                                   mono_ns now, struct arena *a)
{
    struct session_step step = {.kind = q->session_epoch == 0 ? SESSION_NEW : SESSION_NONE};
    bool full = q->session_epoch == 0 || q->session_epoch == -1;
    struct session *s;

    if (full && q->session_id == 0)
        return step;
    pthread_mutex_lock(&t->mu);
    s = find_session(t, q->session_id);
    if (!full)
        step = s ? go_on(t, s, q, by_id, now, a)
                 : (struct session_step){.error = KAFKA_FETCH_SESSION_ID_NOT_FOUND};
    else if (s)
        session_drop(t, s); /* its client ends it */
    pthread_mutex_unlock(&t->mu);
    return step;
}
