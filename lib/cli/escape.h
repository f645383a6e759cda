/*
 * escape - delimiters on a command line: \n \t \r \0 \\ and \xHH are what they are in C, everything
 * else is itself.
 */
#ifndef KCORE_CLI_ESCAPE_H
#define KCORE_CLI_ESCAPE_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the bytes that text means. KE_INVALID for an unknown escape. */
int unescape(const char *text, struct buf *out, struct kerr *e);

#endif
