/* What the tests of lib/log share: a scratch directory, batches, a log in a logdir. */
#ifndef LOG_SUPPORT_H
#define LOG_SUPPORT_H

#include "log/logdir.h"
#include "log/plog.h"
#include "record/batch.h"

#define T0 1700000000000 /* a time to begin at */

/* A new empty directory under $TMPDIR; returns out. rm_scratch removes it with all that is in it.
 */
char *make_scratch(char out[256]);
void rm_scratch(const char *path);

/* A repeatable random number. */
uint64_t next_random(uint64_t *state);

struct env {
    char path[256];
    struct pool *pool;
    struct diag diag;
    struct logdir *dir;
    struct plog *log;
    struct plog_conf conf;
    int64_t linger_ns;
    const struct os_clock *clock; /* NULL: the real one */
    char said[4096];              /* the last diagnostics, one a line */
};

/* A pool and a scratch directory; conf is the default. */
void env_init(struct env *v);
void env_free(struct env *v);
/* Opens the logdir; then creates t-0, or loads it if it is there. Returns what failed. */
int env_open(struct env *v, struct kerr *e);
int env_close(struct env *v, bool clean);

struct batch_spec {
    int count;
    size_t value;            /* bytes a record */
    int64_t timestamp, step; /* of the first, and from one to the next */
    int64_t producer_id;     /* 0: none */
    int16_t epoch;
    int32_t sequence;
    enum codec codec;
    uint16_t attributes;
    uint8_t fill;
};

/* A batch in malloc'ed memory. */
uint8_t *make_batch(const struct batch_spec *s, size_t *n);
/* Builds and appends; a may be NULL. */
int append_spec(struct plog *l, const struct batch_spec *s, struct plog_append *a, struct kerr *e);

/* The bytes of a source in malloc'ed memory. */
uint8_t *read_source(const struct plog_source *s);

#endif
