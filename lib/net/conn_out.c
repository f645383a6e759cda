#include "net/conn_impl.h"

#include "base/bytes.h"

#include <errno.h>

/* Bytes before other connections get their turn: what one takes, the next one waits for. */
#define SEND_SLICE ((size_t)32 << 10)

/* ---- sending ---- */

void net_conn_want_write(struct net_conn *c, bool on)
{
    if (on == c->writing)
        return;
    c->writing = on;
    if (on)
        event_add(&c->write_event, NULL);
    else
        event_del(&c->write_event);
}

/* What is sent tells its owner so, who may do anything: c is held. */
void net_conn_send_out(struct net_conn *c)
{
    size_t sent;
    int rc, err;

    c->busy++;
    rc = net_answers_send(&c->out, c->t, c->self, SEND_SLICE, &sent);
    err = errno;
    if (c->closed)
        goto out;
    if (rc < 0) {
        net_conn_fail(c, err);
        goto out;
    }
    if (sent > 0 || !c->writing)
        c->out_moved = net_loop_now(c->loop);
    if (sent > 0)
        c->last_active = c->out_moved;
    net_conn_want_write(c, rc == 0);
    if (c->draining && c->out.count == 0) {
        net_conn_finish(c, NET_CLOSED_BY_US, "drained");
        goto out;
    }
    if (!c->reading && !net_conn_braked(c))
        net_defer(c->loop, &c->revive);
    net_conn_watch_deadlines(c);
out:
    net_conn_release(c);
}

void net_conn_flush(struct net_deferred *d)
{
    struct net_conn *c = NET_OWNER(struct net_conn, flush, d);

    if (!c->connecting && !c->writing)
        net_conn_send_out(c);
}

/* ---- answers ---- */

struct net_answer *net_answer_new(struct net_conn *c)
{
    return net_answers_push(&c->out, c->closed ? NULL : c);
}

/* Room for a part of n bytes, which are counted already; NULL without memory, or where the length
 * of a frame has no room for them. */
static struct net_part *add_part(struct net_answer *a, size_t n)
{
    struct net_part *p = n > INT32_MAX - a->size ? NULL : net_answer_part(a);

    if (!p)
        return NULL;
    a->size += n;
    if (a->conn)
        a->conn->out.bytes += n;
    return p;
}

bool net_answer_bytes(struct net_answer *a, struct buf *b)
{
    struct net_part *p = b->failed ? NULL : add_part(a, b->n);

    if (!p)
        return false;
    p->bytes = *b;
    *b = (struct buf){0};
    return true;
}

bool net_answer_file(struct net_answer *a, const struct net_file *f)
{
    struct net_part *p = add_part(a, f->size);

    if (!p)
        return false;
    p->kind = PART_FILE;
    p->file = *f;
    return true;
}

size_t net_answer_size(const struct net_answer *a)
{
    return sizeof a->length + a->size;
}

bool net_answer_wanted(const struct net_answer *a)
{
    return a->conn != NULL;
}

void net_answer_send(struct net_answer *a)
{
    struct net_conn *c = a->conn;

    if (!c) {
        net_answer_free(a);
        return;
    }
    put_be32(a->length, (uint32_t)a->size);
    a->done = true;
    net_defer(c->loop, &c->flush);
}

void net_answer_drop(struct net_answer *a)
{
    struct net_conn *c = a->conn;

    if (c) {
        net_answers_remove(&c->out, a);
        net_defer(c->loop, &c->flush);
    }
    net_answer_free(a);
}

/* ---- requests ---- */

int net_conn_send(struct net_conn *c, struct buf *head, struct slice body, void (*sent)(void *arg),
                  void *arg)
{
    struct net_answer *a;
    struct net_part *p;

    if (c->closed)
        return KE_CLOSED;
    if (head->failed)
        return KE_NOMEM;
    if (head->n > INT32_MAX || body.n > INT32_MAX - head->n)
        return KE_TOOBIG;
    a = net_answers_push(&c->out, c);
    if (!a)
        return KE_NOMEM;
    /* the first parts need no memory */
    net_answer_bytes(a, head);
    if (body.p) {
        p = add_part(a, body.n);
        p->kind = PART_BORROWED;
        p->borrowed = body;
        p->file.release = sent;
        p->file.arg = arg;
    }
    net_answer_send(a);
    return 0;
}
