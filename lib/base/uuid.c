#include "base/uuid.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool uuid_is_zero(struct uuid u)
{
    return uuid_eq(u, (struct uuid){{0}});
}

bool uuid_eq(struct uuid a, struct uuid b)
{
    return memcmp(a.b, b.b, sizeof a.b) == 0;
}

const char *uuid_format(struct uuid u, char out[UUID_TEXT])
{
    uint32_t bits = 0;
    int have = 0, o = 0;

    for (int i = 0; i < 16; i++) {
        bits = bits << 8 | u.b[i];
        have += 8;
        while (have >= 6) {
            have -= 6;
            out[o++] = alphabet[bits >> have & 63];
        }
    }
    out[o++] = alphabet[bits << (6 - have) & 63];
    out[o] = 0;
    return out;
}

bool uuid_parse(struct slice s, struct uuid *u)
{
    uint32_t bits = 0;
    int have = 0, o = 0;

    if (s.n != UUID_TEXT - 1)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] ? strchr(alphabet, s.p[i]) : NULL;
        if (!at)
            return false;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            u->b[o++] = (uint8_t)(bits >> have);
        }
    }
    return (bits & ((1u << have) - 1)) == 0;
}
