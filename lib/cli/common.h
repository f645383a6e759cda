/*
 * common - the options kprod, kcons, ktopic and kreplicate share, and what they add up to.
 */
#ifndef KCORE_CLI_COMMON_H
#define KCORE_CLI_COMMON_H

#include "cli/opt.h"
#include "cli/properties.h"

struct common_conf {
    const char *brokers;   /* -b, --brokers; NULL: not given */
    struct opt_list set;   /* -X, --property: "name=value" */
    struct opt_list files; /* -F, --properties-file */
    bool quiet;            /* -q, --quiet */
    int verbose;           /* -v, --verbose, how often */
    int64_t timeout_ms;    /* --timeout; -1: none */
};

#define COMMON_CONF_DEFAULT                                                                        \
    {                                                                                              \
        .timeout_ms = -1                                                                           \
    }

extern const struct opt common_options[];

/* The client properties, later ones winning: ~/.config/kcore/client.properties (XDG_CONFIG_HOME)
 * if it is there, each -F, each -X; bootstrap.servers is -b, else what those said, else
 * $KCORE_BOOTSTRAP, else localhost:9092. KE_INVALID and KE_NOTFOUND name file and line. */
int common_properties(const struct common_conf *c, struct properties *out, struct kerr *e);

void common_conf_free(struct common_conf *c);

#endif
