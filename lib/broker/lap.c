#include "broker/lap.h"

#include <stdlib.h>
#include <unistd.h>

static void end(struct lap *l)
{
    struct broker *b = l->broker;
    const uint64_t one = 1;

    if (l->ended)
        l->ended(l);
    free(l);
    atomic_fetch_sub(&b->laps, 1);
    if (write(b->lap_fd, &one, sizeof one) < 0)
        abort(); /* an eventfd that counts laps cannot be full */
}

static void come_by(struct net_task *t)
{
    struct stop *s = (struct stop *)t;
    struct lap *l = s->lap;

    if (l->at)
        l->at(l, s->reactor);
    if (atomic_fetch_sub(&l->left, 1) == 1)
        end(l);
}

struct lap *lap_new(struct broker *b)
{
    struct lap *l = calloc(1, sizeof *l + (size_t)b->reactor_count * sizeof l->stops[0]);

    if (!l)
        return NULL;
    l->broker = b;
    l->left = b->reactor_count;
    for (int i = 0; i < b->reactor_count; i++)
        l->stops[i] = (struct stop){{come_by, NULL}, l, b->reactors[i]};
    return l;
}

void lap_start(struct lap *l)
{
    struct broker *b = l->broker;

    atomic_fetch_add(&b->laps, 1);
    /* the last one may free l while this still looks */
    for (int i = 0, n = b->reactor_count; i < n; i++)
        net_post(b->reactors[i]->loop, &l->stops[i].task);
}

int broker_lap(struct broker *b, struct kerr *e)
{
    struct lap *l = lap_new(b);

    if (!l)
        return kerr_set(e, KE_NOMEM, "lap");
    lap_start(l);
    return 0;
}

int broker_lap_fd(const struct broker *b)
{
    return b->lap_fd;
}

bool broker_lap_over(struct broker *b)
{
    uint64_t n;

    while (read(b->lap_fd, &n, sizeof n) > 0)
        ;
    return atomic_load(&b->laps) == 0;
}
