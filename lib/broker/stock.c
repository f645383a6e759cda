#include "broker/stock.h"

#include "broker/settings.h"

#include <stdio.h>
#include <stdlib.h>

/* The directories of all log dirs. */
struct found {
    struct logdir_entry *v;
    struct logdir **dir; /* of each */
    bool *used;
    size_t n;
};

static void found_free(struct found *f)
{
    free(f->v);
    free(f->dir);
    free(f->used);
    *f = (struct found){0};
}

static int found_add(struct found *f, struct logdir *d, const struct logdir_entry *more, size_t n)
{
    size_t total = f->n + n;
    struct logdir_entry *v = realloc(f->v, (total + 1) * sizeof *v);
    struct logdir **dir;
    bool *used;

    if (!v)
        return KE_NOMEM;
    f->v = v;
    dir = realloc(f->dir, (total + 1) * sizeof(struct logdir *));
    if (!dir)
        return KE_NOMEM;
    f->dir = dir;
    used = realloc(f->used, (total + 1) * sizeof *used);
    if (!used)
        return KE_NOMEM;
    f->used = used;
    for (size_t i = 0; i < n; i++) {
        f->v[f->n] = more[i];
        f->dir[f->n] = d;
        f->used[f->n++] = false;
    }
    return 0;
}

static int find_all(struct broker *b, struct found *f, struct kerr *e)
{
    *f = (struct found){0};
    for (int i = 0; i < b->dir_count; i++) {
        struct logdir_entry *v = NULL;
        size_t n = 0;
        int rc = logdir_list(b->dirs[i], &v, &n, e);
        if (rc == 0 && found_add(f, b->dirs[i], v, n) < 0)
            rc = kerr_set(e, KE_NOMEM, "list of partitions");
        free(v);
        if (rc < 0) {
            found_free(f);
            return rc;
        }
    }
    return 0;
}

static struct logdir *dir_of(const struct broker *b, struct uuid id)
{
    for (int i = 0; i < b->dir_count; i++)
        if (uuid_eq(logdir_id(b->dirs[i]), id))
            return b->dirs[i];
    return NULL;
}

void broker_plog_conf(const struct broker *b, const struct catalog_topic *t, struct plog_conf *out)
{
    *out = b->log_base;
    setting_log(t, out);
}

static const char *name_of(const struct catalog_topic *t, char out[256])
{
    snprintf(out, 256, "%.*s", (int)t->name.n, (const char *)t->name.p);
    return out;
}

static int serve(struct broker *b, const struct catalog_topic *t, int32_t index, struct plog *log,
                 struct kerr *e)
{
    if (partitions_add(&b->partitions, log, t->id, index) == 0)
        return 0;
    plog_close(log, false);
    return kerr_set(e, KE_NOMEM, "partition");
}

static int make(struct broker *b, const struct catalog_topic *t, int32_t index, struct kerr *e)
{
    struct logdir *d = dir_of(b, t->partitions[index].directory_id);
    struct plog_conf conf;
    struct plog *log;
    char name[256];
    int rc;

    if (!d)
        return kerr_set(e, KE_NOTFOUND, "partition %s-%d lies in a log directory that is not given",
                        name_of(t, name), index);
    broker_plog_conf(b, t, &conf);
    rc = logdir_create(d, name_of(t, name), index, t->id, &conf, &log, e);
    return rc < 0 ? rc : serve(b, t, index, log, e);
}

static int load(struct broker *b, const struct catalog_topic *t, int32_t index, struct found *f,
                struct kerr *e)
{
    struct plog_conf conf;
    struct plog *log;

    broker_plog_conf(b, t, &conf);
    for (size_t i = 0; i < f->n; i++) {
        int rc;
        if (f->used[i] || f->v[i].partition != index || !uuid_eq(f->v[i].topic_id, t->id))
            continue;
        f->used[i] = true;
        rc = logdir_load(f->dir[i], &f->v[i], &conf, &log, e);
        return rc < 0 ? kerr_ctx(e, rc, "%s/%s", logdir_path(f->dir[i]), f->v[i].name)
                      : serve(b, t, index, log, e);
    }
    return KE_NOTFOUND;
}

/* A partition without directory may be one that was being made when the broker was killed; not so
 * after a clean stop. */
static int may_be_made(struct broker *b, const struct catalog_topic *t, int32_t index,
                       struct kerr *e)
{
    struct logdir *d = dir_of(b, t->partitions[index].directory_id);
    char name[256];

    if (b->conf.accept_missing || (d && !logdir_was_clean(d)))
        return 0;
    return kerr_set(e, KE_NOTFOUND,
                    "the catalog lists partition %s-%d, but no directory has it; bring it back, or "
                    "give it up and start it empty with --accept-missing",
                    name_of(t, name), index);
}

static int make_missing(struct broker *b, const struct catalog_topic *t, int32_t index,
                        struct kerr *e)
{
    struct logdir *d = dir_of(b, t->partitions[index].directory_id);
    char name[256];

    diag(b->diag, DIAG_WARN, "partition %s-%d has no directory: starting it empty",
         name_of(t, name), index);
    if (!d) { /* the directory it was in is gone for good */
        struct catalog_partition p = t->partitions[index];
        struct catalog_topic here = *t;
        struct catalog_partition *copy = malloc((size_t)t->partition_count * sizeof *copy);
        int rc;
        if (!copy)
            return kerr_set(e, KE_NOMEM, "partition");
        memcpy(copy, t->partitions, (size_t)t->partition_count * sizeof *copy);
        p.directory_id = logdir_id(b->dirs[0]);
        copy[index] = p;
        here.partitions = copy;
        rc = make(b, &here, index, e);
        free(copy);
        return rc;
    }
    return make(b, t, index, e);
}

static bool is_served(struct broker *b, const struct catalog_topic *t, int32_t index)
{
    struct partition *p = partitions_get(&b->partitions, t->id, index);

    if (p)
        partition_release(&b->partitions, p);
    return p != NULL;
}

static int set_strays_aside(struct broker *b, struct found *f, struct kerr *e)
{
    for (size_t i = 0; i < f->n; i++) {
        int rc;
        if (f->used[i] || logdir_remove_unborn(f->dir[i], &f->v[i]))
            continue;
        diag(b->diag, DIAG_WARN, "%s/%s is not in the catalog: renamed to -stray and kept",
             logdir_path(f->dir[i]), f->v[i].name);
        rc = logdir_set_aside(f->dir[i], &f->v[i], e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int stock_open(struct broker *b, struct kerr *e)
{
    const struct catalog_image *image = catalog_image(b->catalog);
    struct found f;
    int rc = find_all(b, &f, e);

    settings_refresh(b, image);
    for (int32_t i = 0; rc == 0 && i < image->topic_count; i++)
        for (int32_t k = 0; rc == 0 && k < image->topics[i]->partition_count; k++) {
            rc = load(b, image->topics[i], k, &f, e);
            if (rc == KE_NOTFOUND)
                rc = may_be_made(b, image->topics[i], k, e);
        }
    /* Nothing has been changed until here. What has the name of a missing one makes way for it. */
    if (rc == 0)
        rc = set_strays_aside(b, &f, e);
    for (int32_t i = 0; rc == 0 && i < image->topic_count; i++)
        for (int32_t k = 0; rc == 0 && k < image->topics[i]->partition_count; k++)
            if (!is_served(b, image->topics[i], k))
                rc = make_missing(b, image->topics[i], k, e);
    found_free(&f);
    catalog_image_release(image);
    return rc;
}

int stock_present(struct broker *b, bool *present, struct kerr *e)
{
    struct found f;
    int rc = find_all(b, &f, e);

    *present = rc == 0 && f.n > 0;
    found_free(&f);
    return rc;
}

/* ---- adoption ---- */

struct adoption {
    pthread_mutex_t mu;
    pthread_cond_t done;
    int open, failed;
};

static void adopted(void *arg, int err, int64_t index, enum catalog_result result, int64_t value)
{
    struct adoption *a = arg;

    (void)index;
    (void)value;
    pthread_mutex_lock(&a->mu);
    a->open--;
    a->failed += err < 0 || result != CATALOG_DONE;
    pthread_cond_signal(&a->done);
    pthread_mutex_unlock(&a->mu);
}

/* One topic of the directories found, from the entry at first on; its partitions must be all there.
 */
static int adopt_topic(struct broker *b, struct found *f, size_t first, struct adoption *a,
                       struct kerr *e)
{
    const struct logdir_entry *t = &f->v[first];
    struct catalog_stamp stamp = broker_stamp(b);
    struct catalog_topic topic = {.name = slice_str(t->topic), .id = t->topic_id};
    struct catalog_partition *p;
    struct buf cmd = {0};
    int32_t max = -1, seen = 0;
    int rc;

    for (size_t i = first; i < f->n; i++)
        if (uuid_eq(f->v[i].topic_id, t->topic_id)) {
            seen++;
            max = f->v[i].partition > max ? f->v[i].partition : max;
        }
    if (uuid_is_zero(t->topic_id))
        return kerr_set(e, KE_FOREIGN, "%s has no topic id (partition.metadata)", t->name);
    if (seen != max + 1)
        return kerr_set(e, KE_FOREIGN, "topic %s: %d directories, but partition %d is among them",
                        t->topic, seen, max);
    p = calloc((size_t)seen, sizeof *p);
    if (!p)
        return kerr_set(e, KE_NOMEM, "adoption");
    for (size_t i = first; i < f->n; i++)
        if (uuid_eq(f->v[i].topic_id, t->topic_id)) {
            f->used[i] = true;
            p[f->v[i].partition] =
                (struct catalog_partition){f->v[i].partition,   b->conf.node_id,  0, 0,
                                           &b->conf.node_id,    &b->conf.node_id, 1, 1,
                                           logdir_id(f->dir[i])};
        }
    topic.partitions = p;
    topic.partition_count = seen;
    rc = catalog_cmd_create_topic(&cmd, &stamp, &topic);
    if (rc == 0) {
        a->open++;
        rc = catalog_propose(b->catalog, buf_slice(&cmd), adopted, a);
        a->open -= rc < 0;
    }
    if (rc < 0)
        kerr_set(e, rc, "topic %s cannot be adopted", t->topic);
    buf_free(&cmd);
    free(p);
    return rc;
}

int stock_adopt(struct broker *b, struct kerr *e)
{
    struct adoption a = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
    struct found f;
    int rc = find_all(b, &f, e);

    pthread_mutex_lock(&a.mu);
    for (size_t i = 0; rc == 0 && i < f.n; i++)
        if (!f.used[i])
            rc = adopt_topic(b, &f, i, &a, e);
    while (a.open > 0)
        pthread_cond_wait(&a.done, &a.mu);
    pthread_mutex_unlock(&a.mu);
    if (rc == 0 && a.failed)
        rc = kerr_set(e, KE_IO, "%d topics could not be adopted", a.failed);
    found_free(&f);
    return rc;
}

/* ---- following ---- */

static void drop(struct broker *b, const struct catalog_topic *t)
{
    for (int32_t i = 0; i < t->partition_count; i++) {
        struct partition *p = partitions_remove(&b->partitions, t->id, i);
        struct kerr e = {0};
        if (!p)
            continue;
        if (plog_delete(p->log, &e) < 0) {
            diag(b->diag, DIAG_ERROR, "%s; it is set aside at the next start", kerr_msg(&e));
            plog_close(p->log, true);
        }
        partition_free(p);
    }
}

static void changed(void *arg, const struct catalog_topic *before,
                    const struct catalog_topic *after)
{
    struct broker *b = arg;
    struct plog_conf conf;
    struct kerr e = {0};

    if (!after) {
        drop(b, before);
        return;
    }
    broker_plog_conf(b, after, &conf);
    for (int32_t i = 0; i < after->partition_count; i++) {
        struct partition *p = partitions_get(&b->partitions, after->id, i);
        if (p) {
            plog_set_conf(p->log, &conf);
            partition_release(&b->partitions, p);
        } else if (make(b, after, i, &e) < 0) {
            /* the topic stands in the catalog; its partition has no leader until the next start */
            diag(b->diag, DIAG_ERROR, "%s", kerr_msg(&e));
        }
    }
}

/* The brokers' settings have changed: every log may be concerned. */
static void change_all(struct broker *b, const struct catalog_image *image)
{
    settings_refresh(b, image);
    for (int32_t i = 0; i < image->topic_count; i++)
        changed(b, image->topics[i], image->topics[i]);
}

void stock_follow(void *broker, const struct catalog_image *before,
                  const struct catalog_image *after)
{
    struct broker *b = broker;

    pthread_mutex_lock(&b->stock_mu);
    catalog_image_diff(before, after, changed, b);
    if (before->broker_configs != after->broker_configs)
        change_all(b, after);
    pthread_mutex_unlock(&b->stock_mu);
}

/* The image is published before it is followed: one taken under the lock is not behind what was
 * followed, so nothing that has been dropped is made again. */
void stock_refresh(struct broker *b)
{
    const struct catalog_image *image;

    pthread_mutex_lock(&b->stock_mu);
    image = catalog_image(b->catalog);
    change_all(b, image);
    catalog_image_release(image);
    pthread_mutex_unlock(&b->stock_mu);
}

struct listed {
    struct partition **v;
    size_t n;
};

static void list_one(void *arg, struct partition *p)
{
    struct listed *l = arg;

    l->v[l->n++] = p;
}

void stock_close(struct broker *b, bool clean)
{
    struct listed l = {calloc((size_t)partitions_count(&b->partitions) + 1, sizeof *l.v), 0};

    if (!l.v)
        return;
    partitions_each(&b->partitions, list_one, &l);
    for (size_t i = 0; i < l.n; i++) {
        struct partition *p = partitions_remove(&b->partitions, l.v[i]->topic_id, l.v[i]->index);
        plog_close(p->log, clean);
        partition_free(p);
    }
    free(l.v);
}
