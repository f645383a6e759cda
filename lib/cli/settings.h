/*
 * settings - property files applied to a room's configuration, with "did you mean ...?".
 */
#ifndef KCORE_CLI_SETTINGS_H
#define KCORE_CLI_SETTINGS_H

#include "cli/properties.h"

/* set(conf, name, value, e) for each property in order. It answers KE_NOTFOUND for a name that it
 * does not have: then the error shows the nearest of name_at(0), name_at(1), ... (NULL past the
 * last). Errors begin with "FILE:LINE: " (and the name, unless it is unknown) or "-X name: ". The
 * first one ends it. */
int settings_apply(const struct properties *p,
                   int (*set)(void *conf, const char *name, const char *value, struct kerr *e),
                   const char *(*name_at)(size_t i), void *conf, struct kerr *e);

/* KE_NOTFOUND: unknown, with the nearest name. */
int settings_unknown(const char *name, const char *(*name_at)(size_t i), struct kerr *e);

#endif
