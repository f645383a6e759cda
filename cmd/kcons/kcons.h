/*
 * kcons - what its parts share: options, where to begin and to end, the output, the two places that
 * records come from.
 */
#ifndef KCORE_CMD_KCONS_H
#define KCORE_CMD_KCONS_H

#include "base/buf.h"
#include "cli/common.h"
#include "cli/when.h"
#include "client/client.h"
#include "record/batch.h"

#define KCONS_DECODED_MAX ((size_t)INT32_MAX) /* bytes of one batch */

struct number_list {
    int32_t *v;
    size_t n;
};

struct format;

struct kcons {
    /* options */
    struct common_conf common;
    bool nul, json, to_end, unbuffered, read_uncommitted;
    const char *start_text, *from_text, *until_text, *delim_text, *key_delim_text, *format_text;
    const char *dir;
    int64_t count; /* -1: no limit */
    struct number_list partitions;
    const char *const *topics;
    size_t topic_count;

    /* made of them */
    struct buf delim, key_delim;
    struct format *format;
    struct when start, until; /* until counts with until_text only */
    int64_t from_time, until_time;
    mono_ns deadline;
    struct client_conf conf;
    struct diag diag;

    bool timed_out;
    int64_t written; /* records */
    struct record_iter *it;
    struct buf out;
};

/* ---- main.c ---- */

extern const struct opt_tool kcons_tool;

/* The signal that asked to stop, or 0. */
int kcons_signal(void);
/* Becomes readable then. */
int kcons_signal_fd(void);
/* Also told by a signal; NULL: none any more. */
void kcons_interrupts(struct client *c);
/* Milliseconds that --timeout leaves, 0 when it has passed; -1: there is none. */
int64_t kcons_left_ms(const struct kcons *k);
/* Asked to stop, or out of time. */
bool kcons_over(struct kcons *k);
/* Whether -p wants it. */
bool kcons_wants(const struct kcons *k, int32_t partition);
/* -p names one that a topic of count partitions does not have: KE_NOTFOUND. */
int kcons_check_partitions(const struct kcons *k, const char *topic, int32_t count, struct kerr *e);

/* ---- bounds.c ---- */

/* A partition as it is at the start. */
struct extent {
    const char *topic;
    int32_t partition;
    int64_t start, end;
    int64_t at_time; /* of the first record at start.value or later, when that is a time; -1 */
};

/* What is to be read: [from, to). KE_RANGE: -o N is not there. */
int bounds_of(const struct kcons *k, const struct extent *x, int64_t *from, int64_t *to,
              struct kerr *e);
/* What of an extent must be known. */
bool bounds_need_start(const struct kcons *k);
bool bounds_need_end(const struct kcons *k);

/* ---- format.c ---- */

/* -f. KE_INVALID tells what is wrong with it. */
int format_new(struct format **out, const char *text, struct kerr *e);
void format_free(struct format *f);
void format_put(const struct format *f, struct buf *b, const char *topic, int32_t partition,
                const struct record *r);

/* ---- output.c ---- */

/* The batch's records from, below to, that --from and --until let through. 0; 1: -c is reached;
 * KE_CORRUPT, KE_NOMEM, KE_IO (stdout). */
int output_batch(struct kcons *k, const char *topic, int32_t partition, const struct batch *b,
                 int64_t from, int64_t to, struct kerr *e);
/* Everything goes to stdout now. Dies by SIGPIPE when nobody reads it. */
int output_flush(struct kcons *k, struct kerr *e);
/* Nobody reads stdout any more. */
bool output_closed(void);
/* Whether that can be waited for. */
bool output_watchable(void);

/* ---- live.c, dir.c: an exit status ---- */

int live_run(struct kcons *k);
int dir_run(struct kcons *k);

#endif
