/*
 * json - the pieces of a JSON line.
 */
#ifndef KCORE_CLI_JSON_H
#define KCORE_CLI_JSON_H

#include "base/buf.h"

/* A value: the bytes as a string with its quotes when they are UTF-8, else {"base64":"..."}; the
 * null slice is null. */
void json_put(struct buf *b, struct slice s);

/* RFC 4648, with padding, without line breaks. */
void base64_put(struct buf *b, struct slice s);

/* Shortest forms only, no surrogates, nothing past U+10FFFF. */
bool utf8_valid(struct slice s);

#endif
