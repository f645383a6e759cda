/*
 * files - how many descriptors logs have open. Every log has a directory, every segment up to three
 * files, and there may be more of them than a process may open. So they are opened when they are
 * used, and where there are too many, those go that nobody has used lately: a clock hand goes round
 * the logs, and what it finds unused since its last visit is closed.
 *
 * The append lock, the state lock and a look at the references make sure that nobody is using what
 * is closed. What has been written and not yet synced stays open: the kernel remembers a failed
 * write-back only as long as the file is in memory.
 */
#include "log/logdir_impl.h"

#include "os/file.h"

#include <fcntl.h>

int plog_dirfd(struct plog *l)
{
    int fd = atomic_load_explicit(&l->dirfd, memory_order_acquire), none = -1;

    if (fd >= 0)
        return fd;
    fd = os_openat(l->dir->fd, l->name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return -1;
    if (!atomic_compare_exchange_strong(&l->dirfd, &none, fd)) {
        os_close(fd);
        return none;
    }
    atomic_fetch_add(&l->dir->files, 1);
    return fd;
}

void plog_close_dir(struct plog *l)
{
    int fd = atomic_exchange(&l->dirfd, -1);

    if (fd < 0)
        return;
    os_close(fd);
    atomic_fetch_sub(&l->dir->files, 1);
}

atomic_int *logdir_files(struct logdir *d)
{
    return &d->files;
}

/* With am and sm. */
static bool may_close(const struct plog *l, const struct segment *s)
{
    return atomic_load_explicit(&s->refs, memory_order_acquire) == 1 &&
           (l->synced >= s->end || l->conf.flush == PLOG_FLUSH_OS);
}

/* With am and sm. The directory goes after all of its files. */
static void close_idle(struct plog *l)
{
    bool all = true;

    for (size_t i = 0; i < l->segs; i++) {
        bool idle = segment_idle(l->seg[i]) && may_close(l, l->seg[i]);
        if (idle)
            segment_close_files(l->seg[i]);
        all &= idle;
    }
    if (all)
        plog_close_dir(l);
}

/* Whoever is at work in the log keeps what is open there. */
static void visit(struct plog *l)
{
    if (pthread_mutex_trylock(&l->am) != 0)
        return;
    pthread_mutex_lock(&l->sm);
    if (!l->flushing && !l->hold && !l->pinned)
        close_idle(l);
    pthread_mutex_unlock(&l->sm);
    pthread_mutex_unlock(&l->am);
}

void logdir_limit_files(struct logdir *d)
{
    int max = d->conf.max_files, enough = max - max / 8, rounds = 0;

    /* Who holds the list for long writes it to the disk: the next one looks again. */
    if (max == 0 || atomic_load_explicit(&d->files, memory_order_relaxed) <= max ||
        pthread_mutex_trylock(&d->mu) != 0)
        return;
    while (d->logs && rounds <= 2 && atomic_load(&d->files) > enough) {
        struct plog *l = d->hand ? d->hand : d->logs;
        rounds += l == d->logs;
        d->hand = l->next;
        visit(l);
    }
    pthread_mutex_unlock(&d->mu);
}
