/*
 * conn_impl - a connection's state, as its parts share it: conn.c (life, brakes, deadlines),
 * conn_in.c (frames), conn_out.c (answers and requests).
 */
#ifndef KCORE_NET_CONN_IMPL_H
#define KCORE_NET_CONN_IMPL_H

#include "net/answers.h"
#include "net/budget_wait.h"
#include "net/conn.h"
#include "net/loop_impl.h"

#include <event2/event_struct.h>

struct net_conn {
    struct net_loop *loop;
    const struct transport *t;
    void *self;
    const struct net_limits *limits;
    struct net_budget *budget;
    const struct net_conn_ops *ops;
    void *arg;
    struct event read_event, write_event;
    struct net_timer timer; /* the deadlines' */
    struct net_deferred flush, revive;
    struct net_starved starved;
    struct net_answers out;

    /* bytes that are no whole frame yet, or whole frames that a brake holds back */
    uint8_t *in;
    size_t in_n, in_cap, in_want; /* in_want: the first frame's size, once it is known */

    mono_ns last_active; /* bytes have moved, in or out */
    mono_ns gain_from;   /* the frame under way is watched since */
    size_t gain_n;       /* with so many bytes */
    mono_ns out_moved;   /* output has progressed, or began to wait */

    int pauses;
    int busy; /* stretches of code under way in which c must stay */
    bool client, connecting, closed, draining, reading, writing;
    char peer[56];
};

/* ---- conn.c ---- */

/* Ends a stretch that c->busy++ began. False when c has been closed: then it may be gone. */
bool net_conn_release(struct net_conn *c);
/* Closes and tells the owner. */
void net_conn_finish(struct net_conn *c, enum net_close_reason r, const char *why);
void net_conn_fail(struct net_conn *c, int err);
/* No further frame is to be handed out. */
bool net_conn_braked(const struct net_conn *c);
void net_conn_set_reading(struct net_conn *c, bool on);
/* Over budget: reads again when there is room. False when c has been closed for want of memory. */
bool net_conn_starve(struct net_conn *c);
/* The frame under way has a fresh period to gain its bytes in. */
void net_conn_watch_gain(struct net_conn *c);
/* After whatever may have started a deadline. */
void net_conn_watch_deadlines(struct net_conn *c);

/* ---- conn_in.c ---- */

void net_conn_readable(evutil_socket_t fd, short what, void *arg);
/* Hands out what has been read already. False when c has been closed. */
bool net_conn_hand_out(struct net_conn *c);
void net_conn_drop_in(struct net_conn *c);

/* ---- conn_out.c ---- */

void net_conn_want_write(struct net_conn *c, bool on);
void net_conn_send_out(struct net_conn *c);
void net_conn_flush(struct net_deferred *d);

#endif
