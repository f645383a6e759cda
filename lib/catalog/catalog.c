#include "catalog/catalog.h"

#include "catalog/apply.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* How many commands one transaction takes at most: enough to share a sync, few enough that the
 * first of them does not wait for a crowd. */
#define GROUP_MAX 256

struct proposal {
    struct proposal *next;
    catalog_done_fn done;
    void *arg;
    struct applied applied;
    struct slice cmd;
    uint8_t bytes[];
};

struct watcher {
    catalog_watch_fn fn;
    void *arg;
};

struct catalog {
    struct catalog_conf conf;
    pthread_t writer;
    pthread_mutex_t lock; /* guards what follows up to here */
    pthread_cond_t wake;
    struct proposal *first, **last;
    bool closing;
    struct watcher watchers[CATALOG_WATCHERS];
    size_t watcher_count;
    const struct catalog_image *image; /* to here; the writer alone changes it */
    atomic_bool failed;
    struct store store; /* the writer's */
};

bool catalog_failed(const struct catalog *c)
{
    return atomic_load(&c->failed);
}

const struct catalog_image *catalog_image(struct catalog *c)
{
    const struct catalog_image *i;

    pthread_mutex_lock(&c->lock);
    i = catalog_image_hold(c->image);
    pthread_mutex_unlock(&c->lock);
    return i;
}

void catalog_subscribe(struct catalog *c, catalog_watch_fn fn, void *arg)
{
    pthread_mutex_lock(&c->lock);
    if (c->watcher_count < CATALOG_WATCHERS)
        c->watchers[c->watcher_count++] = (struct watcher){fn, arg};
    pthread_mutex_unlock(&c->lock);
}

int catalog_propose(struct catalog *c, struct slice cmd, catalog_done_fn done, void *arg)
{
    struct proposal *p = malloc(sizeof *p + cmd.n);

    if (!p)
        return KE_NOMEM;
    *p = (struct proposal){.done = done, .arg = arg};
    if (cmd.n)
        memcpy(p->bytes, cmd.p, cmd.n);
    p->cmd = slice_of(p->bytes, cmd.n);
    pthread_mutex_lock(&c->lock);
    *c->last = p;
    c->last = &p->next;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    return 0;
}

/* ---- the writer --------------------------------------------------------------------------------
 */

/* The next few proposals in order, or NULL when the catalog is closing and none is left. */
static struct proposal *take_group(struct catalog *c)
{
    struct proposal *group, **end;
    int n = 0;

    pthread_mutex_lock(&c->lock);
    while (!c->first && !c->closing)
        pthread_cond_wait(&c->wake, &c->lock);
    group = c->first;
    for (end = &group; *end && n < GROUP_MAX; n++)
        end = &(*end)->next;
    c->first = *end;
    *end = NULL;
    if (!c->first)
        c->last = &c->first;
    pthread_mutex_unlock(&c->lock);
    return group;
}

static void die(struct catalog *c, const struct kerr *e)
{
    diag(c->conf.diag, DIAG_ERROR, "catalog: %s", kerr_msg(e));
    if (!atomic_exchange(&c->failed, true) && c->conf.failed)
        c->conf.failed(c->conf.arg);
}

/* Everything up to the commit. *next is the image that the commit makes true. */
static int apply_group(struct catalog *c, struct proposal *group, struct edit *ed,
                       const struct catalog_image **next, struct kerr *e)
{
    int rc = store_run(&c->store, STORE_BEGIN, e);

    for (struct proposal *p = group; rc == 0 && p; p = p->next)
        rc = catalog_apply(&c->store, ed, ed->index + 1, p->cmd, &p->applied, e);
    if (rc == 0 && !(*next = edit_build(ed)))
        rc = kerr_set(e, KE_NOMEM, "make the next image");
    return rc;
}

/* Readers see it, then watchers are told. */
static void publish(struct catalog *c, const struct catalog_image *next, bool topics)
{
    const struct catalog_image *before = c->image;
    const bool tell = topics || next->broker_configs != before->broker_configs;
    struct watcher watchers[CATALOG_WATCHERS];
    size_t n;

    pthread_mutex_lock(&c->lock);
    c->image = next;
    n = tell ? c->watcher_count : 0;
    memcpy(watchers, c->watchers, sizeof watchers);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < n; i++)
        watchers[i].fn(watchers[i].arg, before, next);
    catalog_image_release(before);
}

static void answer_group(struct proposal *group, int err)
{
    while (group) {
        struct proposal *next = group->next;
        struct applied *a = &group->applied;
        if (err || a->err)
            group->done(group->arg, err ? err : a->err, -1, CATALOG_INVALID, 0);
        else
            group->done(group->arg, 0, a->index, a->result, a->value);
        free(group);
        group = next;
    }
}

static bool goes_on(int rc)
{
    return rc == KE_NOMEM || rc == KE_NOSPACE || rc == KE_LOCKED;
}

/* One transaction. What the proposals are to be told: 0, or the error that they share. */
static int run_group(struct catalog *c, struct proposal *group)
{
    const struct catalog_image *next = NULL;
    struct kerr e = {0};
    struct edit ed;
    bool commits;
    int rc;

    edit_init(&ed, c->image);
    rc = apply_group(c, group, &ed, &next, &e);
    commits = rc == 0;
    if (commits)
        rc = store_run(&c->store, STORE_COMMIT, &e);
    if (rc == 0) {
        publish(c, next, ed.n > 0);
    } else {
        catalog_image_release(next);
        if (!store_rollback(&c->store) || !goes_on(rc)) {
            die(c, &e);
            rc = commits ? KE_UNKNOWN_OUTCOME : KE_IO;
        } else {
            diag(c->conf.diag, DIAG_WARN, "catalog: not changed: %s", kerr_msg(&e));
        }
    }
    edit_free(&ed);
    return rc;
}

static void *writer(void *arg)
{
    struct catalog *c = arg;
    struct proposal *group;
    struct kerr e;

    while ((group = take_group(c)) != NULL) {
        answer_group(group, catalog_failed(c) ? KE_IO : run_group(c, group));
        if (!catalog_failed(c) && store_checkpoint(&c->store, &e) < 0)
            die(c, &e);
    }
    return NULL;
}

/* ---- open and close ----------------------------------------------------------------------------
 */

static const char new_name[] = CATALOG_FILE ".new";

/* The first command of every catalog. Its stamp is all zero: it comes from nobody. */
static int set_cluster_id(struct store *s, struct uuid id, struct kerr *e)
{
    const struct catalog_stamp stamp = {0};
    const struct catalog_image *image = NULL;
    struct applied applied = {0};
    struct edit ed;
    struct buf cmd = {0};
    int rc = catalog_cmd_set_cluster_id(&cmd, &stamp, id);

    if (rc == 0)
        rc = store_load(s, &image, e);
    else
        kerr_set(e, rc, "set the cluster id");
    if (rc == 0) {
        edit_init(&ed, image);
        rc = store_run(s, STORE_BEGIN, e);
        if (rc == 0)
            rc = catalog_apply(s, &ed, 1, buf_slice(&cmd), &applied, e);
        if (rc == 0 && (applied.err || applied.result != CATALOG_DONE))
            rc = kerr_set(e, KE_INVALID, "the cluster id is zero");
        if (rc == 0)
            rc = store_run(s, STORE_COMMIT, e);
        edit_free(&ed);
    }
    catalog_image_release(image);
    buf_free(&cmd);
    return rc;
}

static int make(struct store *s, const struct catalog_conf *conf, int dirfd, struct kerr *e)
{
    int rc = store_make(s, dirfd, conf->dir, new_name, e);

    if (rc < 0)
        return rc;
    rc = set_cluster_id(s, conf->cluster_id, e);
    if (rc < 0) {
        store_close(s, false);
        return rc;
    }
    return store_finish(s, dirfd, new_name, e);
}

static int open_store(struct catalog *c, bool create, struct kerr *e)
{
    int dirfd = os_openat(AT_FDCWD, c->conf.dir, O_RDONLY | O_DIRECTORY, 0);
    int rc;

    if (dirfd < 0)
        return kerr_sys(e, errno == EACCES ? KE_DENIED : KE_IO, "open");
    rc = store_check(dirfd, CATALOG_FILE, e);
    if (rc == KE_NOTFOUND && create)
        rc = make(&c->store, &c->conf, dirfd, e);
    if (rc == 0)
        rc = store_open(&c->store, c->conf.dir, CATALOG_FILE, e);
    os_close(dirfd);
    return rc < 0 ? kerr_ctx(e, rc, CATALOG_FILE) : 0;
}

static void dispose(struct catalog *c)
{
    store_close(&c->store, catalog_failed(c));
    catalog_image_release(c->image);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

int catalog_open(struct catalog **out, const struct catalog_conf *conf, bool create, struct kerr *e)
{
    struct catalog *c = calloc(1, sizeof *c);
    int rc;

    *out = NULL;
    if (!c)
        return kerr_set(e, KE_NOMEM, "open the catalog");
    c->conf = *conf;
    c->last = &c->first;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    rc = open_store(c, create, e);
    if (rc == 0) {
        rc = store_load(&c->store, &c->image, e);
        if (rc < 0)
            kerr_ctx(e, rc, CATALOG_FILE);
    }
    if (rc == 0 && (errno = pthread_create(&c->writer, NULL, writer, c)) != 0)
        rc = kerr_sys(e, KE_NOMEM, "start the catalog's thread");
    if (rc < 0) {
        kerr_ctx(e, rc, "%s", conf->dir);
        dispose(c);
        return rc;
    }
    c->conf.dir = NULL; /* the caller's, and not needed any more */
    *out = c;
    return 0;
}

void catalog_close(struct catalog *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->writer, NULL);
    dispose(c);
}
