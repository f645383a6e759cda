#include "net/answers.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>

#define GATHER 32

void net_answers_init(struct net_answers *q)
{
    *q = (struct net_answers){.part = -1};
    q->tail = &q->head;
}

struct net_answer *net_answers_push(struct net_answers *q, struct net_conn *c)
{
    struct net_answer *a = malloc(sizeof *a);

    if (!a)
        return NULL;
    a->next = NULL;
    a->conn = c;
    a->done = false;
    a->size = 0;
    a->count = 0;
    a->parts = a->first;
    a->cap = sizeof a->first / sizeof a->first[0];
    if (c) {
        *q->tail = a;
        q->tail = &a->next;
        q->count++;
    }
    return a;
}

struct net_part *net_answer_part(struct net_answer *a)
{
    if (a->count == a->cap) {
        struct net_part *more = malloc((size_t)a->cap * 2 * sizeof *more);
        if (!more)
            return NULL;
        memcpy(more, a->parts, (size_t)a->count * sizeof *more);
        if (a->parts != a->first)
            free(a->parts);
        a->parts = more;
        a->cap *= 2;
    }
    a->parts[a->count] = (struct net_part){.kind = PART_BYTES};
    return &a->parts[a->count++];
}

static void free_part(struct net_part *p)
{
    if (p->kind == PART_BYTES)
        buf_free(&p->bytes);
    else if (p->file.release)
        p->file.release(p->file.arg);
}

void net_answer_free(struct net_answer *a)
{
    for (int i = 0; i < a->count; i++)
        free_part(&a->parts[i]);
    if (a->parts != a->first)
        free(a->parts);
    free(a);
}

bool net_answers_ready(const struct net_answers *q)
{
    return q->head && q->head->done;
}

void net_answers_abandon(struct net_answers *q)
{
    struct net_answer *a = q->head, *next, *done = NULL;

    net_answers_init(q);
    for (; a; a = next) {
        next = a->next;
        a->conn = NULL;
        if (a->done) {
            a->next = done;
            done = a;
        }
    }
    /* who is told now may send or drop the others */
    while ((a = done) != NULL) {
        done = a->next;
        net_answer_free(a);
    }
}

void net_answers_remove(struct net_answers *q, struct net_answer *a)
{
    struct net_answer **at = &q->head;

    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    if (!a->next)
        q->tail = at;
    q->count--;
    q->bytes -= a->size;
}

static size_t part_size(const struct net_answer *a, int part)
{
    if (part < 0)
        return sizeof a->length;
    switch (a->parts[part].kind) {
    case PART_BYTES:
        return a->parts[part].bytes.n;
    case PART_BORROWED:
        return a->parts[part].borrowed.n;
    default:
        return a->parts[part].file.size;
    }
}

static const uint8_t *part_bytes(const struct net_answer *a, int part)
{
    if (part < 0)
        return a->length;
    return a->parts[part].kind == PART_BYTES ? a->parts[part].bytes.p : a->parts[part].borrowed.p;
}

static bool is_file(const struct net_answer *a, int part)
{
    return part >= 0 && a->parts[part].kind == PART_FILE;
}

/* The memory from the queue's position on, up to a file or an incomplete answer. *more: a file
 * follows. */
static int gather(const struct net_answers *q, struct iovec *v, size_t budget, bool *more)
{
    const struct net_answer *a = q->head;
    int part = q->part, n = 0;
    size_t skip = q->offset;

    *more = false;
    while (a && a->done && n < GATHER && budget > 0) {
        if (is_file(a, part)) {
            *more = true;
            break;
        }
        size_t size = part_size(a, part) - skip;
        if (size > 0) {
            v[n++] = (struct iovec){(void *)(uintptr_t)(part_bytes(a, part) + skip), size};
            budget -= size < budget ? size : budget;
        }
        skip = 0;
        if (++part == a->count) {
            a = a->next;
            part = -1;
        }
    }
    return n;
}

/* Moves the position on by n sent bytes, frees what is through. */
static void advance(struct net_answers *q, size_t n)
{
    while (q->head && q->head->done) {
        struct net_answer *a = q->head;
        size_t left = part_size(a, q->part) - q->offset;
        if (n < left) {
            q->offset += n;
            return;
        }
        n -= left;
        q->offset = 0;
        if (++q->part < a->count)
            continue;
        q->part = -1;
        q->bytes -= a->size;
        q->count--;
        q->head = a->next;
        if (!q->head)
            q->tail = &q->head;
        net_answer_free(a);
    }
}

int net_answers_send(struct net_answers *q, const struct transport *t, void *self, size_t budget,
                     size_t *sent)
{
    *sent = 0;
    while (net_answers_ready(q)) {
        ssize_t k;
        size_t want = 0;
        if (*sent >= budget)
            return 0;
        if (is_file(q->head, q->part)) {
            const struct net_file *f = &q->head->parts[q->part].file;
            want = f->size - q->offset;
            if (want > budget - *sent)
                want = budget - *sent;
            k = want ? t->send_file(self, f->fd, f->at + (int64_t)q->offset, want) : 0;
        } else {
            struct iovec v[GATHER];
            bool more;
            int n = gather(q, v, budget - *sent, &more);
            for (int i = 0; i < n; i++)
                want += v[i].iov_len;
            k = n ? t->writev(self, v, n, more) : 0;
        }
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return errno == EAGAIN ? 0 : -1;
        *sent += (size_t)k;
        advance(q, (size_t)k);
        if ((size_t)k < want)
            return 0;
    }
    return 1;
}
