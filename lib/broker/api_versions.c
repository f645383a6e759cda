#include "broker/dispatch.h"
#include "wire/api_versions_request.h"
#include "wire/api_versions_response.h"
#include "wire/error.h"

/* KIP-511: letters and digits at both ends, '-' and '.' between them. */
static bool well_named(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bool inner = i > 0 && i + 1 < s.n && (c == '-' || c == '.');
        if (!word && !inner)
            return false;
    }
    return s.n > 0;
}

static bool list(struct request *r, struct api_versions_response *m)
{
    size_t n = 0;

    while (api_table[n].handle)
        n++;
    m->api_keys.v = arena_array(&r->arena, n, sizeof *m->api_keys.v);
    m->api_keys.n = (int32_t)n;
    for (size_t i = 0; m->api_keys.v && i < n; i++) {
        struct api_versions_response_api_version *v = &m->api_keys.v[i];
        api_versions_response_api_version_init(v);
        v->api_key = api_table[i].key;
        v->min_version = api_table[i].listed_min;
        v->max_version = wire_api_find(api_table[i].key)->max;
    }
    return m->api_keys.v != NULL;
}

/* A version that we do not know is answered in version 0, with what we do know (KIP-511). */
static int answer_unknown_version(struct request *r)
{
    struct api_versions_response_api_version own;
    struct api_versions_response m;
    struct buf b = {0};

    api_versions_response_init(&m);
    api_versions_response_api_version_init(&own);
    m.error_code = KAFKA_UNSUPPORTED_VERSION;
    own.api_key = API_API_VERSIONS;
    own.min_version = 0;
    own.max_version = wire_api_find(API_API_VERSIONS)->max;
    m.api_keys.v = &own;
    m.api_keys.n = 1;
    r->version = 0;
    r->failed = true;
    request_reply_begin(r, &b);
    request_reply(r, &b, api_versions_response_encode(&m, &b, 0));
    return 0;
}

int handle_api_versions(struct request *r)
{
    struct api_versions_request q;
    struct api_versions_response m;
    struct buf b = {0};
    int rc;

    if (r->version > wire_api_find(API_API_VERSIONS)->max)
        return answer_unknown_version(r);
    if ((rc = api_versions_request_decode(&q, &r->body, r->version)) < 0)
        return rc;
    api_versions_response_init(&m);
    if (r->version >= 3 &&
        (!well_named(q.client_software_name) || !well_named(q.client_software_version)))
        m.error_code = KAFKA_INVALID_REQUEST;
    else if (!list(r, &m)) {
        request_kill(r, "out of memory");
        return 0;
    }
    r->failed = m.error_code != 0;
    request_reply_begin(r, &b);
    request_reply(r, &b, api_versions_response_encode(&m, &b, r->version));
    return 0;
}
