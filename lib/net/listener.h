/*
 * listener - a listening socket (TCP v4, v6, Unix) that deals its connections out to loops.
 */
#ifndef KCORE_NET_LISTENER_H
#define KCORE_NET_LISTENER_H

#include "base/diag.h"
#include "net/addr.h"
#include "net/loop.h"

struct net_listener;

struct net_listener_conf {
    struct net_addr addr;
    const struct diag *diag;
    /* Called on the accepting loop with a non-blocking, close-on-exec socket that is now the
     * callee's. */
    void (*accepted)(void *arg, int fd, const struct net_addr *peer);
    void *arg;
};

/* Binds and listens, does not accept yet. A host name is looked up, which may take a while. Port 0
 * takes any free one. An IPv6 listener is for IPv6 only. A Unix socket gets mode 0600; a stale one
 * (nobody answers) is replaced. KE_EXISTS: the address is in use; the message names it. */
int net_listener_new(struct net_listener **out, struct net_loop *l,
                     const struct net_listener_conf *c, struct kerr *e);
/* What it is bound to, with the real port. */
const struct net_addr *net_listener_addr(const struct net_listener *s);
/* For who accepts by other means: it is not started then. */
int net_listener_fd(const struct net_listener *s);
int net_listener_start(struct net_listener *s, struct kerr *e);
/* Stops accepting for good; removes the Unix socket. (Out of descriptors accepting pauses by
 * itself, which is said once a minute at most.) */
void net_listener_stop(struct net_listener *s);
void net_listener_free(struct net_listener *s);

#endif
