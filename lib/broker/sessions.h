/*
 * sessions - fetch sessions (KIP-227): what a client has asked for is kept, so that it need only
 * say what changes, and is told only what has changed.
 *
 * A session is a list of partitions with what is wanted of them and what was last told about them.
 * Each request of a session carries the next epoch. A request out of step is refused (70, 71) and
 * its client begins anew with a full one. There are at most so many sessions, and partitions in all
 * of them together: when no more fit, the one that was used the least recently goes if that was
 * SESSION_IDLE_MS ago, else the client gets no session, and goes on with full requests.
 *
 * Any thread may call; a session may be touched only between sessions_hold() or sessions_make() and
 * sessions_release(), which must be near each other.
 */
#ifndef KCORE_BROKER_SESSIONS_H
#define KCORE_BROKER_SESSIONS_H

#include "base/arena.h"
#include "os/clock.h"
#include "wire/fetch_request.h"

#define SESSION_IDLE_MS   120000
#define SESSION_PARTS_MAX 200000 /* some 200 bytes each */

struct sessions;
struct session;

/* NULL without memory. */
struct sessions *sessions_new(int64_t max);
void sessions_free(struct sessions *t);
/* Those that there are stay, also when that is more than max. */
void sessions_set_max(struct sessions *t, int64_t max);

struct sessions_stats {
    int64_t sessions, partitions, evicted;
};
void sessions_stats(struct sessions *t, struct sessions_stats *out);

enum session_kind {
    SESSION_NONE,   /* a full request that wants none */
    SESSION_NEW,    /* a full one that wants one: sessions_make() when it is answered */
    SESSION_GOES_ON /* the next one of a session */
};

struct session_step {
    enum session_kind kind;
    int32_t id;    /* of the session that goes on */
    int16_t error; /* Kafka's, or 0 */
};

/* Takes a request in. by_id: it names topics by their ids. Of a session that goes on, q's topics
 * become all its partitions, in the arena, in the session's order; what they point to outlives the
 * session. */
struct session_step sessions_begin(struct sessions *t, struct fetch_request *q, bool by_id,
                                   mono_ns now, struct arena *a);

/* NULL: it has gone, or there is no room; then there is nothing to release. */
struct session *sessions_hold(struct sessions *t, int32_t id);
struct session *sessions_make(struct sessions *t, bool by_id, mono_ns now);
void sessions_release(struct sessions *t);
int32_t session_id(const struct session *s);
/* Ends a session that is held; it is still to be released. */
void session_drop(struct sessions *t, struct session *s);

struct session_topic {
    struct slice name; /* or, by_id, */
    struct uuid id;
};

/* What a client knows of a partition. */
struct session_told {
    int64_t high_watermark, log_start;
};

/* A partition more, which is told now. False without memory or room. */
bool session_add(struct sessions *t, struct session *s, const struct session_topic *topic,
                 const struct fetch_request_fetch_partition *q, const struct session_told *told);
/* Whether the client has to be told: there are records or an error (news), or other values than it
 * knows. Then it knows them, and a partition with records goes to the end of the list, so that each
 * has its turn to be first. */
bool session_tell(struct session *s, const struct session_topic *topic, int32_t index, bool records,
                  bool error, const struct session_told *now);

#endif
