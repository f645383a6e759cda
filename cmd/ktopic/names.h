/*
 * names - the names of a cluster's topics.
 */
#ifndef KCORE_CMD_KTOPIC_NAMES_H
#define KCORE_CMD_KTOPIC_NAMES_H

#include "ktopic.h"

struct names {
    char **v; /* sorted */
    size_t n;
};

/* All of them, with internal also the internal ones; pattern: those that it matches as a whole
 * (an extended regular expression of POSIX's), NULL: every one. KE_INVALID: it is none. A call that
 * fails leaves nothing to free. */
int names_load(struct ktopic *k, bool internal, const char *pattern, struct names *out,
               struct kerr *e);
void names_free(struct names *l);

#endif
