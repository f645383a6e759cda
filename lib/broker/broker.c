#include "broker/broker.h"

#include "broker/core.h"
#include "broker/reactor.h"
#include "broker/reload.h"
#include "broker/scrape.h"
#include "broker/sessions.h"
#include "broker/stock.h"
#include "os/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define POOL_THREADS    8 /* at most, of each pool */
#define CHORES_EVERY_MS 60000
#define FLUSH_LINGER_NS INT64_C(2000000)
#define MIN_FREE_BYTES  ((int64_t)16 << 20)

/* ---- housekeeping ---- */

/* When there is: soon. Else when old segments may have to go (log.retention.check.interval.ms). */
static void set_tick(struct broker *b, bool soon)
{
    int64_t ms = b->live.retention_check_ms;

    net_timer_set(&b->tick, soon && ms > CHORES_EVERY_MS ? CHORES_EVERY_MS : ms);
}

void broker_tick_changed(struct broker *b)
{
    set_tick(b, atomic_load(&b->dirty));
}

static void arm(struct net_task *t)
{
    set_tick((struct broker *)((char *)t - offsetof(struct broker, arm)), true);
}

void broker_touch(struct broker *b)
{
    if (!atomic_load_explicit(&b->dirty, memory_order_relaxed) && !atomic_exchange(&b->dirty, true))
        net_post(b->reactors[0]->loop, &b->arm);
}

static void tick_one(void *arg, struct partition *p)
{
    struct broker *b = arg;
    struct kerr e = {0};

    if (plog_tick(p->log, os_wall(b->clock), &e) < 0)
        diag(b->diag, DIAG_ERROR, "%s: %s", plog_name(p->log), kerr_msg(&e));
}

static void sweep_one(void *arg, struct partition *p)
{
    struct broker *b = arg;
    struct kerr e = {0};

    if (plog_sweep(p->log, &e) < 0)
        diag(b->diag, DIAG_ERROR, "%s: %s", plog_name(p->log), kerr_msg(&e));
}

/* On the pool: rolls by time, what is idle for too long, retention; checkpoints; then what they say
 * is gone may go. */
static void do_chores(struct pool_task *t)
{
    struct broker *b = (struct broker *)((char *)t - offsetof(struct broker, chores));

    partitions_each(&b->partitions, tick_one, b);
    for (int i = 0; i < b->dir_count; i++) {
        struct kerr e = {0};
        if (logdir_checkpoint(b->dirs[i], &e) < 0)
            diag(b->diag, DIAG_ERROR, "%s", kerr_msg(&e));
    }
    partitions_each(&b->partitions, sweep_one, b);
    net_post(b->reactors[0]->loop, &b->chores_done);
}

static void chores_done(struct net_task *t)
{
    struct broker *b = (struct broker *)((char *)t - offsetof(struct broker, chores_done));

    b->chores.run = NULL;
    if (!atomic_load(&b->dirty)) /* else it is set, or about to be */
        set_tick(b, false);
}

static void ticked(struct net_timer *t)
{
    struct broker *b = (struct broker *)((char *)t - offsetof(struct broker, tick));

    if (b->chores.run) { /* the last round has not ended yet */
        set_tick(b, true);
        return;
    }
    atomic_store(&b->dirty, false);
    b->chores.run = do_chores;
    if (pool_submit(b->pool, &b->chores) == 0)
        return;
    b->chores.run = NULL;
    set_tick(b, true);
}

/* ---- connections ---- */

static void accepted(void *arg, int fd, const struct net_addr *peer)
{
    struct door *door = arg;
    struct broker *b = door->broker;
    char address[GUEST_ADDRESS];

    if (atomic_fetch_add(&b->connections, 1) >= b->live.connections_max) {
        atomic_fetch_sub(&b->connections, 1);
        counter_add(&b->reactors[0]->conns.refused[CONNECTION_OVER_MAX], 1);
        close(fd);
        if (said_may_again(&b->crowded, os_mono(b->clock)))
            diag(b->diag, DIAG_WARN, "over %lld connections (max.connections): refusing more",
                 (long long)b->live.connections_max);
        return;
    }
    snprintf(address, sizeof address, "%.45s", peer->is_unix ? "" : peer->host);
    if (!guests_enter(b->guests, address)) {
        atomic_fetch_sub(&b->connections, 1);
        counter_add(&b->reactors[0]->conns.refused[CONNECTION_PEER_LIMIT], 1);
        close(fd);
        return;
    }
    reactor_give(b->reactors[b->next_reactor], fd, door->index, address);
    b->next_reactor = (b->next_reactor + 1) % b->reactor_count;
}

void broker_advertised(const struct broker *b, int listener, const struct net_addr *local,
                       struct net_addr *out)
{
    *out = *net_listener_addr(b->listeners[listener]);
    if (out->is_unix) /* clients of a Unix listener stay on it */
        return;
    for (int i = 0; i < b->conf.advertised_count; i++)
        if (strcmp(b->conf.advertised[i].listener, out->listener) == 0) {
            *out = b->conf.advertised[i];
            return;
        }
    if (net_addr_is_any(out))
        memcpy(out->host, local->host, sizeof out->host);
}

/* ---- life ---- */

static void catalog_died(void *arg)
{
    struct broker *b = arg;
    const uint64_t one = 1;

    diag(b->diag, DIAG_ERROR, "the catalog has failed; the broker must stop");
    if (write(b->fatal_fd, &one, sizeof one) < 0)
        abort(); /* an eventfd that was never read cannot be full */
}

static int open_dirs(struct broker *b, struct kerr *e)
{
    for (int i = 0; i < b->conf.dir_count; i++) {
        struct logdir_conf c = {
            .path = b->conf.dirs[i],
            .node_id = b->conf.node_id,
            .clock = b->clock,
            .diag = &b->loggers.diag[LOGGER_LOG],
            .pool = b->flush_pool,
            .flush_linger_ns = FLUSH_LINGER_NS,
            .producer_expiry_ms = b->conf.producer_expiry_ms,
            .max_files = b->conf.files_max / b->conf.dir_count,
            .min_free_bytes = MIN_FREE_BYTES,
            .unsafe_fs = b->conf.unsafe_fs,
        };
        int rc = logdir_open(&b->dirs[i], &c, &b->cluster_id, e);
        if (rc < 0)
            return rc;
        b->dir_count++;
    }
    return 0;
}

static int open_catalog(struct broker *b, struct kerr *e)
{
    struct catalog_conf c = {
        .dir = b->conf.metadata_dir ? b->conf.metadata_dir : b->conf.dirs[0],
        .cluster_id = b->cluster_id,
        .diag = &b->loggers.diag[LOGGER_CATALOG],
        .failed = catalog_died,
        .arg = b,
    };
    const struct catalog_image *image;
    bool present = false, adopt = false, same;
    int rc = catalog_open(&b->catalog, &c, false, e);

    if (rc == KE_NOTFOUND) {
        rc = stock_present(b, &present, e);
        if (rc == 0 && present && !b->conf.adopt)
            return kerr_set(
                e, KE_FOREIGN,
                "%s has partitions but %s has no catalog; bring it back, or make one of what "
                "is there with --adopt",
                b->conf.dirs[0], c.dir);
        adopt = present;
        if (rc == 0)
            rc = catalog_open(&b->catalog, &c, true, e);
    }
    if (rc < 0)
        return rc;
    image = catalog_image(b->catalog);
    same = uuid_eq(image->cluster_id, b->cluster_id);
    catalog_image_release(image);
    if (!same)
        return kerr_set(e, KE_FOREIGN, "the catalog in %s is that of another cluster than %s",
                        c.dir, b->conf.dirs[0]);
    return adopt ? stock_adopt(b, e) : 0;
}

static int make_reactors(struct broker *b, struct kerr *e)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int n = b->conf.threads ? b->conf.threads : (cores > 0 ? (int)cores : 1);

    b->reactors = calloc((size_t)n, sizeof(struct reactor *));
    if (!b->reactors)
        return kerr_set(e, KE_NOMEM, "reactors");
    for (int i = 0; i < n; i++) {
        int rc = reactor_new(&b->reactors[i], b, e);
        if (rc < 0)
            return rc;
        b->reactor_count++;
    }
    net_timer_init(&b->tick, b->reactors[0]->loop, ticked);
    b->arm.run = arm;
    b->chores_done.run = chores_done;
    return 0;
}

static int open_listeners(struct broker *b, struct kerr *e)
{
    for (int i = 0; i < b->conf.listener_count; i++) {
        struct net_listener_conf c = {b->conf.listeners[i], &b->loggers.diag[LOGGER_NET], accepted,
                                      &b->doors[i]};
        int rc = net_listener_new(&b->listeners[i], b->reactors[0]->loop, &c, e);
        if (rc < 0)
            return rc;
        b->doors[i] = (struct door){b, i};
        b->listener_count++;
    }
    return b->conf.has_metrics ? scrape_open(&b->scrape, b, e) : 0;
}

/* What is sent there anyone on the way can read and change, and anyone who reaches it may send. */
static void warn_plaintext(const struct broker *b, const struct net_addr *a)
{
    char text[300];

    if (b->conf.warn_plaintext && !net_addr_is_local(a))
        diag(b->diag, DIAG_WARN,
             "listener %s serves other machines, in plain text and whoever they are "
             "(warn.plaintext.listeners=false: say nothing)",
             net_addr_format(a, text, sizeof text));
}

static int start(struct broker *b, struct kerr *e)
{
    int rc = 0;

    set_tick(b, true);
    for (int i = 0; rc == 0 && i < b->listener_count; i++)
        rc = net_listener_start(b->listeners[i], e);
    for (int i = 0; rc == 0 && i < b->reactor_count; i++)
        rc = reactor_start(b->reactors[i], e);
    for (int i = 0; rc == 0 && i < b->listener_count; i++)
        warn_plaintext(b, net_listener_addr(b->listeners[i]));
    if (rc == 0 && b->scrape)
        warn_plaintext(b, scrape_addr(b->scrape));
    return rc;
}

/* Takes the configuration over: c is left empty. */
static int open_all(struct broker *b, struct kerr *e)
{
    int rc = pool_new(&b->pool, POOL_THREADS, e);

    if (rc == 0)
        rc = pool_new(&b->flush_pool, POOL_THREADS, e);
    if (rc == 0)
        rc = pool_new(&b->append_pool, POOL_THREADS, e);
    b->partitions.pool = b->append_pool;
    b->sessions = sessions_new(b->conf.sessions_max);
    if (rc == 0 && !b->sessions)
        rc = kerr_set(e, KE_NOMEM, "fetch sessions");
    b->guests = guests_new(b->clock, b->diag, &b->conf.guests);
    if (rc == 0 && !b->guests)
        rc = kerr_set(e, KE_NOMEM, "connections");
    if (rc == 0)
        rc = make_reactors(b, e);
    if (rc == 0)
        rc = open_listeners(b, e); /* a port in use is found before anything is touched */
    if (rc == 0)
        rc = open_dirs(b, e);
    if (rc == 0)
        rc = open_catalog(b, e);
    if (rc == 0)
        rc = stock_open(b, e);
    if (rc == 0) {
        catalog_subscribe(b->catalog, stock_follow, b);
        rc = start(b, e);
    }
    return rc;
}

int broker_new(struct broker **out, struct broker_conf *conf, const struct broker_env *env,
               struct kerr *e)
{
    struct broker *b = calloc(1, sizeof *b);
    int rc;

    *out = NULL;
    if (!b)
        return kerr_set(e, KE_NOMEM, "broker");
    b->conf = *conf;
    broker_conf_init(conf);
    b->clock = env->clock ? env->clock : os_clock_real();
    b->started = os_wall(b->clock);
    loggers_init(&b->loggers, env->diag);
    b->diag = &b->loggers.diag[LOGGER_BROKER];
    b->fatal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    os_random(&b->proposer, sizeof b->proposer);
    pthread_mutex_init(&b->ids_mu, NULL);
    pthread_mutex_init(&b->quiet_mu, NULL);
    hash_init(&b->quiet, os_random_u64(), os_random_u64());
    pthread_mutex_init(&b->stock_mu, NULL);
    b->lap_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    partitions_init(&b->partitions, NULL);
    rc = live_init(b, e);
    if (rc == 0)
        rc = open_all(b, e);
    if (rc < 0) {
        broker_free(b, 0, NULL);
        return rc;
    }
    *out = b;
    return 0;
}

const struct net_addr *broker_listener(const struct broker *b, int i)
{
    return i < b->listener_count ? net_listener_addr(b->listeners[i]) : NULL;
}

const struct net_addr *broker_metrics_listener(const struct broker *b)
{
    return b->scrape ? scrape_addr(b->scrape) : NULL;
}

int broker_topic_count(const struct broker *b)
{
    const struct catalog_image *i = catalog_image(b->catalog);
    int n = i->topic_count;

    catalog_image_release(i);
    return n;
}

int broker_fatal_fd(const struct broker *b)
{
    return b->fatal_fd;
}

/* ---- the end ---- */

struct closing {
    struct net_task task;
    struct broker *b;
    pthread_mutex_t mu;
    pthread_cond_t cond;
    bool done;
};

static void close_doors(struct net_task *t)
{
    struct closing *c = (struct closing *)t;

    for (int i = 0; i < c->b->listener_count; i++)
        net_listener_stop(c->b->listeners[i]);
    if (c->b->scrape)
        scrape_stop(c->b->scrape);
    net_timer_clear(&c->b->tick);
    pthread_mutex_lock(&c->mu);
    c->done = true;
    pthread_cond_signal(&c->cond);
    pthread_mutex_unlock(&c->mu);
}

static void stop_accepting(struct broker *b)
{
    struct closing c = {.task = {close_doors, NULL},
                        .b = b,
                        .mu = PTHREAD_MUTEX_INITIALIZER,
                        .cond = PTHREAD_COND_INITIALIZER};

    if (b->reactor_count == 0)
        return;
    if (!b->reactors[0]->running) {
        close_doors(&c.task);
        return;
    }
    net_post(b->reactors[0]->loop, &c.task);
    pthread_mutex_lock(&c.mu);
    while (!c.done)
        pthread_cond_wait(&c.cond, &c.mu);
    pthread_mutex_unlock(&c.mu);
}

/* All at once: the grace is the broker's, not each reactor's. */
static void stop_reactors(struct broker *b, int64_t grace_ms)
{
    for (int i = 0; i < b->reactor_count; i++)
        reactor_stop(b->reactors[i], grace_ms);
    for (int i = 0; i < b->reactor_count; i++)
        reactor_join(b->reactors[i]);
}

static void give_up(void *arg, struct partition *p)
{
    (void)arg;
    atomic_store(&p->gone, true);
}

/* What is still under way has lost its connection: it ends, on this thread. */
static void run_out(struct broker *b)
{
    bool open = true;

    partitions_each(&b->partitions, give_up, NULL);
    partitions_wake_all(&b->partitions);
    while (open) {
        open = b->chores.run != NULL || (b->scrape && scrape_busy(b->scrape));
        for (int i = 0; i < b->reactor_count; i++) {
            net_loop_once(b->reactors[i]->loop, 0);
            open |= b->reactors[i]->open_requests > 0;
        }
        if (open)
            net_loop_once(b->reactors[0]->loop, 1);
    }
}

static int close_dirs(struct broker *b, bool clean, struct kerr *e)
{
    int rc = 0;

    for (int i = 0; i < b->dir_count; i++) {
        int one = logdir_close(b->dirs[i], clean, rc == 0 ? e : NULL);
        rc = rc == 0 ? one : rc;
    }
    return rc;
}

int broker_free(struct broker *b, int64_t grace_ms, struct kerr *e)
{
    bool clean = b->catalog && !catalog_failed(b->catalog) && b->reactor_count > 0 &&
                 b->reactors[0]->running;
    int rc;

    stop_accepting(b);
    atomic_store(&b->stopping, true);
    partitions_wake_readers(&b->partitions);
    stop_reactors(b, grace_ms);
    /* the catalog's thread may be waiting for a request to let go of a partition */
    if (b->reactor_count > 0)
        run_out(b);
    if (b->catalog)
        catalog_close(b->catalog);
    stock_close(b, clean);
    rc = close_dirs(b, clean, e);
    pool_free(b->pool); /* its cold reads give way to the flushes */
    pool_free(b->append_pool);
    pool_free(b->flush_pool);
    for (int i = 0; i < b->listener_count; i++)
        net_listener_free(b->listeners[i]);
    scrape_free(b->scrape);
    for (int i = 0; i < b->reactor_count; i++)
        reactor_free(b->reactors[i]);
    free(b->reactors);
    partitions_free(&b->partitions);
    sessions_free(b->sessions);
    guests_free(b->guests);
    pthread_mutex_destroy(&b->ids_mu);
    pthread_mutex_destroy(&b->quiet_mu);
    hash_free(&b->quiet);
    pthread_mutex_destroy(&b->stock_mu);
    close(b->fatal_fd);
    loggers_free(&b->loggers);
    close(b->lap_fd);
    live_free(b);
    broker_conf_free(&b->conf);
    free(b);
    return rc;
}
