/*
 * segscan - walks the batches of one .log file, for readers without a broker. The file may be
 * growing, cut or damaged meanwhile: nothing is mapped, and no size that a header announces is
 * believed past the end of the file.
 *
 * Not thread-safe. The file is opened read-only and never locked.
 */
#ifndef KCORE_LOG_SEGSCAN_H
#define KCORE_LOG_SEGSCAN_H

#include "record/batch.h"

struct segscan {
    int fd;
    int64_t at;     /* where the next batch begins */
    struct buf buf; /* bytes of the file from buf_at on */
    int64_t buf_at;
};

/* KE_NOTFOUND or KE_IO. dirfd may be AT_FDCWD. */
int segscan_open(struct segscan *s, int dirfd, const char *name, struct kerr *e);
void segscan_close(struct segscan *s);

/* The next call of segscan_next looks at this position of the file, afresh. */
void segscan_seek(struct segscan *s, int64_t at);

/*
 * The batch at s->at, whole, but with its CRC unchecked; s->at moves behind it. It is valid until
 * the next call. 1; 0 where the file ends; KE_AGAIN where it ends within a batch (or within what
 * looks like one); KE_CORRUPT where no batch begins; KE_IO, KE_NOMEM. On failure s->at stays.
 */
int segscan_next(struct segscan *s, struct batch *b, struct kerr *e);

/*
 * Looks behind s->at for the next place where a batch with a good CRC and a base offset of at least
 * offset begins: is there life behind damage? 1 and *at, 0, or negative. s->at stays.
 */
int segscan_find(struct segscan *s, int64_t offset, int64_t *at, struct kerr *e);

int segscan_size(const struct segscan *s, int64_t *size, struct kerr *e);

#endif
