/*
 * http - a small HTTP server for one page, such as a page of metrics.
 *
 * GET of that page goes to the owner, who answers whenever the page is made. Another path is 404,
 * another method 405. Requests are bounded (8 KiB of header, 1 KiB of body), an answer ends its
 * connection, one that is idle for 5 s or older than 60 s is closed, and at most 16 are served:
 * more wait in the kernel's queue. It is libevent's evhttp, which is loaded when the first server
 * is made; who makes none does not pay for it.
 *
 * Everything happens on the loop's thread.
 */
#ifndef KCORE_NET_HTTP_H
#define KCORE_NET_HTTP_H

#include "base/buf.h"
#include "base/diag.h"
#include "net/addr.h"
#include "net/loop.h"

#define NET_HTTP_CONNECTIONS 16

struct net_http;
struct net_http_request;

struct net_http_conf {
    struct net_addr addr; /* as a listener's: port 0 is any, a Unix socket gets mode 0600 */
    const struct diag *diag;
    const char *path, *content_type;
    /* q is the callee's until net_http_answer(), which must come. */
    void (*asked)(void *arg, struct net_http_request *q);
    void *arg;
};

/* Binds and serves. KE_EXISTS: the address is in use; KE_UNSUPPORTED: libevent's HTTP is not
 * there. */
int net_http_new(struct net_http **out, struct net_loop *l, const struct net_http_conf *c,
                 struct kerr *e);
/* What it is bound to, with the real port. */
const struct net_addr *net_http_addr(const struct net_http *h);
/* With the page, whose memory is taken over; NULL: 503. Allowed when the client has gone. */
void net_http_answer(struct net_http_request *q, struct buf *page);
/* Takes no more connections. */
void net_http_stop(struct net_http *h);
/* Every request has been answered; the loop may have ended. */
void net_http_free(struct net_http *h);

#endif
