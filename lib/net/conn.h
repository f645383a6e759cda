/*
 * conn - one connection that carries frames (4-byte length, then the body), with brakes.
 *
 * A connection lives and dies on its loop. It reaches its socket only through a struct transport,
 * so plain sockets, TLS and a hostile test transport look alike.
 *
 * In: frames are handed to on_frame one by one, in order. Memory for a frame grows with what has
 * arrived (4 KiB, then doubling), never with what was announced, and counts against the shared
 * budget.
 *
 * Out, on a server: each request takes its place with net_answer_new() when it is started and is
 * answered whenever it is ready; the connection sends answers in the order of those places. Out, on
 * a client: net_conn_send().
 *
 * Brakes (DESIGN.md, Overload): over budget, with 64 answers or 8 MiB waiting, or while the owner
 * holds it (net_conn_pause), the socket is not read. Deadlines: a frame begun that gains under 512
 * bytes in 8 s, 60 s without progress of the output, 10 min idle with nothing waiting: closed. Not
 * reading stops the first and the last.
 */
#ifndef KCORE_NET_CONN_H
#define KCORE_NET_CONN_H

#include "base/buf.h"
#include "base/diag.h"
#include "net/addr.h"
#include "net/budget.h"
#include "net/loop.h"

#include <sys/types.h>
#include <sys/uio.h>

/* How bytes move. Each returns a count, 0 at the end (readv), or -1 with errno (EAGAIN: wait for
 * want). */
struct transport {
    ssize_t (*readv)(void *self, const struct iovec *v, int n);
    ssize_t (*writev)(void *self, const struct iovec *v, int n, bool more);
    ssize_t (*send_file)(void *self, int fd, int64_t at, size_t n);
    /* what poll must wait for before the last call can go on (TLS may want to read in order to
     * write) */
    int (*want)(void *self); /* bits: 1 read, 2 write; 0: what the caller wanted */
    int (*fd)(void *self);
    void (*close)(void *self);
};

/* A plain socket; self is (void *)(intptr_t)fd. */
extern const struct transport transport_plain;

struct net_limits {
    size_t max_frame;      /* socket.request.max.bytes, 100 MiB */
    size_t max_out_bytes;  /* 8 MiB */
    int max_answers;       /* 64 */
    int64_t idle_ms;       /* connections.max.idle.ms, 10 min; 0: none */
    int64_t frame_gain_ms; /* 8 s */
    size_t frame_gain;     /* 512 */
    int64_t out_stall_ms;  /* 60 s */
};

void net_limits_default(struct net_limits *l);

struct net_conn;

/* A frame's body. data is valid during on_frame; net_frame_keep() makes it last until
 * net_frame_free(). The rest is net's own. */
struct net_frame {
    uint8_t *data;
    size_t n;
    uint8_t *memory; /* what data lies in, when it is the frame's own */
    size_t cap;
    struct net_budget *budget;
};

enum net_close_reason {
    NET_CLOSED_BY_PEER,
    NET_CLOSED_BY_US,
    NET_CLOSED_ERROR,     /* errno of the socket in the message */
    NET_CLOSED_MALFORMED, /* a frame of no or too great a length */
    NET_CLOSED_IDLE,
    NET_CLOSED_SLOW_IN,  /* a deadline: its request does not come */
    NET_CLOSED_SLOW_OUT, /* another: it does not read its answers */
    NET_CLOSE_REASONS
};

struct net_conn_ops {
    /* The owner may close the connection from within. */
    void (*on_frame)(void *arg, struct net_conn *c, struct net_frame *f);
    /* The last call for this connection; why is for people. After it c is gone. */
    void (*on_closed)(void *arg, struct net_conn *c, enum net_close_reason r, const char *why);
    /* clients: connected (err 0) or failed (then on_closed follows); may be NULL */
    void (*on_connected)(void *arg, struct net_conn *c);
};

/* Takes over the transport (closes it on failure, too). limits must stay as long as the
 * connection. budget may be NULL. Sending a file may raise SIGPIPE: the program ignores it. */
int net_conn_new(struct net_conn **out, struct net_loop *l, const struct transport *t, void *self,
                 const struct net_limits *limits, struct net_budget *budget,
                 const struct net_conn_ops *ops, void *arg, struct kerr *e);
/* Connects without waiting. A name must have been resolved (net_addr_resolve). */
int net_connect(struct net_conn **out, struct net_loop *l, const struct net_addr *a,
                const struct net_limits *limits, const struct net_conn_ops *ops, void *arg,
                struct kerr *e);
/* The limits have changed (on the loop's thread): deadlines count by them from now on. */
void net_conn_limits_changed(struct net_conn *c);
void *net_conn_arg(const struct net_conn *c);
struct net_loop *net_conn_loop(const struct net_conn *c);
/* "127.0.0.1:40312" or "unix": for messages. */
const char *net_conn_peer(const struct net_conn *c);
/* Drops what was not sent; on_closed is called before this returns, unless it is running already.
 */
void net_conn_close(struct net_conn *c);
/* No more frames are handed out; closes once every answer taken has been sent. For the clean stop.
 */
void net_conn_drain(struct net_conn *c);
/* Not read while at least one holder has paused it. */
void net_conn_pause(struct net_conn *c);
void net_conn_resume(struct net_conn *c);

/* Makes f outlive on_frame: a big frame changes hands without a copy, a small one is copied. False
 * without memory. */
bool net_frame_keep(struct net_conn *c, struct net_frame *f);
/* Of a kept frame; from any thread. */
void net_frame_free(struct net_frame *f);

/* ---- answers (servers) ---- */

/* Part of an answer that lies in a file. release is called once, on the loop, when it was sent or
 * dropped. */
struct net_file {
    int fd;
    int64_t at;
    size_t size;
    void (*release)(void *arg);
    void *arg;
};

struct net_answer;

/* The next place in the queue of answers. NULL without memory. It lives until net_answer_send or
 * net_answer_drop, even if the connection is gone before: then they only free it. On the loop's
 * thread, all three. */
struct net_answer *net_answer_new(struct net_conn *c);
/* Adds bytes (the frame length is filled in by net_answer_send: leave it out). Takes over b's
 * memory. False, and nothing is taken over: no memory (b's failure counts), or more than a frame
 * can say; such an answer can only be dropped, and its connection closed. */
bool net_answer_bytes(struct net_answer *a, struct buf *b);
bool net_answer_file(struct net_answer *a, const struct net_file *f);
/* What it is on the wire so far, its length included. */
size_t net_answer_size(const struct net_answer *a);
/* Complete. After this a belongs to the connection. */
void net_answer_send(struct net_answer *a);
/* Nothing is sent in its place (acks=0). */
void net_answer_drop(struct net_answer *a);
/* False when the connection has gone: the work for it may be skipped. */
bool net_answer_wanted(const struct net_answer *a);

/* ---- requests (clients) ---- */

/* Queues one frame: the length, then head, then body (NULL: none) without copying it: body must
 * stay until sent() is called (when the kernel has taken it, or the connection has closed). */
int net_conn_send(struct net_conn *c, struct buf *head, struct slice body, void (*sent)(void *arg),
                  void *arg);

#endif
