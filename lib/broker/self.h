/*
 * self - this broker as the client of a request knows it: the address of the listener that it came
 * through.
 */
#ifndef KCORE_BROKER_SELF_H
#define KCORE_BROKER_SELF_H

#include "broker/request.h"

#define SELF_HOST 300

struct self {
    char host[SELF_HOST]; /* "unix:PATH" for a client of a Unix listener: it stays on it */
    int32_t port;
};

struct self self_of(const struct request *r);

#endif
