#include "log/segscan.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>

#define CHUNK ((size_t)256 << 10)

int segscan_open(struct segscan *s, int dirfd, const char *name, struct kerr *e)
{
    struct stat st;

    *s = (struct segscan){.fd = os_openat(dirfd, name, O_RDONLY | O_NONBLOCK, 0)};
    if (s->fd < 0)
        return kerr_sys(e, errno == ENOENT ? KE_NOTFOUND : KE_IO, "open %s", name);
    if (fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode))
        return 0;
    segscan_close(s);
    return kerr_set(e, KE_INVALID, "%s is not a file", name);
}

void segscan_close(struct segscan *s)
{
    if (s->fd >= 0)
        os_close(s->fd);
    buf_free(&s->buf);
    *s = (struct segscan){.fd = -1};
}

void segscan_seek(struct segscan *s, int64_t at)
{
    s->at = s->buf_at = at;
    buf_clear(&s->buf);
}

int segscan_size(const struct segscan *s, int64_t *size, struct kerr *e)
{
    struct stat st;

    if (fstat(s->fd, &st) < 0)
        return kerr_sys(e, KE_IO, "fstat");
    *size = st.st_size;
    return 0;
}

/* What is buffered from s->at on. */
static struct slice here(const struct segscan *s)
{
    size_t skip = (size_t)(s->at - s->buf_at);

    if (!s->buf.p || skip > s->buf.n)
        return slice_of("", 0);
    return slice_of(s->buf.p + skip, s->buf.n - skip);
}

/* Buffers n bytes from s->at on, or as many as the file has. */
static int load(struct segscan *s, size_t n, struct kerr *e)
{
    struct slice have = here(s);
    size_t want = n > CHUNK ? n : CHUNK;
    ssize_t k;

    if (have.n >= n)
        return 0;
    if (have.n)
        memmove(s->buf.p, have.p, have.n);
    s->buf.n = have.n;
    s->buf_at = s->at;
    if (!buf_reserve(&s->buf, want - have.n))
        return kerr_set(e, KE_NOMEM, "batch of %zu bytes", n);
    k = os_pread(s->fd, s->buf.p + have.n, want - have.n, s->at + (int64_t)have.n);
    if (k < 0)
        return kerr_sys(e, KE_IO, "read at %lld", (long long)s->at);
    s->buf.n += (size_t)k;
    return 0;
}

int segscan_next(struct segscan *s, struct batch *b, struct kerr *e)
{
    size_t need = 0;
    int64_t size;
    int rc = load(s, BATCH_HEADER, e);

    if (rc < 0)
        return rc;
    if (here(s).n == 0)
        return 0;
    rc = batch_parse(here(s), b, &need, e);
    if (rc == KE_AGAIN) {
        rc = segscan_size(s, &size, e);
        if (rc < 0)
            return rc;
        if (size < s->at || need > (uint64_t)(size - s->at))
            return kerr_set(e, KE_AGAIN, "the file ends within the batch at %lld",
                            (long long)s->at);
        rc = load(s, need, e);
        if (rc == 0)
            rc = batch_parse(here(s), b, NULL, e);
    }
    if (rc < 0)
        return rc;
    s->at += (int64_t)b->size;
    return 1;
}

/* A header that a batch with offset or more could have; cheap, for it is asked at every byte. */
static bool plausible(const uint8_t *p, int64_t offset, int64_t left, struct batch *b)
{
    if (p[16] != 2 || batch_parse_header(slice_of(p, BATCH_HEADER), b, NULL) < 0)
        return false;
    return b->base_offset >= offset && b->size <= (uint64_t)left && b->producer_id >= -1 &&
           b->count <= (int64_t)b->last_offset_delta + 1;
}

int segscan_find(struct segscan *s, int64_t offset, int64_t *at, struct kerr *e)
{
    int64_t from = s->at, size = 0, budget;
    int rc = segscan_size(s, &size, e);

    /* made-up headers inside each other must not cost more than reading the file a few times */
    budget = rc < 0 ? 0 : 4 * (size - from) + (int64_t)(64 << 20);
    for (s->at++; rc == 0 && s->at + (int64_t)BATCH_HEADER <= size && budget > 0; s->at++) {
        struct batch b;
        rc = load(s, BATCH_HEADER, e);
        if (rc < 0 || here(s).n < BATCH_HEADER)
            break;
        if (!plausible(here(s).p, offset, size - s->at, &b))
            continue;
        budget -= (int64_t)b.size;
        rc = load(s, b.size, e);
        if (rc == 0 && batch_parse(here(s), &b, NULL, NULL) == 0 &&
            batch_check_crc(&b, NULL) == 0) {
            *at = s->at;
            rc = 1;
            break;
        }
    }
    segscan_seek(s, from);
    return rc;
}
