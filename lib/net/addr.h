/*
 * addr - "HOST:PORT", "[v6]:PORT", "unix:PATH" and Kafka's "NAME://HOST:PORT".
 */
#ifndef KCORE_NET_ADDR_H
#define KCORE_NET_ADDR_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_addr {
    char listener[64]; /* Kafka's listener name, upper case; "PLAINTEXT" when none was given */
    bool is_unix;
    char host[256]; /* empty: every address (a listener); for unix: the path */
    uint16_t port;
};

/* KE_INVALID with a message that shows what is accepted. A missing port is 9092. */
int net_addr_parse(const char *s, struct net_addr *a, struct kerr *e);
/* HOST:PORT, [v6]:PORT or unix:PATH. */
const char *net_addr_format(const struct net_addr *a, char *out, size_t cap);

#endif
