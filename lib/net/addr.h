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
/* A listener on every address: no host, or one of all zeros. */
bool net_addr_is_any(const struct net_addr *a);
/* Only this machine can reach it: a Unix socket, or a loopback address. */
bool net_addr_is_local(const struct net_addr *a);
/* HOST:PORT, [v6]:PORT or unix:PATH. */
const char *net_addr_format(const struct net_addr *a, char *out, size_t cap);

struct sockaddr_storage;

/* From the kernel's form; false for an address family that we do not know. */
bool net_addr_from(const struct sockaddr_storage *sa, struct net_addr *a);
/* To it: numeric hosts, "localhost" (127.0.0.1) and the empty host (every IPv4 address; "::" is
 * every IPv6 one). KE_NOTFOUND for a name that has to be looked up; KE_INVALID for a Unix path that
 * is too long. */
int net_addr_to(const struct net_addr *a, struct sockaddr_storage *sa, unsigned *len,
                struct kerr *e);
/* Replaces a host name by its first address. Waits for the resolver: not for a reactor. */
int net_addr_resolve(struct net_addr *a, struct kerr *e);
/* A non-blocking socket on its way to a. */
int net_addr_connect(const struct net_addr *a, int *fd, struct kerr *e);

#endif
