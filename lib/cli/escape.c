#include "cli/escape.h"

#include <ctype.h>
#include <stdlib.h>

int unescape(const char *text, struct buf *out, struct kerr *e)
{
    static const char names[] = "ntr0\\", bytes[] = "\n\t\r\0\\";

    for (const char *s = text; *s; s++) {
        const char *at;
        if (*s != '\\') {
            buf_put_u8(out, (uint8_t)*s);
            continue;
        }
        s++;
        at = *s ? strchr(names, *s) : NULL;
        if (at) {
            buf_put_u8(out, (uint8_t)bytes[at - names]);
        } else if (*s == 'x' && isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2])) {
            char hex[3] = {s[1], s[2], 0};
            buf_put_u8(out, (uint8_t)strtoul(hex, NULL, 16));
            s += 2;
        } else {
            return kerr_set(e, KE_INVALID,
                            "'%s': unknown escape, expected \\n \\t \\r \\0 \\\\ or \\xHH", text);
        }
    }
    return out->failed ? kerr_set(e, KE_NOMEM, "out of memory") : 0;
}
