#include "broker/guests.h"

#include "base/hash.h"
#include "os/random.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAY_AGAIN_MS 60000

struct guests {
    pthread_mutex_t mu;
    const struct os_clock *clock;
    const struct diag *diag;
    struct guest_limits limits;
    struct hash here; /* connections by address */
    /* How many may still come: as many as may in a second at most, and as many come back in one. */
    double may_come;
    mono_ns counted_at;
    struct said many, fast;
};

bool said_may_again(struct said *s, mono_ns now)
{
    if (s->ever && mono_diff_ms(now, s->at) < SAY_AGAIN_MS)
        return false;
    *s = (struct said){now, true};
    return true;
}

/* ---- overrides ---- */

/* The next "ADDRESS:NUMBER" of a list: false at its end, *n negative where it is none. */
static bool next_override(const char **at, char address[GUEST_ADDRESS], int64_t *n)
{
    size_t all, k;
    const char *item, *colon;
    char *end;

    *at += strspn(*at, ", ");
    item = *at;
    all = strcspn(item, ", ");
    *at += all;
    if (all == 0)
        return false;
    colon = memrchr(item, ':', all);
    k = colon ? (size_t)(colon - item) : 0;
    *n = -1;
    if (k == 0 || k >= GUEST_ADDRESS || (size_t)(item + all - colon) < 2 || colon[1] < '0' ||
        colon[1] > '9')
        return true;
    memcpy(address, item, k);
    address[k] = 0;
    *n = strtoll(colon + 1, &end, 10);
    if (end != item + all || *n > INT32_MAX)
        *n = -1;
    return true;
}

int guest_overrides_check(const char *text, struct kerr *e)
{
    char address[GUEST_ADDRESS];
    struct in6_addr binary;
    int64_t n;

    if (strlen(text) >= GUEST_OVERRIDES)
        return kerr_set(e, KE_INVALID, "longer than %zu bytes", GUEST_OVERRIDES - 1);
    while (next_override(&text, address, &n))
        if (n < 0 || (inet_pton(AF_INET, address, &binary) != 1 &&
                      inet_pton(AF_INET6, address, &binary) != 1))
            return kerr_set(e, KE_INVALID, "expected ADDRESS:NUMBER,... with numeric addresses");
    return 0;
}

static int64_t limit_of(const struct guests *g, const char *address)
{
    const char *at = g->limits.overrides;
    char one[GUEST_ADDRESS];
    int64_t n;

    while (next_override(&at, one, &n))
        if (strcmp(one, address) == 0)
            return n;
    return g->limits.per_ip;
}

/* ---- life ---- */

struct guests *guests_new(const struct os_clock *clock, const struct diag *diag,
                          const struct guest_limits *limits)
{
    struct guests *g = calloc(1, sizeof *g);

    if (!g)
        return NULL;
    pthread_mutex_init(&g->mu, NULL);
    hash_init(&g->here, os_random_u64(), os_random_u64());
    g->clock = clock;
    g->diag = diag;
    g->limits = *limits;
    g->may_come = (double)limits->rate;
    g->counted_at = os_mono(clock);
    return g;
}

void guests_free(struct guests *g)
{
    if (!g)
        return;
    hash_free(&g->here);
    pthread_mutex_destroy(&g->mu);
    free(g);
}

void guests_set_limits(struct guests *g, const struct guest_limits *limits)
{
    pthread_mutex_lock(&g->mu);
    g->limits = *limits;
    pthread_mutex_unlock(&g->mu);
}

/* ---- in and out ---- */

static bool is_too_fast(struct guests *g, mono_ns now)
{
    double rate = (double)g->limits.rate;

    g->may_come += rate * (double)(now.ns - g->counted_at.ns) / 1e9;
    g->counted_at = now;
    if (g->may_come > rate)
        g->may_come = rate;
    if (g->may_come < 1)
        return true;
    g->may_come -= 1;
    return false;
}

/* The table's values are counts: a pointer's bits. */
static bool count(struct guests *g, const char *address, intptr_t more)
{
    intptr_t n = (intptr_t)hash_get(&g->here, slice_str(address)) + more;

    if (n == 0)
        return hash_del(&g->here, slice_str(address)) != NULL;
    return hash_put(&g->here, slice_str(address), (void *)n, NULL);
}

bool guests_enter(struct guests *g, const char *address)
{
    mono_ns now = os_mono(g->clock);
    int64_t limit;
    bool enters;

    pthread_mutex_lock(&g->mu);
    limit = *address ? limit_of(g, address) : INT64_MAX;
    if (is_too_fast(g, now)) {
        enters = false;
        if (said_may_again(&g->fast, now))
            diag(g->diag, DIAG_WARN,
                 "over %lld new connections a second (max.connection.creation.rate): refusing more",
                 (long long)g->limits.rate);
    } else if ((intptr_t)hash_get(&g->here, slice_str(address)) >= limit) {
        enters = false;
        if (said_may_again(&g->many, now))
            diag(g->diag, DIAG_WARN,
                 "over %lld connections from %s (max.connections.per.ip): refusing more",
                 (long long)limit, address);
    } else {
        enters = !*address || count(g, address, 1);
    }
    pthread_mutex_unlock(&g->mu);
    return enters;
}

void guests_leave(struct guests *g, const char *address)
{
    if (!*address)
        return;
    pthread_mutex_lock(&g->mu);
    count(g, address, -1);
    pthread_mutex_unlock(&g->mu);
}
