/* partitions - the directories of a logdir: found, made, loaded, closed, deleted, set aside. */
#include "log/logdir_impl.h"

#include "os/file.h"
#include "os/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DIR_NAME = 256, METADATA_MAX = 4096 };

static DIR *read_dir(int fd, const char *name)
{
    int at = os_openat(fd, name, O_RDONLY | O_DIRECTORY, 0);
    DIR *dir = at < 0 ? NULL : fdopendir(at);

    if (!dir && at >= 0)
        os_close(at);
    return dir;
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);

    return n >= k && strcmp(name + n - k, suffix) == 0;
}

/* Files first, then the directory. What fails stays for the next start. */
static void remove_dir(struct logdir *d, const char *name)
{
    DIR *dir = read_dir(d->fd, name);
    struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            os_unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    os_unlinkat(d->fd, name, AT_REMOVEDIR);
}

/* ---- the list ---- */

static int read_topic_id(int dir, const char *name, struct uuid *id, struct kerr *e)
{
    size_t n = 0;
    char *p = os_read_all(dir, PARTITION_METADATA, METADATA_MAX, &n);
    int rc;

    *id = (struct uuid){{0}};
    if (!p)
        return errno == ENOENT ? 0 : kerr_sys(e, KE_IO, "%s: read " PARTITION_METADATA, name);
    rc = partition_metadata_parse(slice_of(p, n), id, e);
    free(p);
    return rc;
}

static int list_one(struct logdir *d, const char *name, struct logdir_entry *out, struct kerr *e)
{
    struct kerr why;
    int fd, rc;

    snprintf(out->name, sizeof out->name, "%s", name);
    fd = os_openat(d->fd, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP
                   ? 1
                   : kerr_sys(e, KE_IO, "%s: open %s", d->path, name);
    rc = read_topic_id(fd, name, &out->topic_id, &why);
    os_close(fd);
    if (rc < 0 && rc != KE_CORRUPT)
        return kerr_set(e, rc, "%s", kerr_msg(&why));
    if (rc < 0)
        diag(d->conf.diag, DIAG_WARN, "%s/%s: %s", d->path, name, kerr_msg(&why));
    return 0;
}

static bool grow(struct logdir_entry **list, size_t n, size_t *cap)
{
    struct logdir_entry *v;

    if (n < *cap)
        return true;
    v = realloc(*list, (*cap ? *cap * 2 : 16) * sizeof *v);
    if (!v)
        return false;
    *list = v;
    *cap = *cap ? *cap * 2 : 16;
    return true;
}

int logdir_list(struct logdir *d, struct logdir_entry **out, size_t *n, struct kerr *e)
{
    DIR *dir = read_dir(d->fd, ".");
    struct dirent *entry;
    size_t cap = 0;
    int rc = 0;

    *out = NULL;
    *n = 0;
    if (!dir)
        return kerr_sys(e, KE_IO, "%s: read the directory", d->path);
    while (rc == 0 && (entry = readdir(dir)) != NULL) {
        struct logdir_entry v = {0};
        if (ends_with(entry->d_name, "-delete") && strchr(entry->d_name, '.'))
            remove_dir(d, entry->d_name);
        if (!partition_dir_parse(entry->d_name, v.topic, &v.partition) ||
            strcmp(v.topic, "__cluster_metadata") == 0)
            continue;
        rc = list_one(d, entry->d_name, &v, e);
        if (rc == 0 && !grow(out, *n, &cap))
            rc = kerr_set(e, KE_NOMEM, "list of partitions");
        if (rc == 0)
            (*out)[(*n)++] = v;
        rc = rc == 1 ? 0 : rc;
    }
    closedir(dir);
    if (rc < 0) {
        free(*out);
        *out = NULL;
        *n = 0;
    }
    return rc;
}

/* ---- open ---- */

static void enlist(struct logdir *d, struct plog *l)
{
    l->prev = NULL;
    l->next = d->logs;
    if (d->logs)
        d->logs->prev = l;
    d->logs = l;
}

static int open_log(struct logdir *d, const char *name, struct uuid id, const struct plog_conf *c,
                    const struct plog_start *start, struct plog **out, struct kerr *e)
{
    struct plog *l = plog_new(d, name, id, c, e);
    int rc = 0;

    if (!l)
        return KE_NOMEM;
    if (plog_dirfd(l) < 0)
        rc = kerr_sys(e, errno == ENOENT ? KE_NOTFOUND : KE_IO, "%s: open %s", d->path, name);
    if (rc == 0)
        rc = plog_load(l, start, e);
    if (rc < 0) {
        plog_free(l);
        return rc;
    }
    *out = l;
    return 0;
}

int logdir_load(struct logdir *d, const struct logdir_entry *entry, const struct plog_conf *c,
                struct plog **out, struct kerr *e)
{
    struct plog_start start = {.clean = d->was_clean};
    int rc;

    pthread_mutex_lock(&d->mu);
    start.recovery_point = logdir_recovery_of(d, entry->topic, entry->partition);
    start.log_start = logdir_start_of(d, entry->topic, entry->partition);
    pthread_mutex_unlock(&d->mu);
    rc = open_log(d, entry->name, entry->topic_id, c, &start, out, e);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&d->mu);
    (*out)->checkpointed = start.recovery_point;
    (*out)->start_kept = (*out)->start_written = start.log_start;
    logdir_drop_values(d, entry->topic, entry->partition);
    enlist(d, *out);
    pthread_mutex_unlock(&d->mu);
    logdir_limit_files(d);
    return 0;
}

/* What the checkpoints say of an earlier partition of that name must not be said of this one. */
static int forget_namesake(struct logdir *d, const char *topic, int32_t partition, struct kerr *e)
{
    int rc = 0;

    pthread_mutex_lock(&d->mu);
    if (logdir_drop_values(d, topic, partition) || d->stale)
        rc = logdir_checkpoint_locked(d, e);
    pthread_mutex_unlock(&d->mu);
    return rc;
}

/* Not synced: see plog.unborn. */
static int write_metadata(struct logdir *d, const char *name, struct uuid id, struct kerr *e)
{
    int fd = os_openat(d->fd, name, O_RDONLY | O_DIRECTORY, 0), file = -1, rc = 0;
    struct buf b = {0};

    if (fd < 0)
        return kerr_sys(e, KE_IO, "open %s", name);
    if (!partition_metadata_write(&b, id))
        rc = kerr_set(e, KE_NOMEM, PARTITION_METADATA);
    else if ((file = os_openat(fd, PARTITION_METADATA, O_WRONLY | O_CREAT | O_EXCL, 0600)) < 0 ||
             os_pwrite(file, b.p, b.n, 0) < 0)
        rc = kerr_sys(e, KE_IO, "%s: write " PARTITION_METADATA, name);
    buf_free(&b);
    if (file >= 0)
        os_close(file);
    os_close(fd);
    return rc;
}

int logdir_create(struct logdir *d, const char *topic, int32_t partition, struct uuid topic_id,
                  const struct plog_conf *c, struct plog **out, struct kerr *e)
{
    const struct plog_start start = {.clean = true, .unborn = true};
    char name[DIR_NAME + 16], parsed[PARTITION_TOPIC];
    int32_t number;
    int rc;

    snprintf(name, sizeof name, "%.255s-%d", topic, partition);
    if (!partition_dir_parse(name, parsed, &number) || strcmp(parsed, topic) != 0)
        return kerr_set(e, KE_INVALID, "no name for a topic's directory");
    rc = forget_namesake(d, topic, partition, e);
    if (rc < 0)
        return rc;
    if (os_mkdirat(d->fd, name, 0700) < 0)
        return kerr_sys(e, errno == EEXIST ? KE_EXISTS : KE_IO, "%s: mkdir %s", d->path, name);
    rc = write_metadata(d, name, topic_id, e);
    if (rc == 0)
        rc = open_log(d, name, topic_id, c, &start, out, e);
    if (rc < 0) {
        remove_dir(d, name);
        return rc;
    }
    pthread_mutex_lock(&d->mu);
    enlist(d, *out);
    pthread_mutex_unlock(&d->mu);
    logdir_limit_files(d);
    return 0;
}

/* ---- close ---- */

/* Indexes, producers and names: all that is believed after a clean stop. */
static bool make_clean(struct plog *l)
{
    struct segment *s = plog_active(l);
    struct kerr e;
    int fd;

    if (l->offline || l->tainted || !s || l->synced < l->end)
        return false;
    if (l->unborn) { /* as it has been made; logdir_close makes all such durable at once */
        atomic_store(&l->dir->births, true);
        return true;
    }
    plog_write_tail(l, s, true);
    fd = segment_fd(s, plog_dirfd(l), LOG_FILE_LOG, false, NULL);
    if (fd >= 0 && (s->reserved > s->size || s->dirty_tail) && os_ftruncate(fd, s->size) < 0)
        return false;
    for (int kind = LOG_FILE_INDEX; kind <= LOG_FILE_TIMEINDEX; kind++) {
        fd = segment_fd(s, plog_dirfd(l), (enum log_file)kind, false, NULL);
        if (fd >= 0 && os_fdatasync(fd) < 0)
            return false;
    }
    if (plog_write_snapshot(l, true, &e) < 0 || os_fsync(plog_dirfd(l)) < 0)
        return false;
    return true;
}

void logdir_forget(struct logdir *d, struct plog *l, bool clean, bool deleted)
{
    pthread_mutex_lock(&d->mu);
    if (l->prev)
        l->prev->next = l->next;
    else
        d->logs = l->next;
    if (l->next)
        l->next->prev = l->prev;
    if (d->hand == l)
        d->hand = l->next;
    if (!deleted && !(logdir_keep_values(d, l) && clean))
        d->clean = false;
    if (deleted && (l->checkpointed > 0 || l->start_kept > 0))
        d->stale = true;
    pthread_mutex_unlock(&d->mu);
}

/* Nobody else is in the log any more after this. */
static void quiesce(struct plog *l)
{
    plog_hold(l);
    logdir_unlinger(l->dir, l);
    plog_set_events(l, &(struct plog_events){0});
}

void plog_close(struct plog *l, bool clean)
{
    struct plog_ends ends;
    bool is_clean = false;

    if (clean) {
        plog_ends(l, &ends);
        plog_flush_wait(l, ends.end, NULL);
    }
    quiesce(l);
    pthread_mutex_lock(&l->am);
    if (clean)
        is_clean = make_clean(l);
    pthread_mutex_unlock(&l->am);
    logdir_forget(l->dir, l, is_clean, false);
    plog_free(l);
}

/* <name>.<32 hex digits>-<what>, the name cut so that it fits. (LocalLog.logDeleteDirName) */
static void unique_name(char out[DIR_NAME], const char *name, const char *what)
{
    uint8_t id[16];
    int n = snprintf(out, DIR_NAME, "%.215s.", name);

    os_random(id, sizeof id);
    for (int i = 0; i < 16; i++)
        n += snprintf(out + n, (size_t)(DIR_NAME - n), "%02x", id[i]);
    snprintf(out + n, (size_t)(DIR_NAME - n), "-%s", what);
}

/* Its directory is open and stays so: it could not be found under its new name. */
static int pin(struct plog *l)
{
    pthread_mutex_lock(&l->sm);
    l->pinned = true;
    pthread_mutex_unlock(&l->sm);
    return plog_dirfd(l);
}

/* errno stays as it is. */
static void unpin(struct plog *l)
{
    pthread_mutex_lock(&l->sm);
    l->pinned = false;
    pthread_mutex_unlock(&l->sm);
}

int plog_delete(struct plog *l, struct kerr *e)
{
    struct logdir *d = l->dir;
    char to[DIR_NAME];

    unique_name(to, l->name, "delete");
    if (pin(l) < 0 || os_renameat(d->fd, l->name, d->fd, to) < 0) {
        unpin(l);
        return kerr_sys(e, KE_IO, "%s: rename %s", d->path, l->name);
    }
    if (os_fsync(d->fd) < 0)
        diag(d->conf.diag, DIAG_WARN, "%s: sync after the deletion of %s failed", d->path, l->name);
    quiesce(l);
    logdir_forget(d, l, true, true);
    plog_free(l);
    remove_dir(d, to);
    return 0;
}

/* Whether a directory has in it only what one that was being made has, and no byte of a record. */
static bool is_unborn(struct logdir *d, const char *name)
{
    DIR *dir = read_dir(d->fd, name);
    struct dirent *entry;
    bool unborn = dir != NULL;

    while (unborn && (entry = readdir(dir)) != NULL) {
        const char *file = entry->d_name;
        struct stat st;
        if (strcmp(file, ".") == 0 || strcmp(file, "..") == 0 ||
            strcmp(file, PARTITION_METADATA) == 0 || strcmp(file, PARTITION_METADATA ".tmp") == 0)
            continue;
        unborn = (ends_with(file, ".log") || ends_with(file, ".log.tmp")) &&
                 fstatat(dirfd(dir), file, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
                 st.st_size == 0;
    }
    if (dir)
        closedir(dir);
    return unborn;
}

bool logdir_remove_unborn(struct logdir *d, const struct logdir_entry *entry)
{
    if (!uuid_is_zero(entry->topic_id) || !is_unborn(d, entry->name))
        return false;
    remove_dir(d, entry->name);
    return faccessat(d->fd, entry->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

int logdir_set_aside(struct logdir *d, const struct logdir_entry *entry, struct kerr *e)
{
    char to[DIR_NAME];
    int rc;

    snprintf(to, sizeof to, "%.248s-stray", entry->name);
    rc = os_renameat(d->fd, entry->name, d->fd, to);
    if (rc < 0 && (errno == ENOTEMPTY || errno == EEXIST)) {
        unique_name(to, entry->name, "stray");
        rc = os_renameat(d->fd, entry->name, d->fd, to);
    }
    if (rc < 0)
        return kerr_sys(e, KE_IO, "%s: rename %s", d->path, entry->name);
    if (os_fsync(d->fd) < 0)
        return kerr_sys(e, KE_IO, "%s: sync", d->path);
    pthread_mutex_lock(&d->mu);
    logdir_drop_values(d, entry->topic, entry->partition);
    pthread_mutex_unlock(&d->mu);
    return 0;
}
