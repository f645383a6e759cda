#include "log/logdir.h"

#include "log/checkpoint.h"
#include "log/logdir_impl.h"
#include "os/file.h"
#include "os/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CLEAN ".kafka_cleanshutdown"
#define META  "meta.properties"

/* ---- whose directory is it ---- */

/* File systems whose fdatasync is a promise of another machine or program. */
static const char *unsafe_fs(long magic)
{
    static const struct {
        long magic;
        const char *name;
    } list[] = {{0x6969, "NFS"},
                {0x517B, "SMB"},
                {(long)0xFF534D42, "CIFS"},
                {(long)0xFE534D42, "SMB2"},
                {0x65735546, "FUSE"},
                {0x01021997, "9P"},
                {0x5346414F, "AFS"},
                {0x00C36400, "Ceph"},
                {0x73757245, "Coda"},
                {0x0BD00BD0, "Lustre"},
                {0x01161970, "GFS2"},
                {0x7461636F, "OCFS2"}};

    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        if ((unsigned long)(uint32_t)list[i].magic == (unsigned long)(uint32_t)magic)
            return list[i].name;
    return NULL;
}

static int check_fs(struct logdir *d, struct kerr *e)
{
    const char *name;
    struct statfs v;

    if (fstatfs(d->fd, &v) < 0)
        return kerr_sys(e, KE_IO, "%s: statfs", d->path);
    name = unsafe_fs((long)v.f_type);
    if (name && !d->conf.unsafe_fs)
        return kerr_set(e, KE_FOREIGN,
                        "%s is on %s, where what is flushed may still be lost; use a local file "
                        "system, or accept it with --unsafe-fs",
                        d->path, name);
    return 0;
}

/* May a directory without meta.properties have this in it? */
static bool is_ours(const char *name)
{
    static const char *const allowed[] = {".", "..", ".lock", "lost+found", META ".tmp"};

    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        if (strcmp(name, allowed[i]) == 0)
            return true;
    return strncmp(name, "catalog.db", 10) == 0;
}

static int check_empty(struct logdir *d, struct kerr *e)
{
    int fd = os_openat(d->fd, ".", O_RDONLY | O_DIRECTORY, 0), rc = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    char text[DIAG_ESCAPED_MAX];

    if (!dir) {
        rc = kerr_sys(e, KE_IO, "%s: read the directory", d->path);
        if (fd >= 0)
            os_close(fd);
        return rc;
    }
    while (rc == 0 && (entry = readdir(dir)) != NULL)
        if (!is_ours(entry->d_name))
            rc = kerr_set(e, KE_FOREIGN, "%s is no log directory: it has %s in it and no " META,
                          d->path, diag_escape(text, sizeof text, slice_str(entry->d_name)));
    closedir(dir);
    return rc;
}

static struct uuid random_id(void)
{
    struct uuid u;

    os_random(u.b, sizeof u.b);
    u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x40);
    u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
    /* Apache Kafka avoids texts that begin with a dash: they look like options. */
    if (u.b[0] >> 2 == 62)
        u.b[0] ^= 0x80;
    return u;
}

static int write_meta(struct logdir *d, const struct meta_properties *m, struct kerr *e)
{
    struct buf b = {0};
    int rc = 0;

    meta_properties_encode(&b, m);
    if (b.failed)
        rc = kerr_set(e, KE_NOMEM, META);
    else if (os_replace(d->fd, META, b.p, b.n) < 0)
        rc = kerr_sys(e, KE_IO, "%s: write " META, d->path);
    buf_free(&b);
    return rc;
}

static int identify(struct logdir *d, struct uuid *cluster_id, struct kerr *e)
{
    struct meta_properties m = {.node_id = d->conf.node_id};
    char mine[UUID_TEXT], theirs[UUID_TEXT];
    size_t n = 0;
    char *p = os_read_all(d->fd, META, 1 << 16, &n);
    bool found = p != NULL;
    int rc = 0;

    if (p)
        rc = meta_properties_decode(slice_of(p, n), &m, e);
    else if (errno != ENOENT)
        rc = kerr_sys(e, KE_IO, "%s: read " META, d->path);
    else
        rc = check_empty(d, e);
    free(p);
    if (rc < 0)
        return rc == KE_CORRUPT || rc == KE_UNSUPPORTED ? kerr_ctx(e, KE_FOREIGN, "%s", d->path)
                                                        : rc;
    if (m.node_id != d->conf.node_id)
        return kerr_set(e, KE_FOREIGN, "%s belongs to node.id %d, this is node.id %d", d->path,
                        m.node_id, d->conf.node_id);
    if (found && !uuid_is_zero(*cluster_id) && !uuid_eq(*cluster_id, m.cluster_id))
        return kerr_set(e, KE_FOREIGN, "%s belongs to cluster %s, this is cluster %s", d->path,
                        uuid_format(m.cluster_id, theirs), uuid_format(*cluster_id, mine));
    if (!found)
        m.cluster_id = uuid_is_zero(*cluster_id) ? random_id() : *cluster_id;
    *cluster_id = m.cluster_id;
    if (!found || uuid_is_zero(m.directory_id)) {
        m.directory_id = random_id();
        rc = write_meta(d, &m, e);
    }
    d->id = m.directory_id;
    return rc;
}

/* ---- the lock ---- */

/* An open-file-description lock: it meets Apache Kafka's (a POSIX one) as well as a second broker
 * in this process. The pid in the file is for people. */
static int take_lock(struct logdir *d, struct kerr *e)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char pid[32] = "";
    ssize_t k;
    int n;

    d->lock_fd = os_openat(d->fd, ".lock", O_RDWR | O_CREAT, 0600);
    if (d->lock_fd < 0)
        return kerr_sys(e, KE_IO, "%s: open .lock", d->path);
    if (fcntl(d->lock_fd, F_OFD_SETLK, &lock) < 0) {
        if (errno != EAGAIN && errno != EACCES)
            return kerr_sys(e, KE_IO, "%s: lock", d->path);
        k = os_pread(d->lock_fd, pid, sizeof pid - 1, 0);
        n = k > 0 ? atoi(pid) : 0;
        if (n > 0)
            return kerr_set(e, KE_LOCKED, "%s is in use by another kbroker (pid %d)", d->path, n);
        return kerr_set(e, KE_LOCKED, "%s is in use by another process", d->path);
    }
    n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (os_ftruncate(d->lock_fd, 0) < 0 || os_pwrite(d->lock_fd, pid, (size_t)n, 0) < 0)
        diag(d->conf.diag, DIAG_WARN, "%s: the process id could not be written to .lock", d->path);
    return 0;
}

/* ---- open and close ---- */

/* A directory that was made is there after a crash only when its parent says so. Where that may not
 * be read, it was not made here. */
static int sync_parent(const char *path, struct kerr *e)
{
    const char *end = path + strlen(path);
    char *parent;
    int fd, rc = 0;

    while (end > path && end[-1] == '/')
        end--;
    while (end > path && end[-1] != '/')
        end--;
    parent = end > path ? strndup(path, (size_t)(end - path)) : strdup(".");
    if (!parent)
        return kerr_set(e, KE_NOMEM, "sync the directory of %s", path);
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 ? errno != EACCES : os_fsync(fd) < 0)
        rc = kerr_sys(e, KE_IO, "sync %s", parent);
    if (fd >= 0)
        os_close(fd);
    free(parent);
    return rc;
}

static int open_directory(struct logdir *d, struct kerr *e)
{
    if (os_mkdirat(AT_FDCWD, d->path, 0700) < 0 && errno != EEXIST)
        return kerr_sys(e, KE_IO, "mkdir %s", d->path);
    /* The path may lead through links, the last name too: it is the user's. */
    d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0)
        return kerr_sys(e, errno == EACCES ? KE_DENIED : KE_IO, "open %s", d->path);
    return 0;
}

/* The mark of a clean stop goes before anything is served. */
static int take_clean_mark(struct logdir *d, struct kerr *e)
{
    if (os_unlinkat(d->fd, CLEAN, 0) == 0)
        d->was_clean = true;
    else if (errno != ENOENT)
        return kerr_sys(e, KE_IO, "%s: unlink " CLEAN, d->path);
    /* What a crash has left of logs that were never flushed is served, and seen by others, from now
     * on. */
    if ((d->was_clean ? os_fsync(d->fd) : os_syncfs(d->fd)) < 0)
        return kerr_sys(e, KE_IO, "%s: sync", d->path);
    return 0;
}

static void destroy(struct logdir *d)
{
    logdir_stop_queue(d);
    logdir_checkpoints_free(d);
    if (d->lock_fd >= 0)
        os_close(d->lock_fd);
    if (d->fd >= 0)
        os_close(d->fd);
    pthread_mutex_destroy(&d->mu);
    pthread_mutex_destroy(&d->queue_mu);
    pthread_cond_destroy(&d->queue_cv);
    free(d->path);
    free(d);
}

static struct logdir *new_logdir(const struct logdir_conf *c)
{
    struct logdir *d = calloc(1, sizeof *d);
    pthread_condattr_t attr;

    if (d)
        d->path = strdup(c->path);
    if (!d || !d->path) {
        free(d);
        return NULL;
    }
    d->conf = *c;
    d->conf.path = d->path;
    d->producer_expiry_ms = c->producer_expiry_ms;
    if (!d->conf.clock)
        d->conf.clock = os_clock_real();
    d->fd = d->lock_fd = -1;
    d->clean = true;
    pthread_mutex_init(&d->mu, NULL);
    pthread_mutex_init(&d->queue_mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->queue_cv, &attr);
    pthread_condattr_destroy(&attr);
    return d;
}

int logdir_open(struct logdir **out, const struct logdir_conf *c, struct uuid *cluster_id,
                struct kerr *e)
{
    struct logdir *d = new_logdir(c);
    int rc;

    if (!d)
        return kerr_set(e, KE_NOMEM, "log directory");
    rc = open_directory(d, e);
    if (rc == 0)
        rc = check_fs(d, e);
    if (rc == 0 && faccessat(d->fd, META, F_OK, 0) < 0) {
        rc = check_empty(d, e); /* before a .lock is left in somebody else's directory */
        if (rc == 0)
            rc = sync_parent(d->path, e);
    }
    if (rc == 0)
        rc = take_lock(d, e);
    if (rc == 0)
        rc = identify(d, cluster_id, e);
    if (rc == 0)
        rc = logdir_checkpoints_load(d, e);
    if (rc == 0)
        rc = take_clean_mark(d, e);
    if (rc < 0) {
        destroy(d);
        return rc;
    }
    *out = d;
    return 0;
}

int logdir_close(struct logdir *d, bool clean, struct kerr *e)
{
    /* of Kafka's CleanShutdownFileHandler */
    static const char mark[] = "{\"version\":0,\"brokerEpoch\":-1}";
    int rc = 0;

    logdir_stop_queue(d);
    if (clean && d->clean) {
        rc = logdir_checkpoint(d, e);
        if (rc == 0 && d->births && os_syncfs(d->fd) < 0)
            rc = kerr_sys(e, KE_IO, "%s: sync", d->path);
        if (rc == 0 && os_replace(d->fd, CLEAN, mark, sizeof mark - 1) < 0)
            rc = kerr_sys(e, KE_IO, "%s: write " CLEAN, d->path);
    } else if (clean) {
        rc = kerr_set(e, KE_IO, "%s: not everything could be closed cleanly", d->path);
    }
    destroy(d);
    return rc;
}

bool logdir_was_clean(const struct logdir *d)
{
    return d->was_clean;
}

struct uuid logdir_id(const struct logdir *d)
{
    return d->id;
}

struct logdir *plog_dir(const struct plog *l)
{
    return l->dir;
}

int logdir_space(const struct logdir *d, int64_t *total, int64_t *usable, struct kerr *e)
{
    struct statvfs v;

    if (fstatvfs(d->fd, &v) < 0)
        return kerr_sys(e, KE_IO, "%s: statvfs", d->path);
    *total = (int64_t)(v.f_blocks * v.f_frsize);
    *usable = (int64_t)(v.f_bavail * v.f_frsize);
    return 0;
}

const char *logdir_path(const struct logdir *d)
{
    return d->path;
}

const struct logdir_conf *logdir_conf(const struct logdir *d)
{
    return &d->conf;
}

int64_t logdir_producer_expiry(const struct logdir *d)
{
    return atomic_load(&d->producer_expiry_ms);
}

void logdir_set_producer_expiry(struct logdir *d, int64_t ms)
{
    atomic_store(&d->producer_expiry_ms, ms);
}

int logdir_sync(const struct logdir *d)
{
    return os_fsync(d->fd);
}

mono_ns logdir_mono(const struct logdir *d)
{
    return os_mono(d->conf.clock);
}

/* ---- the queue of flushes that may linger ---- */

static void *queue_thread(void *arg)
{
    struct logdir *d = arg;

    pthread_mutex_lock(&d->queue_mu);
    for (;;) {
        struct plog *l = d->queue;
        mono_ns now = os_mono(os_clock_real());
        if (d->stopping)
            break;
        if (!l) {
            pthread_cond_wait(&d->queue_cv, &d->queue_mu);
        } else if (l->linger_due.ns > now.ns) {
            struct timespec t = {l->linger_due.ns / 1000000000, l->linger_due.ns % 1000000000};
            pthread_cond_timedwait(&d->queue_cv, &d->queue_mu, &t);
        } else {
            d->queue = l->linger_next;
            d->current = l;
            pthread_mutex_unlock(&d->queue_mu);
            plog_linger_over(l);
            pthread_mutex_lock(&d->queue_mu);
            d->current = NULL;
            pthread_cond_broadcast(&d->queue_cv);
        }
    }
    pthread_mutex_unlock(&d->queue_mu);
    return NULL;
}

/* With queue_mu. Signals are for the main thread. */
static bool start_queue(struct logdir *d)
{
    sigset_t all, old;

    if (d->queue_started)
        return true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    d->queue_started = pthread_create(&d->queue_thread, NULL, queue_thread, d) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return d->queue_started;
}

/* With queue_mu. Logs mostly wait equally long: behind the last is the first place to look. */
static void enqueue(struct logdir *d, struct plog *l, int64_t wait_ns)
{
    struct plog **at = &d->queue;

    /* The real clock: it is the kernel that waits. */
    l->linger_due = (mono_ns){os_mono(os_clock_real()).ns + wait_ns};
    if (d->queue && d->queue_tail->linger_due.ns <= l->linger_due.ns)
        at = &d->queue_tail->linger_next;
    while (*at && (*at)->linger_due.ns <= l->linger_due.ns)
        at = &(*at)->linger_next;
    l->linger_next = *at;
    *at = l;
    if (!l->linger_next)
        d->queue_tail = l;
    if (d->queue == l)
        pthread_cond_broadcast(&d->queue_cv);
}

/* With queue_mu. False: it was not there. */
static bool dequeue(struct logdir *d, struct plog *l)
{
    struct plog *prev = NULL;

    for (struct plog **at = &d->queue; *at; at = &(*at)->linger_next) {
        if (*at == l) {
            *at = l->linger_next;
            if (d->queue_tail == l)
                d->queue_tail = prev;
            return true;
        }
        prev = *at;
    }
    return false;
}

void logdir_linger(struct logdir *d, struct plog *l)
{
    int64_t wait_ns;
    bool ok;

    pthread_mutex_lock(&d->queue_mu);
    wait_ns = atomic_load(&l->linger_ns);
    ok = wait_ns > 0 && !d->stopping && start_queue(d);
    if (ok)
        enqueue(d, l, wait_ns);
    pthread_mutex_unlock(&d->queue_mu);
    if (!ok)
        plog_linger_over(l);
}

void logdir_relinger(struct logdir *d, struct plog *l)
{
    pthread_mutex_lock(&d->queue_mu);
    if (dequeue(d, l))
        enqueue(d, l, atomic_load(&l->linger_ns));
    pthread_mutex_unlock(&d->queue_mu);
}

void logdir_unlinger(struct logdir *d, struct plog *l)
{
    pthread_mutex_lock(&d->queue_mu);
    dequeue(d, l);
    while (d->current == l)
        pthread_cond_wait(&d->queue_cv, &d->queue_mu);
    pthread_mutex_unlock(&d->queue_mu);
}

void logdir_stop_queue(struct logdir *d)
{
    bool started;

    pthread_mutex_lock(&d->queue_mu);
    d->stopping = true;
    started = d->queue_started;
    d->queue_started = false;
    pthread_cond_broadcast(&d->queue_cv);
    pthread_mutex_unlock(&d->queue_mu);
    if (started)
        pthread_join(d->queue_thread, NULL);
}
