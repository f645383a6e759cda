#include "kprod.h"

#include "cli/num.h"

#include <stdio.h>
#include <unistd.h>

#define EVERY_MS 500

static void show(struct net_timer *t)
{
    struct progress *p = (struct progress *)((char *)t - offsetof(struct progress, timer));
    mono_ns now = net_loop_now(t->loop);
    int64_t ms = mono_diff_ms(now, p->since) + 1;
    char n[NUM_MAX], line[120];
    int len = snprintf(line, sizeof line, "\r  %s records  %.1f MB/s\033[K",
                       num_count(p->k->acked, n), (double)p->k->acked_bytes / (double)ms / 1e3);
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)len);

    (void)ignored;
    p->shown = true;
    net_timer_set(t, EVERY_MS);
}

void progress_start(struct progress *p, struct kprod *k)
{
    struct net_loop *l = client_loop(k->client);

    *p = (struct progress){.k = k, .since = net_loop_now(l)};
    net_timer_init(&p->timer, l, show);
    if (k->common.quiet || !isatty(STDERR_FILENO) || input_is_terminal(k->input) ||
        (k->tee && isatty(STDOUT_FILENO)))
        return;
    net_timer_set(&p->timer, EVERY_MS);
}

void progress_stop(struct progress *p)
{
    static const char clear[] = "\r\033[K";
    ssize_t ignored;

    net_timer_clear(&p->timer);
    if (p->shown) {
        ignored = write(STDERR_FILENO, clear, sizeof clear - 1);
        (void)ignored;
    }
    p->shown = false;
}
