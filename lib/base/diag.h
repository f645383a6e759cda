/*
 * diag - messages for people ("log" always means the partition log).
 *
 * A struct diag is given to whoever has something to say; there is no global one, because two
 * brokers may live in one process. Bytes that came from a peer go through diag_escape() first and
 * never become a format. Thread-safe: a message is one write.
 */
#ifndef KCORE_BASE_DIAG_H
#define KCORE_BASE_DIAG_H

#include "base/slice.h"

enum diag_level { DIAG_ERROR, DIAG_WARN, DIAG_INFO, DIAG_DEBUG };

struct diag {
    _Atomic int
        level; /* an enum diag_level: messages above it are dropped; may change at any time */
    /* Gets each message whole, without a newline. NULL: silence. */
    void (*sink)(void *arg, enum diag_level level, const char *msg);
    void *arg;
};

/* d may be NULL. */
void diag(const struct diag *d, enum diag_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Printable ASCII as it is, everything else as \xHH; cut at 256 bytes of input or at cap. Returns
 * out. */
#define DIAG_ESCAPED_MAX ((size_t)256 * 4 + 4)
const char *diag_escape(char *out, size_t cap, struct slice s);

#endif
