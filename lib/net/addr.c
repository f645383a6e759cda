#include "net/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SHAPES "expected HOST:PORT, [IPV6]:PORT or unix:PATH"

/* NAME:// in front, Kafka's way to name a listener. Returns what is behind it, or NULL for a bad
 * name. */
static const char *listener_name(const char *s, struct net_addr *a)
{
    const char *sep = strstr(s, "://");
    size_t n = sep ? (size_t)(sep - s) : 0;

    snprintf(a->listener, sizeof a->listener, "PLAINTEXT");
    if (!sep)
        return s;
    if (n == 0 || n >= sizeof a->listener)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (!isalnum(c) && c != '_' && c != '-' && c != '.')
            return NULL;
        a->listener[i] = (char)toupper(c);
    }
    a->listener[n] = 0;
    return sep + 3;
}

static int parse_port(const char *s, uint16_t *port)
{
    char *end;
    long v;

    if (!isdigit((unsigned char)*s))
        return -1;
    v = strtol(s, &end, 10);
    if (*end || v > 65535)
        return -1;
    *port = (uint16_t)v;
    return 0;
}

int net_addr_parse(const char *s, struct net_addr *a, struct kerr *e)
{
    const char *host, *colon, *end;

    *a = (struct net_addr){.port = 9092};
    host = listener_name(s, a);
    if (!host)
        return kerr_set(e, KE_INVALID, "bad listener name in address '%s'", s);
    if (strncmp(host, "unix:", 5) == 0) {
        a->is_unix = true;
        a->port = 0;
        if (!host[5] || strlen(host + 5) >= sizeof((struct sockaddr_un *)0)->sun_path)
            return kerr_set(e, KE_INVALID, "socket path of '%s' is empty or longer than 107 bytes",
                            s);
        snprintf(a->host, sizeof a->host, "%s", host + 5);
        return 0;
    }
    if (*host == '[') {
        host++;
        end = strchr(host, ']');
        if (!end || (end[1] && end[1] != ':'))
            return kerr_set(e, KE_INVALID, "bad address '%s', " SHAPES, s);
        colon = end[1] ? end + 1 : NULL;
    } else {
        colon = strrchr(host, ':');
        end = colon ? colon : host + strlen(host);
        if (colon && memchr(host, ':', (size_t)(colon - host)))
            return kerr_set(e, KE_INVALID, "bad address '%s': an IPv6 address needs brackets", s);
    }
    if ((size_t)(end - host) >= sizeof a->host)
        return kerr_set(e, KE_INVALID, "host name in '%.64s...' is too long", s);
    if (colon && parse_port(colon + 1, &a->port) < 0)
        return kerr_set(e, KE_INVALID, "bad port in address '%s', expected 0 to 65535", s);
    snprintf(a->host, sizeof a->host, "%.*s", (int)(end - host), host);
    return 0;
}

bool net_addr_is_any(const struct net_addr *a)
{
    return !a->is_unix &&
           (!a->host[0] || strcmp(a->host, "0.0.0.0") == 0 || strcmp(a->host, "::") == 0);
}

bool net_addr_is_local(const struct net_addr *a)
{
    return a->is_unix || strncmp(a->host, "127.", 4) == 0 || strcmp(a->host, "::1") == 0 ||
           strcmp(a->host, "localhost") == 0;
}

const char *net_addr_format(const struct net_addr *a, char *out, size_t cap)
{
    if (a->is_unix)
        snprintf(out, cap, "unix:%s", a->host);
    else
        snprintf(out, cap, strchr(a->host, ':') ? "[%s]:%u" : "%s:%u", a->host, a->port);
    return out;
}

bool net_addr_from(const struct sockaddr_storage *sa, struct net_addr *a)
{
    const struct sockaddr_in *v4 = (const void *)sa;
    const struct sockaddr_in6 *v6 = (const void *)sa;
    const struct sockaddr_un *un = (const void *)sa;

    *a = (struct net_addr){.listener = "PLAINTEXT"};
    switch (sa->ss_family) {
    case AF_INET:
        a->port = ntohs(v4->sin_port);
        return inet_ntop(AF_INET, &v4->sin_addr, a->host, sizeof a->host) != NULL;
    case AF_INET6:
        a->port = ntohs(v6->sin6_port);
        return inet_ntop(AF_INET6, &v6->sin6_addr, a->host, sizeof a->host) != NULL;
    case AF_UNIX:
        a->is_unix = true;
        snprintf(a->host, sizeof a->host, "%s", un->sun_path);
        return true;
    default:
        return false;
    }
}

int net_addr_to(const struct net_addr *a, struct sockaddr_storage *sa, unsigned *len,
                struct kerr *e)
{
    struct sockaddr_in *v4 = (void *)sa;
    struct sockaddr_in6 *v6 = (void *)sa;
    struct sockaddr_un *un = (void *)sa;
    const char *host = strcmp(a->host, "localhost") == 0 ? "127.0.0.1" : a->host;

    memset(sa, 0, sizeof *sa);
    if (a->is_unix) {
        if (strlen(a->host) >= sizeof un->sun_path)
            return kerr_set(e, KE_INVALID, "socket path '%s' is too long", a->host);
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, a->host, strlen(a->host) + 1);
        *len = sizeof *un;
        return 0;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons(a->port);
    *len = sizeof *v4;
    if (!*host || inet_pton(AF_INET, host, &v4->sin_addr) == 1)
        return 0;
    memset(sa, 0, sizeof *sa);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(a->port);
    *len = sizeof *v6;
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)
        return 0;
    return kerr_set(e, KE_NOTFOUND, "'%s' is not an address", a->host);
}

int net_addr_resolve(struct net_addr *a, struct kerr *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found;
    struct sockaddr_storage sa;
    struct net_addr numeric;
    unsigned len;
    int rc;

    if (net_addr_to(a, &sa, &len, NULL) != KE_NOTFOUND)
        return 0;
    rc = getaddrinfo(a->host, NULL, &hints, &found);
    if (rc != 0)
        return kerr_set(e, KE_NOTFOUND, "host '%s': %s", a->host, gai_strerror(rc));
    memset(&sa, 0, sizeof sa);
    memcpy(&sa, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (!net_addr_from(&sa, &numeric))
        return kerr_set(e, KE_NOTFOUND, "host '%s' has no usable address", a->host);
    memcpy(a->host, numeric.host, sizeof a->host);
    return 0;
}

int net_addr_connect(const struct net_addr *a, int *fd, struct kerr *e)
{
    struct sockaddr_storage sa;
    char text[300];
    unsigned len;
    int rc = net_addr_to(a, &sa, &len, e), one = 1, err;

    if (rc < 0)
        return rc;
    *fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return kerr_sys(e, KE_IO, "socket");
    if (!a->is_unix)
        setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    /* EAGAIN is a Unix socket with a full queue: that one is not on its way */
    if (connect(*fd, (struct sockaddr *)&sa, len) == 0 || errno == EINPROGRESS)
        return 0;
    err = errno;
    close(*fd);
    *fd = -1;
    errno = err;
    return kerr_sys(e, KE_IO, "connect to %s", net_addr_format(a, text, sizeof text));
}
