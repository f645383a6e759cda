/*
 * Requests that are waited for.
 */
#include "client/client_impl.h"

#include <stdlib.h>
#include <string.h>

/* One attempt. Outlives its caller when the caller gives up first. */
struct attempt {
    const struct client_request *rq; /* the caller's */
    struct client_answer *out;
    bool done, abandoned;
    int err;
    struct kerr why;
};

static int encode_attempt(void *arg, struct buf *b, int16_t version)
{
    struct attempt *a = arg;

    return a->abandoned ? KE_CLOSED : a->rq->encode(a->rq->arg, b, version);
}

static void take_answer(struct attempt *a, const struct client_reply *r)
{
    struct client_answer *out = a->out;

    out->bytes = malloc(r->body.n ? r->body.n : 1);
    if (!out->bytes) {
        a->err = kerr_set(&a->why, KE_NOMEM, "answer");
        return;
    }
    if (r->body.n)
        memcpy(out->bytes, r->body.p, r->body.n);
    wire_reader_init(&out->body, slice_of(out->bytes, r->body.n), &out->arena);
    out->version = r->version;
    out->node = r->node;
}

static void attempt_done(void *arg, const struct client_reply *r)
{
    struct attempt *a = arg;

    if (a->abandoned) {
        free(a);
        return;
    }
    a->done = true;
    a->err = r->err;
    if (r->err && r->why)
        a->why = *r->why;
    else if (!r->err)
        take_answer(a, r);
}

static int64_t left_ms(const struct client *c, mono_ns deadline)
{
    int64_t ms = mono_diff_ms(deadline, os_mono(net_loop_clock(c->loop)));

    return ms > 0 ? ms + 1 : 0;
}

/* Polls for at most ms; false when there is no point in going on. */
static bool wait_a_while(struct client *c, int64_t ms, mono_ns deadline)
{
    int64_t left = left_ms(c, deadline);

    if (c->interrupted || left == 0)
        return false;
    client_poll(c, ms >= 0 && ms < left ? ms : left);
    return !c->interrupted;
}

static int attempt(struct client *c, int32_t node, const struct client_request *r, mono_ns deadline,
                   struct client_answer *out, struct kerr *e)
{
    struct client_request rq = *r;
    struct attempt *a = calloc(1, sizeof *a);
    int rc;

    if (!a)
        return kerr_set(e, KE_NOMEM, "request");
    a->rq = r;
    a->out = out;
    rq.encode = encode_attempt;
    rq.done = attempt_done;
    rq.arg = a;
    rq.timeout_ms = left_ms(c, deadline);
    rc = client_send(c, node, &rq, e);
    if (rc == 0) {
        while (!a->done && wait_a_while(c, -1, deadline))
            ;
        if (!a->done) {
            a->abandoned = true;
            return c->interrupted ? kerr_set(e, KE_CLOSED, "interrupted")
                                  : kerr_set(e, KE_TIMEOUT, "no answer in time");
        }
        rc = a->err;
        if (rc < 0 && e)
            *e = a->why;
    }
    free(a);
    return rc;
}

/* Nobody has ever answered, and everybody has been tried. */
static bool hopeless(const struct client *c)
{
    if (c->ever_up || c->patient)
        return false;
    for (const struct node *n = c->nodes; n; n = n->next)
        if (n->failures == 0)
            return false;
    return true;
}

int client_call(struct client *c, int32_t node, const struct client_request *r, int64_t timeout_ms,
                struct client_answer *out, struct kerr *e)
{
    const struct os_clock *clock = net_loop_clock(c->loop);
    int64_t ms = timeout_ms < 0 ? c->conf.request_timeout_ms : timeout_ms;
    mono_ns deadline = mono_add_ms(os_mono(clock), ms), pause_until;
    struct kerr why = {0};
    int rc;

    for (;;) {
        *out = (struct client_answer){0};
        rc = attempt(c, node, r, deadline, out, &why);
        if (rc != KE_IO || c->interrupted || hopeless(c))
            break;
        pause_until = mono_add_ms(os_mono(clock), c->conf.retry_backoff_ms);
        while (left_ms(c, pause_until) > 0 && wait_a_while(c, left_ms(c, pause_until), deadline))
            ;
        if (c->interrupted)
            rc = kerr_set(&why, KE_CLOSED, "interrupted");
        else if (left_ms(c, deadline) == 0)
            rc = why.code = KE_TIMEOUT;
        if (rc != KE_IO)
            break;
    }
    if (rc < 0 && e)
        *e = why;
    return rc;
}

void client_answer_free(struct client_answer *a)
{
    arena_free(&a->arena);
    free(a->bytes);
    *a = (struct client_answer){0};
}
