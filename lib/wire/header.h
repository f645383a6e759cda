/*
 * header - what stands in front of a request's or a response's body.
 *
 * Which header version goes with which API and version is api.h's business. A request header: v1,
 * flexible bodies v2 (with tags). A response header: v0, flexible bodies v1 (with tags); but the
 * answer to ApiVersions is v0 always, since whoever asks does not know yet (KIP-511).
 */
#ifndef KCORE_WIRE_HEADER_H
#define KCORE_WIRE_HEADER_H

#include "wire/request_header.h"
#include "wire/response_header.h"

/*
 * Reads the header of a request frame and leaves r at the body. 0; KE_CORRUPT; KE_UNSUPPORTED for
 * an API key that api.h does not know: then key, version and correlation id are set and nothing
 * else. A version that the API does not have is read as the newest it has: enough to answer it.
 */
int wire_read_request_header(struct request_header *h, struct wire_reader *r);

/* Appends h in the header version that its API and version ask for. KE_UNSUPPORTED, KE_TOOBIG,
 * KE_NOMEM. */
int wire_write_request_header(const struct request_header *h, struct buf *b);

/* The same for responses, for which the key and version of the request are told. */
int wire_read_response_header(struct wire_reader *r, int16_t key, int16_t version,
                              int32_t *correlation_id);
int wire_write_response_header(struct buf *b, int16_t key, int16_t version, int32_t correlation_id);

#endif
