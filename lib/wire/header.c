#include "wire/header.h"

#include "base/bytes.h"
#include "wire/api.h"

enum { FIXED_PART = 8 }; /* key, version, correlation id */

int wire_read_request_header(struct request_header *h, struct wire_reader *r)
{
    const struct wire_api *api;

    request_header_init(h);
    if (wire_left(r) < FIXED_PART) {
        r->bad = true;
        return KE_CORRUPT;
    }
    h->request_api_key = (int16_t)get_be16(r->p);
    h->request_api_version = (int16_t)get_be16(r->p + 2);
    h->correlation_id = (int32_t)get_be32(r->p + 4);
    api = wire_api_find(h->request_api_key);
    if (!api)
        return KE_UNSUPPORTED;
    return request_header_decode(h, r, wire_api_flexible(api, h->request_api_version) ? 2 : 1);
}

int wire_write_request_header(const struct request_header *h, struct buf *b)
{
    const struct wire_api *api = wire_api_find(h->request_api_key);

    if (!api)
        return KE_UNSUPPORTED;
    return request_header_encode(h, b, wire_api_flexible(api, h->request_api_version) ? 2 : 1);
}

/* -1 for an unknown key. */
static int16_t response_version(int16_t key, int16_t version)
{
    const struct wire_api *api = wire_api_find(key);

    if (!api)
        return -1;
    return key != API_API_VERSIONS && wire_api_flexible(api, version);
}

int wire_read_response_header(struct wire_reader *r, int16_t key, int16_t version,
                              int32_t *correlation_id)
{
    struct response_header h;
    int rc = response_header_decode(&h, r, response_version(key, version));

    *correlation_id = rc == 0 ? h.correlation_id : -1;
    return rc;
}

int wire_write_response_header(struct buf *b, int16_t key, int16_t version, int32_t correlation_id)
{
    struct response_header h = {.correlation_id = correlation_id};

    return response_header_encode(&h, b, response_version(key, version));
}
