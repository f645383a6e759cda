#include "cli/properties.h"

#include "base/buf.h"
#include "base/diag.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 20 };

void properties_free(struct properties *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->v[i].name);
        free(p->v[i].value);
        free(p->v[i].file);
    }
    free(p->v);
    *p = (struct properties){0};
}

const char *properties_get(const struct properties *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->v[i].name, name) == 0)
            return p->v[i].value;
    return NULL;
}

/* The entry of that name, made when there is none; NULL without memory. */
static struct property *entry(struct properties *p, const char *name)
{
    struct property *bigger;
    char *copy;

    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->v[i].name, name) == 0)
            return &p->v[i];
    bigger = reallocarray(p->v, p->n + 1, sizeof *p->v);
    if (!bigger)
        return NULL;
    p->v = bigger;
    copy = strdup(name);
    if (!copy)
        return NULL;
    p->v[p->n] = (struct property){.name = copy};
    return &p->v[p->n++];
}

static int set(struct properties *p, const char *name, const char *value, const char *file,
               int line, struct kerr *e)
{
    char *v = strdup(value), *f = file ? strdup(file) : NULL;
    struct property *at = v && (f || !file) ? entry(p, name) : NULL;

    if (!at) {
        free(v);
        free(f);
        return kerr_set(e, KE_NOMEM, "out of memory");
    }
    free(at->value);
    free(at->file);
    at->value = v;
    at->file = f;
    at->line = line;
    return 0;
}

int properties_set(struct properties *p, const char *name, const char *value, struct kerr *e)
{
    return set(p, name, value, NULL, 0, e);
}

int properties_add(struct properties *p, const char *assignment, struct kerr *e)
{
    const char *eq = strchr(assignment, '=');
    char shown[DIAG_ESCAPED_MAX], *name;
    int rc;

    if (!eq || eq == assignment)
        return kerr_set(e, KE_INVALID, "'%s' is not name=value",
                        diag_escape(shown, sizeof shown, slice_str(assignment)));
    name = strndup(assignment, (size_t)(eq - assignment));
    if (!name)
        return kerr_set(e, KE_NOMEM, "out of memory");
    rc = set(p, name, eq + 1, NULL, 0, e);
    free(name);
    return rc;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

/* The natural line at *s, without its end (LF, CR, CR LF); *s is moved behind it. */
static struct slice natural_line(const char **s, const char *end)
{
    const char *from = *s, *to = from;

    while (to < end && *to != '\n' && *to != '\r')
        to++;
    *s = to;
    if (*s < end)
        *s += (*s + 1 < end && (*s)[0] == '\r' && (*s)[1] == '\n') ? 2 : 1;
    while (from < to && blank(*from))
        from++;
    return slice_of(from, (size_t)(to - from));
}

/* An odd number of backslashes at the end joins the next line. */
static bool continues(struct slice line)
{
    size_t n = 0;

    while (n < line.n && line.p[line.n - 1 - n] == '\\')
        n++;
    return n % 2 == 1;
}

static int hex4(const uint8_t *p, size_t n, unsigned *out)
{
    *out = 0;
    if (n < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        uint8_t c = p[i];
        unsigned d = 16;
        if (c >= '0' && c <= '9')
            d = c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            d = (c | 0x20) - 'a' + 10u;
        if (d == 16)
            return -1;
        *out = *out * 16 + d;
    }
    return 0;
}

static void put_utf8(struct buf *b, unsigned c)
{
    if (c < 0x80) {
        buf_put_u8(b, (uint8_t)c);
    } else if (c < 0x800) {
        buf_put_u8(b, (uint8_t)(0xc0 | c >> 6));
        buf_put_u8(b, (uint8_t)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_put_u8(b, (uint8_t)(0xe0 | c >> 12));
        buf_put_u8(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        buf_put_u8(b, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        buf_put_u8(b, (uint8_t)(0xf0 | c >> 18));
        buf_put_u8(b, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        buf_put_u8(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        buf_put_u8(b, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

/* One \u escape, or the two of a surrogate pair, at s (behind the "\u"); the length used or -1. */
static int unicode_escape(const uint8_t *s, size_t n, struct buf *out)
{
    unsigned c, low;

    if (hex4(s, n, &c) < 0 || c == 0 || (c >= 0xdc00 && c < 0xe000))
        return -1;
    if (c < 0xd800 || c >= 0xe000) {
        put_utf8(out, c);
        return 4;
    }
    if (n < 10 || s[4] != '\\' || s[5] != 'u' || hex4(s + 6, n - 6, &low) < 0 || low < 0xdc00 ||
        low >= 0xe000)
        return -1;
    put_utf8(out, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
    return 10;
}

/* Undoes the escapes of s. */
static int unescape(struct slice s, struct buf *out, struct kerr *e)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == 0)
            return kerr_set(e, KE_INVALID, "a NUL byte");
        if (c != '\\' || ++i >= s.n) {
            if (c != '\\')
                buf_put_u8(out, c);
            continue;
        }
        c = s.p[i];
        if (c == 'u') {
            int used = unicode_escape(s.p + i + 1, s.n - i - 1, out);
            if (used < 0)
                return kerr_set(e, KE_INVALID,
                                "\\u needs the four hexadecimal digits of a "
                                "character");
            i += (size_t)used;
        } else {
            buf_put_u8(out, c == 't'   ? '\t'
                            : c == 'n' ? '\n'
                            : c == 'r' ? '\r'
                            : c == 'f' ? '\f'
                                       : c);
        }
    }
    return out->failed ? kerr_set(e, KE_NOMEM, "out of memory") : 0;
}

/* Splits a logical line into name and value and adds it. */
static int add_line(struct properties *p, struct slice line, const char *file, int number,
                    struct kerr *e)
{
    struct buf name = {0}, value = {0};
    size_t end = 0, from;
    int rc;

    while (end < line.n && !blank((char)line.p[end]) && line.p[end] != '=' && line.p[end] != ':')
        end += line.p[end] == '\\' && end + 1 < line.n ? 2 : 1;
    for (from = end; from < line.n && blank((char)line.p[from]);)
        from++;
    if (from < line.n && (line.p[from] == '=' || line.p[from] == ':'))
        for (from++; from < line.n && blank((char)line.p[from]);)
            from++;
    rc = unescape(slice_of(line.p, end), &name, e);
    if (rc == 0)
        rc = unescape(slice_of(line.p + from, line.n - from), &value, e);
    if (rc == 0 && name.n == 0)
        rc = kerr_set(e, KE_INVALID, "a name is missing");
    if (rc == 0) {
        const char *n = buf_cstr(&name), *v = buf_cstr(&value);
        rc = n && v ? set(p, n, v, file, number, e) : kerr_set(e, KE_NOMEM, "out of memory");
    }
    buf_free(&name);
    buf_free(&value);
    return rc < 0 ? kerr_ctx(e, rc, "%s:%d", file, number) : 0;
}

int properties_parse(struct properties *p, const char *name, struct slice text, struct kerr *e)
{
    const char *s = (const char *)text.p, *end = s + text.n;
    struct buf logical = {0};
    int number = 1, first, rc = 0;

    while (rc == 0 && s < end) {
        struct slice line = natural_line(&s, end);
        first = number++;
        if (line.n == 0 || line.p[0] == '#' || line.p[0] == '!')
            continue;
        buf_clear(&logical);
        for (; continues(line) && s < end; number++) {
            buf_put(&logical, line.p, line.n - 1);
            line = natural_line(&s, end);
        }
        buf_put(&logical, line.p, continues(line) ? line.n - 1 : line.n);
        rc = logical.failed ? kerr_set(e, KE_NOMEM, "out of memory")
                            : add_line(p, buf_slice(&logical), name, first, e);
    }
    buf_free(&logical);
    return rc;
}

/* Plain stdio: a property file may be a symbolic link or a pipe ("-F <(pass show kafka)"). */
static int read_file(const char *path, struct buf *out, struct kerr *e)
{
    FILE *f = fopen(path, "re");
    char chunk[4096];
    size_t n;
    int rc = 0;

    if (!f)
        return kerr_sys(e, errno == ENOENT ? KE_NOTFOUND : KE_IO, "%s", path);
    while (out->n <= FILE_MAX && (n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_put(out, chunk, n);
    if (ferror(f))
        rc = kerr_sys(e, KE_IO, "%s", path);
    else if (out->failed)
        rc = kerr_set(e, KE_NOMEM, "out of memory");
    else if (out->n > FILE_MAX)
        rc = kerr_set(e, KE_TOOBIG, "%s: larger than 1 MiB", path);
    fclose(f);
    return rc;
}

int properties_load(struct properties *p, const char *path, struct kerr *e)
{
    struct buf text = {0};
    int rc = read_file(path, &text, e);

    if (rc == 0)
        rc = properties_parse(p, path, buf_slice(&text), e);
    buf_free(&text);
    return rc;
}

int properties_blame(const struct property *p, int code, struct kerr *e)
{
    return p->file ? kerr_ctx(e, code, "%s:%d", p->file, p->line)
                   : kerr_ctx(e, code, "-X %s", p->name);
}
