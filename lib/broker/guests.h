/*
 * guests - who may connect: so many from one address, so many new ones a second. (The total is the
 * broker's own count.) What is refused is said once a minute for each reason. Thread-safe.
 */
#ifndef KCORE_BROKER_GUESTS_H
#define KCORE_BROKER_GUESTS_H

#include "base/diag.h"
#include "base/err.h"
#include "os/clock.h"

#include <stdbool.h>
#include <stddef.h>

#define GUEST_ADDRESS   ((size_t)46)   /* an IPv6 address in text, and its NUL */
#define GUEST_OVERRIDES ((size_t)1024) /* text of max.connections.per.ip.overrides */

struct guest_limits {
    int64_t per_ip, rate; /* max.connections.per.ip, max.connection.creation.rate */
    char overrides[GUEST_OVERRIDES];
};

/* max.connections.per.ip.overrides: "ADDRESS:NUMBER,...", addresses in numbers. */
int guest_overrides_check(const char *text, struct kerr *e);

struct guests;

/* NULL without memory. */
struct guests *guests_new(const struct os_clock *clock, const struct diag *diag,
                          const struct guest_limits *limits);
void guests_free(struct guests *g);
void guests_set_limits(struct guests *g, const struct guest_limits *limits);

/* Of a peer by its address; "" has none (a Unix socket) and counts for the rate alone. False: it is
 * to be closed. True: guests_leave() follows. */
bool guests_enter(struct guests *g, const char *address);
void guests_leave(struct guests *g, const char *address);

/* Whether a refusal for that reason may be said again now; there is a minute between two. */
struct said {
    mono_ns at;
    bool ever;
};
bool said_may_again(struct said *s, mono_ns now);

#endif
