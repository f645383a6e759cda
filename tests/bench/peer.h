/*
 * peer - what the bench programs share: sockets on the loopback interface that block, and just
 * enough of Kafka's requests, put together by hand. Each ends the program with a message when
 * something fails.
 */
#ifndef KCORE_TESTS_BENCH_PEER_H
#define KCORE_TESTS_BENCH_PEER_H

#include "base/bytes.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    API_PRODUCE = 0,  /* spoken in version 3 */
    API_FETCH = 1,    /* 4 */
    API_METADATA = 3, /* 4 */
    API_VERSIONS = 18 /* 0 */
};

_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int64_t now_ns(void);

/* port 0: any; *port is the one it got. */
int listen_local(int *port);
/* -1: nobody listens. */
int connect_local(int port);
void send_all(int fd, const void *p, size_t n, int flags);
/* 0 at the end of the stream, if it ends before the first byte. */
int recv_all(int fd, void *p, size_t n);

/* Bytes written one behind the other. Nothing is checked: who writes made the room. */
struct pen {
    uint8_t *p;
};
static inline void pen_i8(struct pen *w, int v)
{
    *w->p++ = (uint8_t)v;
}
static inline void pen_i16(struct pen *w, int v)
{
    put_be16(w->p, (uint16_t)v);
    w->p += 2;
}
static inline void pen_i32(struct pen *w, int64_t v)
{
    put_be32(w->p, (uint32_t)v);
    w->p += 4;
}
static inline void pen_i64(struct pen *w, int64_t v)
{
    put_be64(w->p, (uint64_t)v);
    w->p += 8;
}
void pen_str(struct pen *w, const char *s, size_t n);

#endif
