/*
 * err - how library code fails.
 *
 * A function that can fail returns 0 or a negative KE_ code and fills the caller's struct kerr
 * (which may be NULL when the text is of no interest). The library never prints and never exits.
 * Each caller on the way up may put context in front with kerr_ctx(), so that what a person reads
 * at the end names what was wrong, where, and what was expected:
 *
 *     if (fd < 0)
 *         return kerr_sys(e, KE_IO, "open %s", name);         errno's text is appended
 *     if (count > left)
 *         return kerr_set(e, KE_CORRUPT, "%d records announced, %zu bytes left", count, left);
 *     ...
 *     if (rc < 0)
 *         return kerr_ctx(e, rc, "partition %s", dir);        "partition t-0: open 0.log: ..."
 */
#ifndef KCORE_BASE_ERR_H
#define KCORE_BASE_ERR_H

/* One list: code, and the text when nobody gave a better one. Codes are not a stored format. */
#define KERR_LIST(X)                                                                               \
    X(KE_NOMEM, -1, "out of memory")                                                               \
    X(KE_IO, -2, "input/output error")                                                             \
    X(KE_NOSPACE, -3, "no space left")                                                             \
    X(KE_CORRUPT, -4, "corrupt data")                                                              \
    X(KE_INVALID, -5, "invalid argument")                                                          \
    X(KE_NOTFOUND, -6, "not found")                                                                \
    X(KE_EXISTS, -7, "already exists")                                                             \
    X(KE_LOCKED, -8, "in use by another process")                                                  \
    X(KE_RANGE, -9, "offset out of range")                                                         \
    X(KE_TOOBIG, -10, "too large")                                                                 \
    X(KE_TIMEOUT, -11, "timed out")                                                                \
    X(KE_CLOSED, -12, "closed")                                                                    \
    X(KE_UNSUPPORTED, -13, "not supported")                                                        \
    X(KE_AGAIN, -14, "would block")                                                                \
    X(KE_SEQUENCE, -15, "out of order sequence number")                                            \
    X(KE_EPOCH, -16, "stale epoch")                                                                \
    X(KE_TIMESTAMP, -17, "timestamp out of range")                                                 \
    X(KE_CODEC, -18, "unsupported compression")                                                    \
    X(KE_FOREIGN, -19, "not ours")                                                                 \
    X(KE_DENIED, -20, "permission denied")                                                         \
    X(KE_REMOTE, -21, "refused by the server")                                                     \
    X(KE_UNKNOWN_OUTCOME, -22, "outcome unknown")

enum kerr_code {
#define KERR_ENUM(name, value, text) name = value,
    KERR_LIST(KERR_ENUM)
#undef KERR_ENUM
};

struct kerr {
    int code;   /* a KE_ code, 0 when nothing has failed */
    int sys;    /* errno at the time, or 0 */
    int remote; /* Kafka's error code where a server answered one (KE_REMOTE), or 0 */
    char msg[480];
};

/* The list's text for a code. */
const char *kerr_text(int code);

/* Each sets everything and returns code. e may be NULL. */
int kerr_set(struct kerr *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same, with ": " and errno's text appended. ENOSPC and EDQUOT turn KE_IO into KE_NOSPACE. */
int kerr_sys(struct kerr *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the message; returns code. */
int kerr_ctx(struct kerr *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The message, or the list's text where there is none. */
const char *kerr_msg(const struct kerr *e);

#endif
