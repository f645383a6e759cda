/*
 * answers - a connection's queue of output, in order, and the sending of it. lib/net's own.
 *
 * An answer is bytes and file ranges behind its length; it is sent when it and all before it are
 * complete.
 */
#ifndef KCORE_NET_ANSWERS_H
#define KCORE_NET_ANSWERS_H

#include "net/conn.h"

struct net_part {
    enum { PART_BYTES, PART_BORROWED, PART_FILE } kind;
    struct buf bytes;      /* PART_BYTES: owned */
    struct slice borrowed; /* PART_BORROWED */
    struct net_file file;  /* PART_FILE; release and arg serve PART_BORROWED too */
};

struct net_answer {
    struct net_answer *next;
    struct net_conn *conn; /* NULL: it has gone */
    bool done;
    uint8_t length[4];
    size_t size; /* of all parts */
    struct net_part *parts, first[3];
    int count, cap;
};

struct net_answers {
    struct net_answer *head, **tail;
    int count;
    size_t bytes;  /* in complete and incomplete answers */
    int part;      /* of head: -1 is the length */
    size_t offset; /* sent of that part */
};

void net_answers_init(struct net_answers *q);
/* c NULL: an orphan, in no queue. NULL without memory. */
struct net_answer *net_answers_push(struct net_answers *q, struct net_conn *c);
/* Room for one more part, or NULL. */
struct net_part *net_answer_part(struct net_answer *a);
/* Takes out one that is not complete. */
void net_answers_remove(struct net_answers *q, struct net_answer *a);
/* Sends what is complete, at most budget bytes: 1 all sent, 0 more to come when the socket can take
 * it, -1 with errno. *sent counts. Owners are told of what was sent and may abandon the queue
 * within. */
int net_answers_send(struct net_answers *q, const struct transport *t, void *self, size_t budget,
                     size_t *sent);
/* Whether the next answer is complete. */
bool net_answers_ready(const struct net_answers *q);
/* Empties the queue: frees complete ones, orphans the others. */
void net_answers_abandon(struct net_answers *q);
void net_answer_free(struct net_answer *a);

#endif
