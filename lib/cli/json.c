#include "cli/json.h"

/* How many continuation bytes follow lead byte c, and the bounds of the first of them (RFC 3629,
 * table of section 4); -1: c begins nothing. */
static int utf8_tail(uint8_t c, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (c >= 0xc2 && c <= 0xdf)
        return 1;
    if (c >= 0xe0 && c <= 0xef) {
        if (c == 0xe0)
            *low = 0xa0;
        if (c == 0xed)
            *high = 0x9f;
        return 2;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        if (c == 0xf0)
            *low = 0x90;
        if (c == 0xf4)
            *high = 0x8f;
        return 3;
    }
    return -1;
}

bool utf8_valid(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t low, high;
        int tail;
        if (s.p[i] < 0x80)
            continue;
        tail = utf8_tail(s.p[i], &low, &high);
        if (tail < 0 || s.n - i - 1 < (size_t)tail)
            return false;
        for (; tail > 0; tail--, low = 0x80, high = 0xbf) {
            i++;
            if (s.p[i] < low || s.p[i] > high)
                return false;
        }
    }
    return true;
}

void base64_put(struct buf *b, struct slice s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < s.n; i += 3) {
        size_t left = s.n - i;
        uint32_t v = (uint32_t)s.p[i] << 16;
        char out[4] = {0, 0, '=', '='};
        if (left > 1)
            v |= (uint32_t)s.p[i + 1] << 8;
        if (left > 2)
            v |= s.p[i + 2];
        out[0] = digits[v >> 18];
        out[1] = digits[v >> 12 & 63];
        if (left > 1)
            out[2] = digits[v >> 6 & 63];
        if (left > 2)
            out[3] = digits[v & 63];
        buf_put(b, out, 4);
    }
}

static void put_escape(struct buf *b, uint8_t c)
{
    static const char names[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    const char *at = c ? strchr(names, c) : NULL;

    if (at)
        buf_printf(b, "\\%c", letters[at - names]);
    else
        buf_printf(b, "\\u%04x", c);
}

void json_put(struct buf *b, struct slice s)
{
    size_t from = 0;

    if (slice_is_null(s)) {
        buf_put_str(b, "null");
        return;
    }
    if (!utf8_valid(s)) {
        buf_put_str(b, "{\"base64\":\"");
        base64_put(b, s);
        buf_put_str(b, "\"}");
        return;
    }
    buf_put_u8(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] >= 0x20 && s.p[i] != '"' && s.p[i] != '\\' && s.p[i] != 0x7f)
            continue;
        buf_put(b, s.p + from, i - from);
        put_escape(b, s.p[i]);
        from = i + 1;
    }
    buf_put(b, s.p + from, s.n - from);
    buf_put_u8(b, '"');
}
