#include "kcons.h"

#include "base/bytes.h"
#include "cli/escape.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A run of bytes as they are (what 0), or one of the letters. */
struct piece {
    char what;
    size_t at, n; /* in text */
};

struct format {
    struct buf text;
    struct piece *v;
    size_t n;
};

static const char letters[] = "tpoTkKsShR%";

static int add_literal(struct format *f, const char *s, size_t n, struct kerr *e)
{
    size_t at = f->text.n;
    char *copy;
    int rc;

    if (n == 0)
        return 0;
    copy = strndup(s, n);
    rc = copy ? unescape(copy, &f->text, e) : kerr_set(e, KE_NOMEM, "out of memory");
    free(copy);
    f->v[f->n++] = (struct piece){0, at, f->text.n - at};
    return rc;
}

int format_new(struct format **out, const char *text, struct kerr *e)
{
    struct format *f = calloc(1, sizeof *f);
    int rc = 0;

    *out = f;
    if (!f || !(f->v = calloc(strlen(text) + 1, sizeof *f->v)))
        return kerr_set(e, KE_NOMEM, "out of memory");
    for (const char *s = text; rc == 0 && *s;) {
        size_t n = strcspn(s, "%");
        rc = add_literal(f, s, n, e);
        s += n;
        if (rc < 0 || !*s)
            break;
        if (!s[1] || !strchr(letters, s[1]))
            return kerr_set(e, KE_INVALID,
                            "'%s': '%%%.1s', expected one of %%t %%p %%o %%T %%k %%K "
                            "%%s %%S %%h %%R %%%%",
                            text, s + 1);
        f->v[f->n++] = (struct piece){.what = s[1]};
        s += 2;
    }
    return rc;
}

void format_free(struct format *f)
{
    if (!f)
        return;
    buf_free(&f->text);
    free(f->v);
    free(f);
}

static void put_number(struct buf *b, int64_t v)
{
    char digits[24], *p = digits + sizeof digits;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do
        *--p = (char)('0' + u % 10);
    while ((u /= 10) > 0);
    if (v < 0)
        *--p = '-';
    buf_put(b, p, (size_t)(digits + sizeof digits - p));
}

static void put_headers(struct buf *b, const struct record *r)
{
    struct slice at = r->headers;
    struct header h;

    for (int32_t i = 0; i < r->header_count && record_header_next(&at, &h) == 0; i++) {
        if (i)
            buf_put_u8(b, ',');
        buf_put_slice(b, h.name);
        buf_put_u8(b, '=');
        buf_put_slice(b, h.value);
    }
}

static int64_t length(struct slice s)
{
    return slice_is_null(s) ? -1 : (int64_t)s.n;
}

void format_put(const struct format *f, struct buf *b, const char *topic, int32_t partition,
                const struct record *r)
{
    uint8_t size[4];

    for (size_t i = 0; i < f->n; i++) {
        const struct piece *p = &f->v[i];
        switch (p->what) {
        case 0:
            buf_put(b, f->text.p + p->at, p->n);
            break;
        case 't':
            buf_put_str(b, topic);
            break;
        case 'p':
            put_number(b, partition);
            break;
        case 'o':
            put_number(b, r->offset);
            break;
        case 'T':
            put_number(b, r->timestamp);
            break;
        case 'k':
            buf_put_slice(b, r->key);
            break;
        case 'K':
            put_number(b, length(r->key));
            break;
        case 's':
            buf_put_slice(b, r->value);
            break;
        case 'S':
            put_number(b, length(r->value));
            break;
        case 'h':
            put_headers(b, r);
            break;
        case 'R':
            put_be32(size, (uint32_t)length(r->value));
            buf_put(b, size, sizeof size);
            break;
        default:
            buf_put_u8(b, (uint8_t)p->what);
        }
    }
}
