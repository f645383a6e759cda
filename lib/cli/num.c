#include "cli/num.h"

#include "base/diag.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

static int not_a_number(const char *text, const char *what, struct kerr *e)
{
    char shown[DIAG_ESCAPED_MAX];

    return kerr_set(e, KE_INVALID, "'%s' is not %s",
                    diag_escape(shown, sizeof shown, slice_str(text)), what);
}

int num_parse(const char *text, int64_t min, int64_t max, int64_t *out, struct kerr *e)
{
    const char *s = text;
    bool minus = *s == '-', over = false;
    int64_t v = 0;

    s += *s == '-' || *s == '+';
    if (!*s)
        return not_a_number(text, "a number", e);
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return not_a_number(text, "a number", e);
        /* counted downwards: the smallest number has no positive twin */
        over |= __builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *s - '0', &v);
    }
    if (!minus)
        over |= __builtin_sub_overflow((int64_t)0, v, &v);
    if (over || v < min || v > max)
        return kerr_set(e, KE_INVALID, "%.40s is not in %" PRId64 "..%" PRId64, text, min, max);
    *out = v;
    return 0;
}

int num_parse_seconds(const char *text, int64_t *ms, struct kerr *e)
{
    const char *s = text;
    int64_t v = 0, scale = 1000;
    bool digits = false;

    for (; *s >= '0' && *s <= '9' && v <= INT32_MAX; s++, digits = true)
        v = v * 10 + (*s - '0');
    v *= 1000;
    if (*s == '.')
        for (s++; *s >= '0' && *s <= '9'; s++, digits = true) {
            scale /= 10;
            v += (*s - '0') * scale;
        }
    if (*s || !digits)
        return not_a_number(text, "a number of seconds", e);
    *ms = v;
    return 0;
}

const char *num_count(int64_t v, char out[NUM_MAX])
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, v < 0 ? -(uint64_t)v : (uint64_t)v);
    char *o = out;

    if (v < 0)
        *o++ = '-';
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *o++ = ',';
        *o++ = digits[i];
    }
    *o = 0;
    return out;
}

const char *num_size(int64_t bytes, char out[NUM_MAX])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    uint64_t v = bytes > 0 ? (uint64_t)bytes : 0, unit = 1, tenths;
    size_t u = 0;

    /* the next unit begins where this one would print 1024 */
    while (u < 6 && (v / unit >= 1024 || (u > 0 && v / unit == 1023 && v % unit >= unit / 2))) {
        unit *= 1024;
        u++;
    }
    tenths = v / unit * 10 + (v % unit * 10 + unit / 2) / unit;
    if (u > 0 && tenths < 100)
        snprintf(out, NUM_MAX, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[u]);
    else
        snprintf(out, NUM_MAX, "%" PRIu64 " %s", (v + unit / 2) / unit, units[u]);
    return out;
}
