/*
 * kprod - what its parts share: options, the input, the account of what became of it.
 */
#ifndef KCORE_CMD_KPROD_H
#define KCORE_CMD_KPROD_H

#include "base/buf.h"
#include "cli/common.h"
#include "client/producer.h"

struct codec_choice {
    const char *name; /* NULL: what the properties say */
    int level;
    bool has_level;
};

struct kprod {
    /* options */
    struct common_conf common;
    bool nul, whole, empty_is_null, tee;
    const char *delim_text, *key_delim_text, *key, *acks;
    struct opt_list header_texts;
    int64_t partition; /* -1: by key */
    struct codec_choice codec;
    int64_t from_byte;
    int64_t timestamp; /* INT64_MIN: now */
    const char *topic_name;

    /* made of them */
    struct buf delim, key_delim;
    struct header *headers;
    struct client_conf conf;
    struct diag diag;

    struct client *client;
    struct client_topic *topic;
    struct producer *producer;
    struct input *input;
    int signal; /* the one that asked to stop, or 0 */
    bool timed_out, input_ended;

    /* the account */
    int64_t acked;
    uint64_t acked_bytes;            /* of values */
    struct producer_mark last_acked; /* the furthest */
    struct producer_mark lost;       /* the first that was not acknowledged */
    bool any_lost, maybe_stored, stdout_closed;
    size_t failed_size; /* of the record that failed, with its key */
    struct buf teed;
};

/* ---- main.c ---- */

extern const struct opt_tool kprod_tool;

/* ---- input.c ---- */

/*
 * The input, cut into records. Reads what there is, never waits for more than the first byte.
 */
struct input;

int input_new(struct input **out, struct kprod *k, const char *const *files, size_t n,
              struct kerr *e);
void input_free(struct input *in);
/* Reads once and gives the producer what is whole by then. 1: go on, 0: the end of it all,
 * KE_AGAIN: the producer is full (nothing is lost: call again), else failed. */
int input_step(struct input *in, struct kerr *e);
/* What to wait for before the next step; -1: there is no need. */
int input_fd(const struct input *in);
/* Where the next unread record begins. */
struct producer_mark input_mark(const struct input *in);
/* "FILE line N", "line N" for stdin: for messages. Valid until the next call. */
const char *input_place(const struct input *in, struct producer_mark m, char out[400]);
bool input_is_terminal(const struct input *in);

/* ---- account.c ---- */

/* The producer's reports. */
void account_report(void *arg, const struct producer_report *r);
/* Writes what -T has collected. */
void account_tee(struct kprod *k);
/* What is to be said at the end, if not everything was acknowledged; the exit status. rc and e:
 * what the input said. */
int account_end(struct kprod *k, int rc, const struct kerr *e);

/* ---- progress.c ---- */

struct progress {
    struct kprod *k;
    struct net_timer timer;
    mono_ns since;
    bool shown;
};

/* One line on a terminal, redrawn. */
void progress_start(struct progress *p, struct kprod *k);
void progress_stop(struct progress *p);

#endif
