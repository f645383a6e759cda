#include "wire/messages.h"

const struct message *message_find(const char *name)
{
    for (size_t i = 0; i < message_count; i++)
        if (strcmp(messages[i]->name, name) == 0)
            return messages[i];
    return NULL;
}

json_t *message_json_string(struct slice s)
{
    return s.p ? json_stringn((const char *)s.p, s.n) : json_null();
}

/* Base64, as Jackson shows binary data. */
json_t *message_json_bytes(struct slice s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf out = {0};
    json_t *j;

    if (!s.p)
        return json_null();
    for (size_t i = 0; i < s.n; i += 3) {
        size_t n = s.n - i < 3 ? s.n - i : 3;
        uint32_t v = (uint32_t)s.p[i] << 16;
        if (n > 1)
            v |= (uint32_t)s.p[i + 1] << 8;
        if (n > 2)
            v |= s.p[i + 2];
        buf_put_u8(&out, (uint8_t)digits[v >> 18]);
        buf_put_u8(&out, (uint8_t)digits[v >> 12 & 63]);
        buf_put_u8(&out, (uint8_t)(n > 1 ? digits[v >> 6 & 63] : '='));
        buf_put_u8(&out, (uint8_t)(n > 2 ? digits[v & 63] : '='));
    }
    j = json_stringn((const char *)buf_slice(&out).p, out.n);
    buf_free(&out);
    return j;
}

json_t *message_json_records(struct slice s)
{
    return s.p ? json_integer((json_int_t)s.n) : json_null();
}

json_t *message_json_uuid(struct uuid u)
{
    char text[UUID_TEXT];

    return json_string(uuid_format(u, text));
}

bool message_json_differs(json_t *a, json_t *b)
{
    bool differs = !json_equal(a, b);

    json_decref(a);
    json_decref(b);
    return differs;
}
