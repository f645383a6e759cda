#include "log/segment.h"

#include "os/file.h"
#include "os/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 4096, INDEX_PAGE = 512 /* entries */, INDEX_FILE_MAX = 1 << 30 };

struct segment *segment_new(int64_t base, atomic_int *files)
{
    struct segment *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    atomic_init(&s->refs, 1);
    s->files = files;
    for (int i = 0; i <= LOG_FILE_TIMEINDEX; i++)
        atomic_init(&s->fd[i], -1);
    s->base = s->end = base;
    s->dice = os_random_u64();
    s->max_time = s->max_offset = s->first_time = s->time_indexed = -1;
    atomic_init(&s->used, -1);
    return s;
}

void segment_ref(struct segment *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

void segment_unref(struct segment *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    segment_close_files(s);
    free(s->tail);
    free(s);
}

bool segment_idle(struct segment *s)
{
    bool open = false;

    for (int i = 0; i <= LOG_FILE_TIMEINDEX; i++)
        open |= atomic_load_explicit(&s->fd[i], memory_order_relaxed) >= 0;
    return !open || !atomic_exchange_explicit(&s->wanted, false, memory_order_relaxed);
}

void segment_close_files(struct segment *s)
{
    for (int i = 0; i <= LOG_FILE_TIMEINDEX; i++) {
        int fd = atomic_exchange(&s->fd[i], -1);
        if (fd < 0)
            continue;
        os_close(fd);
        atomic_fetch_sub(s->files, 1);
    }
}

int segment_fd(struct segment *s, int dirfd, enum log_file kind, bool create, struct kerr *e)
{
    int fd = atomic_load_explicit(&s->fd[kind], memory_order_acquire), none = -1;
    char name[LOG_FILE_NAME];

    if (!atomic_load_explicit(&s->wanted, memory_order_relaxed))
        atomic_store_explicit(&s->wanted, true, memory_order_relaxed);
    if (fd >= 0)
        return fd;
    log_file_name(name, s->base, kind);
    fd = os_openat(dirfd, name, O_RDWR | O_NONBLOCK | (create ? O_CREAT : 0), 0600);
    if (fd < 0)
        return kerr_sys(e, errno == ENOENT ? KE_NOTFOUND : KE_IO, "open %s", name);
    if (!atomic_compare_exchange_strong(&s->fd[kind], &none, fd)) {
        os_close(fd);
        return none;
    }
    atomic_fetch_add(s->files, 1);
    return fd;
}

int segment_create(struct segment *s, int dirfd, struct kerr *e)
{
    char name[LOG_FILE_NAME], tmp[LOG_FILE_NAME + 4];
    int fd;

    log_file_name(name, s->base, LOG_FILE_LOG);
    snprintf(tmp, sizeof tmp, "%s.tmp", name);
    fd = os_openat(dirfd, tmp, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return kerr_sys(e, KE_IO, "create %s", tmp);
    if (os_renameat(dirfd, tmp, dirfd, name) < 0) {
        int err = errno;
        os_close(fd);
        os_unlinkat(dirfd, tmp, 0);
        errno = err;
        return kerr_sys(e, KE_IO, "rename %s", tmp);
    }
    atomic_store(&s->fd[LOG_FILE_LOG], fd);
    atomic_fetch_add(s->files, 1);
    s->counted = s->max_known = true;
    return 0;
}

/* n bytes at a position: how many there are, KE_AGAIN where a disk would be waited for, KE_IO. */
static ssize_t read_at(int fd, void *p, size_t n, int64_t at, bool nowait, struct kerr *e)
{
    ssize_t k = nowait ? os_pread_nowait(fd, p, n, at) : os_pread(fd, p, n, at);

    if (k < 0 && errno == EAGAIN)
        return KE_AGAIN;
    if (k < 0)
        return kerr_sys(e, KE_IO, "read at %lld", (long long)at);
    return k;
}

static int read_header(const struct segment_view *v, int fd, int64_t at, bool nowait,
                       uint8_t window[WINDOW], struct slice *got, struct kerr *e)
{
    size_t n = v->size - at < WINDOW ? (size_t)(v->size - at) : WINDOW;
    ssize_t k = read_at(fd, window, n, at, nowait, e);

    /* what is there of it may end at a page that is not in memory */
    if (k >= 0 && k < (ssize_t)BATCH_HEADER && (size_t)k < n && nowait)
        return KE_AGAIN;
    if (k < 0)
        return (int)k;
    *got = slice_of(window, (size_t)k);
    return 0;
}

static int check_header(const struct segment_view *v, struct slice s, int64_t at, struct found *out,
                        struct kerr *e)
{
    struct batch b;

    if (batch_parse_header(s, &b, e) < 0 || (int64_t)b.size > v->size - at ||
        b.base_offset < v->base)
        return kerr_set(e, KE_CORRUPT, "segment %lld: no batch at position %lld",
                        (long long)v->base, (long long)at);
    *out = (struct found){at, b.base_offset, batch_last_offset(&b), b.max_timestamp, b.size};
    return 1;
}

int segment_batch_at(const struct segment_view *v, int dirfd, int64_t position, bool nowait,
                     struct found *out, struct kerr *e)
{
    int fd = segment_fd(v->segment, dirfd, LOG_FILE_LOG, false, e), rc;
    uint8_t header[BATCH_HEADER];
    ssize_t k;

    if (fd < 0)
        return fd;
    if (position >= v->size)
        return 0;
    k = read_at(fd, header, sizeof header, position, nowait, e);
    if (k < 0)
        return (int)k;
    if (k < (ssize_t)sizeof header && nowait)
        return KE_AGAIN;
    rc = check_header(v, slice_of(header, (size_t)k), position, out, e);
    return rc;
}

/* Follows the batches from a position on to the one that ends at offset or later. */
static int walk(const struct segment_view *v, int fd, int64_t at, int64_t offset, bool nowait,
                struct found *out, struct kerr *e)
{
    uint8_t window[WINDOW];
    struct slice got = {window, 0};
    int64_t start = at;
    int rc;

    while (at < v->size) {
        size_t skip = (size_t)(at - start);
        if (skip + BATCH_HEADER > got.n) {
            rc = read_header(v, fd, at, nowait, window, &got, e);
            if (rc < 0)
                return rc;
            start = at;
            skip = 0;
        }
        rc = check_header(v, slice_of(got.p + skip, got.n - skip), at, out, e);
        if (rc < 0 || out->last_offset >= offset)
            return rc;
        at += (int64_t)out->size;
    }
    return 0;
}

static int entry_at(int fd, int64_t i, bool nowait, struct index_entry *out, struct kerr *e)
{
    uint8_t p[INDEX_ENTRY];
    ssize_t k = read_at(fd, p, sizeof p, i * (int64_t)INDEX_ENTRY, nowait, e);

    *out = (struct index_entry){0, 0};
    if (k < 0)
        return (int)k;
    if (k < (ssize_t)sizeof p)
        return KE_CORRUPT;
    *out = index_entry_get(p);
    return 0;
}

/* The number of entries with a relative offset of at most target; low of them are known to be. */
static int64_t count_below(int fd, int64_t entries, int64_t target, bool nowait,
                           struct index_entry *last, struct kerr *e)
{
    static const struct index_entry none = {0, 0};
    int64_t low = 0, high = entries;
    uint8_t page[INDEX_PAGE * INDEX_ENTRY];
    struct index_entry v;
    ssize_t k;
    int rc;

    *last = none;
    while (high - low > INDEX_PAGE) {
        int64_t mid = low + (high - low) / 2;
        rc = entry_at(fd, mid, nowait, &v, e);
        if (rc < 0)
            return rc;
        if (v.relative <= target) {
            low = mid + 1;
            *last = v;
        } else {
            high = mid;
        }
    }
    k = read_at(fd, page, (size_t)(high - low) * INDEX_ENTRY, low * (int64_t)INDEX_ENTRY, nowait,
                e);
    if (k < 0)
        return k;
    for (int64_t i = 0; i < k / (int64_t)INDEX_ENTRY; i++) {
        v = index_entry_get(page + i * (int64_t)INDEX_ENTRY);
        if (v.relative > target)
            break;
        *last = v;
        low++;
    }
    return low;
}

/* How many entries an index file has, without the zeros that Kafka leaves behind them. */
static int64_t count_used(struct segment *s, int fd, bool nowait, struct kerr *e)
{
    int64_t low = 0, high, n = atomic_load_explicit(&s->used, memory_order_relaxed);
    struct stat st;

    if (n >= 0)
        return n;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > INDEX_FILE_MAX)
        return 0;
    high = st.st_size / (int64_t)INDEX_ENTRY;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        struct index_entry v;
        int rc = entry_at(fd, mid, nowait, &v, e);
        if (rc < 0)
            return rc;
        if (v.relative == 0 && v.position == 0)
            high = mid;
        else
            low = mid + 1;
    }
    atomic_store_explicit(&s->used, low, memory_order_relaxed);
    return low;
}

/* Where to begin to look for an offset, by the index file; 0 where it has nothing to say. */
static int64_t index_position(const struct segment_view *v, int dirfd, int64_t offset, bool nowait,
                              struct kerr *e)
{
    struct index_entry last;
    int64_t entries = v->entries, n;
    int fd;

    if (entries == 0)
        return 0;
    fd = segment_fd(v->segment, dirfd, LOG_FILE_INDEX, false, NULL);
    if (fd < 0)
        return 0;
    if (entries < 0)
        entries = count_used(v->segment, fd, nowait, e);
    n = entries < 0 ? entries : count_below(fd, entries, offset - v->base, nowait, &last, e);
    if (n == KE_AGAIN)
        return n;
    return n > 0 && last.position > 0 && last.position < v->size ? last.position : 0;
}

int segment_find(const struct segment_view *v, int dirfd, int64_t offset, bool nowait,
                 struct found *out, struct kerr *e)
{
    int fd = segment_fd(v->segment, dirfd, LOG_FILE_LOG, false, e), rc;
    int64_t at = v->hint;

    if (fd < 0)
        return fd;
    if (at < 0)
        at = index_position(v, dirfd, offset, nowait, e);
    if (at < 0)
        return (int)at;
    rc = walk(v, fd, at, offset, nowait, out, e);
    /* An index that points into the middle of a batch, or too far: believe the batches. */
    if (at > 0 &&
        (rc == KE_CORRUPT || (rc == 1 && out->position == at && out->base_offset > offset)))
        rc = walk(v, fd, 0, offset, nowait, out, e);
    return rc;
}

int64_t segment_entries_below(const struct segment_view *v, int dirfd, int64_t offset,
                              struct kerr *e)
{
    struct index_entry last;
    int fd = segment_fd(v->segment, dirfd, LOG_FILE_INDEX, false, NULL);

    return fd < 0 ? 0 : count_below(fd, v->entries, offset - 1 - v->base, false, &last, e);
}

int segment_load_index(struct segment *s, int dirfd, enum log_file kind, struct buf *out,
                       struct kerr *e)
{
    int fd = segment_fd(s, dirfd, kind, false, e);
    struct stat st;
    ssize_t k;

    buf_clear(out);
    if (fd == KE_NOTFOUND)
        return 0;
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return kerr_sys(e, KE_IO, "fstat");
    if (!S_ISREG(st.st_mode) || st.st_size > INDEX_FILE_MAX)
        return kerr_set(e, KE_CORRUPT, "index of %lld bytes", (long long)st.st_size);
    if (!buf_reserve(out, (size_t)st.st_size))
        return kerr_set(e, KE_NOMEM, "index of %lld bytes", (long long)st.st_size);
    k = os_pread(fd, out->p, (size_t)st.st_size, 0);
    if (k < 0)
        return kerr_sys(e, KE_IO, "read an index");
    out->n = (size_t)k;
    return 0;
}

/* The last entry of the time index below bound: where the search for a larger one begins. */
static int last_time_below(const struct segment_view *v, int dirfd, int64_t bound,
                           struct time_entry *out, struct kerr *e)
{
    struct buf b = {0};
    int rc = segment_load_index(v->segment, dirfd, LOG_FILE_TIMEINDEX, &b, e);
    size_t n = rc == 0 ? index_used(buf_slice(&b), LOG_FILE_TIMEINDEX) : 0;

    *out = (struct time_entry){-1, 0};
    for (; n > 0; n--) {
        struct time_entry t = time_entry_get(b.p + (n - 1) * TIME_ENTRY);
        if (t.relative < 0 || v->base + t.relative >= bound)
            continue;
        *out = t;
        break;
    }
    buf_free(&b);
    return rc == KE_CORRUPT ? 0 : rc;
}

int segment_max_time(const struct segment_view *v, int dirfd, int64_t low, int64_t bound,
                     int64_t *timestamp, int64_t *last_offset, struct kerr *e)
{
    struct time_entry t;
    struct found f;
    int64_t from;
    int rc = last_time_below(v, dirfd, bound, &t, e);

    *timestamp = *last_offset = -1;
    if (rc < 0)
        return rc;
    from = v->base + t.relative;
    rc = segment_find(v, dirfd, from > low ? from : low, false, &f, e);
    while (rc == 1 && f.last_offset < bound) {
        if (f.max_timestamp > *timestamp) {
            *timestamp = f.max_timestamp;
            *last_offset = f.last_offset;
        }
        rc = segment_batch_at(v, dirfd, f.position + (int64_t)f.size, false, &f, e);
    }
    return rc < 0 ? rc : 0;
}
