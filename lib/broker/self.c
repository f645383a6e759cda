#include "broker/self.h"

#include "broker/reactor.h"

#include <stdio.h>

struct self self_of(const struct request *r)
{
    struct net_addr addr;
    struct self s;

    broker_advertised(r->broker, r->listener, &r->connection->local, &addr);
    snprintf(s.host, sizeof s.host, addr.is_unix ? "unix:%s" : "%s", addr.host);
    s.port = addr.port;
    return s;
}
