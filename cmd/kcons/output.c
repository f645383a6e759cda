#include "kcons.h"

#include "cli/exit.h"
#include "cli/json.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_AT ((size_t)128 << 10) /* bytes gathered for one write */

/* ---- one record ---- */

/* With room made once: this is the path that has to be fast. */
static void put_text(struct kcons *k, const struct record *r)
{
    size_t kn = k->key_delim.n ? r->key.n + k->key_delim.n : 0;
    uint8_t *p = buf_add(&k->out, kn + r->value.n + k->delim.n);

    if (!p)
        return;
    if (kn) {
        if (r->key.n)
            memcpy(p, r->key.p, r->key.n);
        memcpy(p + r->key.n, k->key_delim.p, k->key_delim.n);
        p += kn;
    }
    if (r->value.n)
        memcpy(p, r->value.p, r->value.n);
    p += r->value.n;
    if (k->delim.n == 1)
        *p = k->delim.p[0];
    else
        memcpy(p, k->delim.p, k->delim.n);
}

static void put_json(struct buf *b, const char *topic, int32_t partition, const struct record *r)
{
    struct slice at = r->headers;
    struct header h;

    buf_put_str(b, "{\"topic\":");
    json_put(b, slice_str(topic));
    buf_printf(b,
               ",\"partition\":%d,\"offset\":%" PRId64 ",\"timestamp\":%" PRId64 ",\"headers\":[",
               partition, r->offset, r->timestamp);
    for (int32_t i = 0; i < r->header_count && record_header_next(&at, &h) == 0; i++) {
        buf_put_str(b, i ? ",[" : "[");
        json_put(b, h.name);
        buf_put_u8(b, ',');
        json_put(b, h.value);
        buf_put_u8(b, ']');
    }
    buf_put_str(b, "],\"key\":");
    json_put(b, r->key);
    buf_put_str(b, ",\"value\":");
    json_put(b, r->value);
    buf_put_str(b, "}\n");
}

static void put_record(struct kcons *k, const char *topic, int32_t partition,
                       const struct record *r)
{
    if (k->json)
        put_json(&k->out, topic, partition, r);
    else if (k->format)
        format_put(k->format, &k->out, topic, partition, r);
    else
        put_text(k, r);
}

int output_batch(struct kcons *k, const char *topic, int32_t partition, const struct batch *b,
                 int64_t from, int64_t to, struct kerr *e)
{
    struct record r;
    int rc = record_iter_begin(k->it, b, KCONS_DECODED_MAX, e);

    while (rc == 0 && (rc = record_next(k->it, &r, e)) == 1) {
        rc = 0;
        if (r.offset < from)
            continue;
        if (r.offset >= to)
            break;
        if (r.timestamp < k->from_time || r.timestamp >= k->until_time)
            continue;
        put_record(k, topic, partition, &r);
        if (++k->written == k->count)
            return k->out.failed ? kerr_set(e, KE_NOMEM, "out of memory") : 1;
        if (k->unbuffered || k->out.n >= WRITE_AT)
            rc = output_flush(k, e);
    }
    if (rc == KE_CORRUPT || rc == KE_TOOBIG || rc == KE_CODEC)
        return kerr_ctx(e, rc, "%s-%d", topic, partition);
    return rc;
}

/* ---- stdout ---- */

int output_flush(struct kcons *k, struct kerr *e)
{
    size_t done = 0;

    if (k->out.failed)
        return kerr_set(e, KE_NOMEM, "out of memory");
    while (done < k->out.n) {
        ssize_t n = write(STDOUT_FILENO, k->out.p + done, k->out.n - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 &&
            errno == EAGAIN) { /* somebody else's choice, for a descriptor that is shared */
            struct pollfd wait = {STDOUT_FILENO, POLLOUT, 0};
            poll(&wait, 1, -1);
            continue;
        }
        if (n < 0 && errno == EPIPE)
            cli_die_by(SIGPIPE);
        if (n < 0) {
            buf_clear(&k->out);
            return kerr_sys(e, KE_IO, "write to stdout");
        }
        done += (size_t)n;
    }
    buf_clear(&k->out);
    return 0;
}

bool output_watchable(void)
{
    struct stat st;

    return fstat(STDOUT_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

bool output_closed(void)
{
    struct pollfd p = {STDOUT_FILENO, 0, 0};

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP));
}
