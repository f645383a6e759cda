#include "kprod.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)256 << 10)

struct place {
    const char *name; /* NULL: stdin */
    struct producer_mark start;
};

struct input {
    struct kprod *k;
    const char *const *files;
    size_t count, next; /* next: the one to be opened */
    struct place *places;
    size_t place_count;
    int fd; /* -1: none is open */
    bool always_ready, tty;
    bool large_before; /* the last record taken was one that goes alone */
    struct buf buf;
    size_t begin, scanned; /* of the record being gathered; looked at for a delimiter */
    bool eof;
    struct producer_mark mark; /* where it begins */
    uint64_t skip;             /* bytes still to be passed over */
};

/* ---- files ---- */

static int open_next(struct input *in, struct kerr *e)
{
    const char *name = in->count ? in->files[in->next] : "-";
    bool is_stdin = strcmp(name, "-") == 0;
    struct stat st;

    in->fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (in->fd < 0)
        return kerr_sys(e, errno == ENOENT ? KE_NOTFOUND : KE_IO, "%s", name);
    if (fstat(in->fd, &st) == 0 && S_ISDIR(st.st_mode))
        return kerr_set(e, KE_INVALID, "%s: is a directory", name);
    in->always_ready = fstat(in->fd, &st) == 0 && S_ISREG(st.st_mode);
    if (in->always_ready)
        posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    in->tty = isatty(in->fd);
    in->next++;
    in->eof = false;
    /* bytes passed over belong to no file's first record */
    in->places[in->place_count++] = (struct place){is_stdin ? NULL : name, in->mark};
    return 0;
}

int input_new(struct input **out, struct kprod *k, const char *const *files, size_t n,
              struct kerr *e)
{
    struct input *in = calloc(1, sizeof *in);

    *out = in;
    if (!in || !(in->places = calloc(n + 1, sizeof *in->places)))
        return kerr_set(e, KE_NOMEM, "out of memory");
    in->k = k;
    in->files = files;
    in->count = n;
    in->mark.line = 1;
    in->skip = (uint64_t)k->from_byte;
    return open_next(in, e);
}

void input_free(struct input *in)
{
    if (!in)
        return;
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    buf_free(&in->buf);
    free(in->places);
    free(in);
}

int input_fd(const struct input *in)
{
    return in->always_ready ? -1 : in->fd;
}

bool input_is_terminal(const struct input *in)
{
    return in->tty;
}

struct producer_mark input_mark(const struct input *in)
{
    return in->mark;
}

const char *input_place(const struct input *in, struct producer_mark m, char out[400])
{
    const char *what = in->k->nul || in->k->delim_text || in->k->whole ? "record" : "line";
    size_t i = in->place_count;

    while (i > 1 && in->places[i - 1].start.at > m.at)
        i--;
    m.line -= in->places[i - 1].start.line - 1;
    if (in->places[i - 1].name)
        snprintf(out, 400, "%.300s %s %llu", in->places[i - 1].name, what,
                 (unsigned long long)m.line);
    else
        snprintf(out, 400, "%s %llu", what, (unsigned long long)m.line);
    return out;
}

/* ---- records ---- */

/* A record that the broker may find too large goes alone: then all before it are acknowledged, and
 * nothing behind it is, if it is refused. */
static int send_record(struct input *in, struct slice s, int64_t now, struct kerr *e)
{
    struct kprod *k = in->k;
    struct slice key = slice_str(k->key), value = s;
    char place[400];
    bool large;
    int rc;

    if (k->key_delim.n) {
        const uint8_t *at = memmem(s.p, s.n, k->key_delim.p, k->key_delim.n);
        if (!at)
            return kerr_set(e, KE_INVALID, "%s: no key delimiter '%s'",
                            input_place(in, in->mark, place), k->key_delim_text);
        key = slice_of(s.p, (size_t)(at - s.p));
        value = slice_of(at + k->key_delim.n, s.n - key.n - k->key_delim.n);
        if (k->empty_is_null && key.n == 0)
            key.p = NULL;
    }
    if (k->empty_is_null && value.n == 0)
        value.p = NULL;
    large = key.n + value.n >= (size_t)k->conf.batch_size;
    if ((large || in->large_before) && !producer_idle(k->producer)) {
        producer_flush(k->producer);
        return KE_AGAIN;
    }
    rc = producer_send(k->producer, k->topic, (int32_t)k->partition, now, key, value, k->headers,
                       (int32_t)k->header_texts.n, in->mark, e);
    if (rc == 0)
        in->large_before = large;
    return rc;
}

/* The record [begin, end) and the delimiter behind it have been dealt with. */
static void pass(struct input *in, size_t end, size_t delim)
{
    size_t n = end + delim - in->begin;

    in->begin = in->scanned = end + delim;
    in->mark.at += n;
    in->mark.line++;
}

/* Where the next delimiter begins; NULL: not yet there. */
static const uint8_t *find_delim(const struct input *in, const uint8_t *p, size_t n)
{
    const struct buf *d = &in->k->delim;

    if (in->k->whole || n == 0)
        return NULL;
    return d->n == 1 ? memchr(p, d->p[0], n) : memmem(p, n, d->p, d->n);
}

/* A record's bytes up to the byte asked for are passed over, but its lines count. */
static bool skip_some(struct input *in)
{
    while (in->skip > 0 && in->begin < in->buf.n) {
        const uint8_t *p = in->buf.p + in->begin;
        size_t left = in->buf.n - in->begin, n = in->skip < left ? in->skip : left;
        const uint8_t *d = find_delim(in, p, n);
        size_t take = d ? (size_t)(d - p) + in->k->delim.n : n;
        take = take < n ? take : n;
        in->begin += take;
        in->mark.at += take;
        in->skip -= take;
        in->mark.line += d != NULL;
    }
    in->scanned = in->begin;
    return in->skip == 0;
}

/* Hands over what is whole. KE_AGAIN leaves it where it is. */
static int hand_over(struct input *in, struct kerr *e)
{
    struct kprod *k = in->k;
    size_t dn = k->delim.n;
    int64_t now = k->timestamp != INT64_MIN ? k->timestamp : os_wall(os_clock_real()).ms;
    int rc = 0;

    while (rc == 0) {
        const uint8_t *from = in->buf.p + in->scanned;
        const uint8_t *d = find_delim(in, from, in->buf.n - in->scanned);
        size_t end;
        if (!d)
            break;
        end = (size_t)(d - in->buf.p);
        rc = send_record(in, slice_of(in->buf.p + in->begin, end - in->begin), now, e);
        if (rc == 0)
            pass(in, end, dn);
    }
    /* the next look goes on here, but a delimiter may have begun already */
    if (rc == 0) {
        size_t keep = dn > 1 ? dn - 1 : 0;
        in->scanned = in->buf.n - in->begin > keep ? in->buf.n - keep : in->begin;
    }
    return rc;
}

/* What is left behind the last delimiter is a record too; the whole of an input is one, even when
 * there is nothing in it. */
static int hand_over_last(struct input *in, struct kerr *e)
{
    size_t n = in->buf.n - in->begin;
    int64_t now = in->k->timestamp != INT64_MIN ? in->k->timestamp : os_wall(os_clock_real()).ms;
    int rc = 0;

    if (n > 0 || in->k->whole)
        rc = send_record(in, slice_of(n ? in->buf.p + in->begin : (const uint8_t *)"", n), now, e);
    if (rc == 0 && (n > 0 || in->k->whole))
        pass(in, in->buf.n, 0);
    return rc;
}

/* ---- reading ---- */

/* Room for a chunk more; what has been dealt with makes way. */
static bool make_room(struct input *in)
{
    struct buf *b = &in->buf;

    if (in->begin == b->n) {
        buf_clear(b);
        in->begin = in->scanned = 0;
    } else if (in->begin > 0) {
        memmove(b->p, b->p + in->begin, b->n - in->begin);
        b->n -= in->begin;
        in->scanned -= in->begin;
        in->begin = 0;
    }
    return buf_reserve(b, CHUNK);
}

static int end_of_file(struct input *in, struct kerr *e)
{
    int rc;

    in->eof = true;
    rc = in->skip > 0 ? 0 : hand_over_last(in, e);
    if (rc < 0)
        return rc;
    if (in->fd > STDIN_FILENO)
        close(in->fd);
    in->fd = -1;
    buf_clear(&in->buf);
    in->begin = in->scanned = 0;
    if (in->next < in->count)
        return (rc = open_next(in, e)) < 0 ? rc : 1;
    if (in->skip > 0)
        return kerr_set(e, KE_INVALID, "--from-byte lies %llu bytes behind the end of the input",
                        (unsigned long long)in->skip);
    return 0;
}

int input_step(struct input *in, struct kerr *e)
{
    ssize_t n;
    int rc = in->skip > 0 ? 0 : hand_over(in, e); /* what was left when the producer was full */

    if (rc < 0)
        return rc;
    if (in->eof)
        return end_of_file(in, e);
    if (!make_room(in))
        return kerr_set(e, KE_NOMEM, "record of over %zu bytes", in->buf.n - in->begin);
    do
        n = read(in->fd, in->buf.p + in->buf.n, in->buf.cap - in->buf.n);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 1;
    if (n < 0)
        return kerr_sys(e, KE_IO, "%s",
                        in->places[in->place_count - 1].name ? in->places[in->place_count - 1].name
                                                             : "read from stdin");
    if (n == 0)
        return end_of_file(in, e);
    in->buf.n += (size_t)n;
    if (in->skip > 0 && !skip_some(in))
        return 1;
    rc = hand_over(in, e);
    return rc < 0 ? rc : 1;
}
