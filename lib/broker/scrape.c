#include "broker/scrape.h"

#include "broker/metrics.h"
#include "net/http.h"

#include <stdlib.h>

struct scrape {
    struct broker *broker;
    struct net_http *http;
    struct net_http_request *waiting[NET_HTTP_CONNECTIONS]; /* the first one's page is being made */
    int count;
    bool stopping;
    struct pool_task make;
    struct net_task made;
    struct buf page;
};

static void make(struct pool_task *t)
{
    struct scrape *s = (struct scrape *)((char *)t - offsetof(struct scrape, make));
    struct stats stats;

    s->page.failed = !stats_take(s->broker, &stats);
    if (!s->page.failed) {
        metrics_write(&stats, &s->page);
        stats_free(&stats);
    }
    net_post(s->broker->reactors[0]->loop, &s->made);
}

/* The first of those that wait. */
static void answer(struct scrape *s, struct buf *page)
{
    struct net_http_request *q = s->waiting[0];

    memmove(s->waiting, s->waiting + 1, (size_t)--s->count * sizeof s->waiting[0]);
    net_http_answer(q, page);
}

static void make_next(struct scrape *s)
{
    while (s->count > 0 && (s->stopping || pool_submit(s->broker->pool, &s->make) < 0))
        answer(s, NULL);
}

static void made(struct net_task *t)
{
    struct scrape *s = (struct scrape *)((char *)t - offsetof(struct scrape, made));

    answer(s, s->page.failed ? NULL : &s->page);
    buf_free(&s->page);
    make_next(s);
}

static void asked(void *arg, struct net_http_request *q)
{
    struct scrape *s = arg;

    /* a request may outlive its connection, and others come in its place */
    if (s->stopping || s->count == NET_HTTP_CONNECTIONS) {
        net_http_answer(q, NULL);
        return;
    }
    s->waiting[s->count++] = q;
    if (s->count == 1)
        make_next(s);
}

int scrape_open(struct scrape **out, struct broker *b, struct kerr *e)
{
    struct scrape *s = calloc(1, sizeof *s);
    struct net_http_conf c = {.addr = b->conf.metrics,
                              .diag = &b->loggers.diag[LOGGER_NET],
                              .path = "/metrics",
                              .content_type = METRICS_CONTENT_TYPE,
                              .asked = asked,
                              .arg = s};
    int rc;

    *out = NULL;
    if (!s)
        return kerr_set(e, KE_NOMEM, "metrics");
    s->broker = b;
    s->make.run = make;
    s->made.run = made;
    rc = net_http_new(&s->http, b->reactors[0]->loop, &c, e);
    if (rc < 0) {
        free(s);
        return kerr_ctx(e, rc, "metrics.listener");
    }
    *out = s;
    return 0;
}

const struct net_addr *scrape_addr(const struct scrape *s)
{
    return net_http_addr(s->http);
}

void scrape_stop(struct scrape *s)
{
    net_http_stop(s->http);
    s->stopping = true;
}

bool scrape_busy(const struct scrape *s)
{
    return s->count > 0;
}

void scrape_free(struct scrape *s)
{
    if (!s)
        return;
    net_http_free(s->http);
    buf_free(&s->page);
    free(s);
}
