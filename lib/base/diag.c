#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>

void diag(const struct diag *d, enum diag_level level, const char *fmt, ...)
{
    char msg[2048];
    va_list ap;

    if (!d || !d->sink || (int)level > d->level)
        return;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    d->sink(d->arg, level, msg);
}

const char *diag_escape(char *out, size_t cap, struct slice s)
{
    static const char hex[] = "0123456789abcdef";
    size_t o = 0, i;

    for (i = 0; i < s.n && i < 256 && o + 8 < cap; i++) {
        uint8_t c = s.p[i];
        if (c >= 0x20 && c < 0x7f && c != '\\') {
            out[o++] = (char)c;
        } else {
            out[o++] = '\\';
            out[o++] = 'x';
            out[o++] = hex[c >> 4];
            out[o++] = hex[c & 15];
        }
    }
    if (i < s.n && o + 4 <= cap) {
        memcpy(out + o, "...", 3);
        o += 3;
    }
    out[o] = 0;
    return out;
}
