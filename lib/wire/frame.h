/*
 * frame - the 4-byte length in front of every request and response. Knows no socket.
 */
#ifndef KCORE_WIRE_FRAME_H
#define KCORE_WIRE_FRAME_H

#include "base/err.h"
#include "base/slice.h"

/*
 * Looks at the front of s. 1: *body is one whole frame without its length, *used what it took with
 * it, and *want the same; 0: more bytes are needed, *used is 0 and *want how many there must be (4,
 * then the whole frame's size); KE_CORRUPT: the length is not positive; KE_TOOBIG: it is over max.
 * *body is set only with 1.
 */
int frame_parse(struct slice s, size_t max, struct slice *body, size_t *used, size_t *want,
                struct kerr *e);

#endif
