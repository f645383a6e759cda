/*
 * net_support - a connection between a test and itself: the owner's side runs on a loop under a
 * clock that the test moves, the peer's side is a plain descriptor. The whole suite runs over each
 * of the ways.
 */
#ifndef NET_SUPPORT_H
#define NET_SUPPORT_H

#include "net/conn.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* How bytes reach the connection. HOSTILE: few bytes at a time, most often one, short writes, and
 * EAGAIN where there was no need for it, all by a seed. */
enum way { WAY_UNIX, WAY_TCP, WAY_HOSTILE };

struct fake_clock {
    struct os_clock clock;
    int64_t ns;
};

/* A transport around a descriptor; counts what it is asked. */
struct counted {
    int fd;
    bool hostile;
    uint64_t random;
    int reads, writes, files; /* calls */
    size_t got, sent;         /* bytes by reads, by writes */
};

struct kept {
    struct net_frame frame;
    struct net_answer *answer;
};

struct rig {
    enum way way;
    struct fake_clock time;
    struct net_loop *loop;
    struct net_limits limits;
    struct net_budget budget, *shared; /* shared: another rig's, in place of its own */
    struct counted transport;
    struct net_conn *conn; /* NULL once it has gone */
    int peer;              /* the other end, non-blocking; -1: closed */
    bool peer_eof;

    struct buf seen;     /* every frame handed out, with its length in front */
    struct buf received; /* what the peer has got */
    int frames;
    struct kept *kept; /* by frames that begin with P or K */
    int kept_count, kept_cap;
    struct net_file file; /* what frames that begin with F are answered with */

    int closed; /* calls of on_closed */
    enum net_close_reason reason;
    char why[160];
};

void fake_clock_init(struct fake_clock *f);
/* Two connected stream sockets, both non-blocking. */
void socket_pair(enum way w, int fd[2]);
extern const struct transport transport_counted;

/* The owner answers by the first byte of a frame: 'P' is answered by the test, later; 'K' is kept
 * as well; 'D' is not answered; 'F' with the file; 'C' closes the connection first; 'Z' pauses it
 * and is echoed; all others are echoed. */
void rig_start(struct rig *r, enum way w);
/* On the loop, and so under the clock, of another rig. */
void rig_start_on(struct rig *r, enum way w, struct net_loop *loop);
/* A further connection for a rig whose first one has gone. */
void rig_open(struct rig *r, enum way w);
void rig_end(struct rig *r);
/* By a reset: tests of many connections leave no ports in TIME_WAIT. */
void rig_close_peer(struct rig *r);

/* Lets the loop handle what is ready until nothing is, sending in on the way and collecting what
 * comes back. */
void rig_exchange(struct rig *r, struct slice in);
void rig_settle(struct rig *r);
/* Moves the clock and fires what is due. */
void rig_wait(struct rig *r, int64_t ms);
/* The k-th kept answer, with these bytes. */
void rig_answer(struct rig *r, int k, struct slice body);

void put_frame(struct buf *b, struct slice body);
/* n bytes: first, then a pattern of seed. */
void put_pattern(struct buf *b, char first, size_t n, uint64_t seed);
void assert_bytes(const struct buf *got, const struct buf *want);
uint64_t next_random(uint64_t *state);

/* Runs each test over each way, or once. */
struct way_test {
    const char *name;
    void (*run)(void **state);
};
int run_over_ways(const char *group, const struct way_test *t, size_t n);
enum way way_of(void **state);

#endif
