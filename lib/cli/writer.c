#include "cli/writer.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "cli/json.h"
#include "cli/num.h"
#include "cli/when.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/ioctl.h>

struct form;

struct writer {
    const struct form *form;
    const struct column *columns;
    size_t count, at; /* columns; the one the next cell belongs to */
    bool header, failed;
    size_t limit; /* of a line: the terminal's width; 0: none */
    FILE *out;
    struct buf cell; /* the cell or the line being made */
    char **cells;    /* table: row after row */
    size_t n_cells, cap_cells;
    struct arena text; /* what cells points to */
};

struct form {
    void (*text)(struct writer *w, struct slice s);
    void (*number)(struct writer *w, int64_t v);
    void (*list)(struct writer *w, const int32_t *v, size_t n);
    void (*flag)(struct writer *w, bool v);
    void (*none)(struct writer *w);
    void (*row)(struct writer *w);
    void (*end)(struct writer *w);
};

/* ---- JSON lines: written as they come ---- */

static void json_name(struct writer *w)
{
    if (w->at == 0)
        buf_put_str(&w->cell, "{\"v\":1");
    buf_printf(&w->cell, ",\"%s\":", w->columns[w->at].name);
}

static void json_text(struct writer *w, struct slice s)
{
    json_name(w);
    json_put(&w->cell, s);
}

static void json_number(struct writer *w, int64_t v)
{
    json_name(w);
    buf_printf(&w->cell, "%" PRId64, v);
}

static void put_list(struct buf *b, const int32_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "%s%" PRId32, i > 0 ? "," : "", v[i]);
}

static void json_list(struct writer *w, const int32_t *v, size_t n)
{
    json_name(w);
    buf_put_u8(&w->cell, '[');
    put_list(&w->cell, v, n);
    buf_put_u8(&w->cell, ']');
}

static void json_flag(struct writer *w, bool v)
{
    json_name(w);
    buf_put_str(&w->cell, v ? "true" : "false");
}

static void json_none(struct writer *w)
{
    json_name(w);
    buf_put_str(&w->cell, "null");
}

static void json_row(struct writer *w)
{
    buf_put_str(&w->cell, "}\n");
    if (w->cell.failed)
        w->failed = true;
    else
        fwrite(w->cell.p, 1, w->cell.n, w->out);
    buf_clear(&w->cell);
}

static void json_end(struct writer *w)
{
    (void)w;
}

/* ---- the table: kept until all widths are known ---- */

/* The cell that w->cell holds is done. */
static void keep(struct writer *w)
{
    bool ok = !w->cell.failed;
    struct slice copy;

    if (w->n_cells == w->cap_cells) {
        size_t cap = w->cap_cells ? w->cap_cells * 2 : 64;
        char **bigger = reallocarray(w->cells, cap, sizeof *bigger);
        if (!bigger) {
            w->failed = true;
            return;
        }
        w->cells = bigger;
        w->cap_cells = cap;
    }
    buf_put_u8(&w->cell, 0);
    copy = arena_dup(&w->text, buf_slice(&w->cell), &ok);
    if (ok && !w->cell.failed)
        w->cells[w->n_cells++] = (char *)(uintptr_t)copy.p;
    else
        w->failed = true;
    buf_clear(&w->cell);
}

static void table_flag(struct writer *w, bool v)
{
    buf_put_str(&w->cell, v ? "yes" : "no");
    keep(w);
}

static void table_none(struct writer *w)
{
    buf_put_u8(&w->cell, '-');
    keep(w);
}

static void table_text(struct writer *w, struct slice s)
{
    char shown[DIAG_ESCAPED_MAX];
    const size_t most = 256; /* of it are escaped at a time */

    if (!s.p)
        buf_put_u8(&w->cell, '-');
    for (size_t at = 0; at < s.n; at += most)
        buf_put_str(&w->cell, diag_escape(shown, sizeof shown,
                                          slice_of(s.p + at, s.n - at < most ? s.n - at : most)));
    keep(w);
}

static void table_number(struct writer *w, int64_t v)
{
    char shown[WHEN_FORMAT_MAX > NUM_MAX ? WHEN_FORMAT_MAX : NUM_MAX];

    switch (w->columns[w->at].kind) {
    case COL_COUNT:
        buf_put_str(&w->cell, num_count(v, shown));
        break;
    case COL_SIZE:
        buf_put_str(&w->cell, num_size(v, shown));
        break;
    case COL_TIME:
        buf_put_str(&w->cell, when_format(v, shown));
        break;
    default:
        buf_printf(&w->cell, "%" PRId64, v);
    }
    keep(w);
}

static void table_list(struct writer *w, const int32_t *v, size_t n)
{
    put_list(&w->cell, v, n);
    if (n == 0)
        buf_put_u8(&w->cell, '-');
    keep(w);
}

static void table_row(struct writer *w)
{
    (void)w;
}

static void upper(struct buf *b, const char *s)
{
    for (; *s; s++)
        buf_put_u8(b, (uint8_t)(*s >= 'a' && *s <= 'z' ? *s - 'a' + 'A' : *s));
}

/* As wide as out is, when that is a terminal. */
static size_t terminal_width(FILE *out)
{
    struct winsize size;

    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* Takes from the widest columns of text until a line fits, but leaves each its name, and something
 * to be known by. Numbers are whole or they are wrong. */
static void fit(const struct writer *w, size_t *width)
{
    size_t total = 2 * (w->count - 1);

    for (size_t c = 0; c < w->count; c++)
        total += width[c];
    while (total > w->limit) {
        size_t widest = w->count;
        for (size_t c = 0; c < w->count; c++) {
            size_t least = w->header ? strlen(w->columns[c].name) : 0;
            if (w->columns[c].kind == COL_TEXT && width[c] > (least > 8 ? least : 8) &&
                (widest == w->count || width[c] > width[widest]))
                widest = c;
        }
        if (widest == w->count)
            return;
        width[widest]--;
        total--;
    }
}

/* One cell in its column; the last one is not padded. What does not fit ends with a mark. */
static void print_cell(struct writer *w, size_t column, const char *text, size_t width)
{
    enum column_kind kind = w->columns[column].kind;
    bool right = kind == COL_NUMBER || kind == COL_COUNT || kind == COL_SIZE;
    bool last = column + 1 == w->count;

    if (strlen(text) > width)
        fprintf(w->out, "%.*s~%s", (int)width - 1, text, last ? "\n" : "  ");
    else if (right)
        fprintf(w->out, "%*s%s", (int)width, text, last ? "\n" : "  ");
    else
        fprintf(w->out, "%-*s%s", last ? 0 : (int)width, text, last ? "\n" : "  ");
}

static void table_end(struct writer *w)
{
    size_t *width = calloc(w->count, sizeof *width);

    if (!width)
        w->failed = true;
    if (w->failed) {
        free(width);
        return;
    }
    for (size_t c = 0; w->header && c < w->count; c++)
        width[c] = strlen(w->columns[c].name);
    for (size_t i = 0; i < w->n_cells; i++)
        if (strlen(w->cells[i]) > width[i % w->count])
            width[i % w->count] = strlen(w->cells[i]);
    if (w->limit > 0)
        fit(w, width);
    for (size_t c = 0; w->header && c < w->count; c++) {
        buf_clear(&w->cell);
        upper(&w->cell, w->columns[c].name);
        print_cell(w, c, buf_cstr(&w->cell) ? buf_cstr(&w->cell) : "", width[c]);
    }
    for (size_t i = 0; i < w->n_cells; i++)
        print_cell(w, i % w->count, w->cells[i], width[i % w->count]);
    free(width);
}

static const struct form table = {table_text, table_number, table_list, table_flag,
                                  table_none, table_row,    table_end};
static const struct form json = {json_text, json_number, json_list, json_flag,
                                 json_none, json_row,    json_end};

struct writer *writer_new(enum writer_form form, const struct column *columns, bool header,
                          FILE *out)
{
    struct writer *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->form = form == WRITER_JSON ? &json : &table;
    w->columns = columns;
    w->header = header;
    w->out = out;
    w->limit = terminal_width(out);
    while (columns[w->count].name)
        w->count++;
    return w;
}

static bool is_number(enum column_kind kind)
{
    return kind == COL_NUMBER || kind == COL_COUNT || kind == COL_SIZE || kind == COL_TIME;
}

void writer_text(struct writer *w, struct slice s)
{
    if (!w)
        return;
    assert(w->at < w->count && w->columns[w->at].kind == COL_TEXT);
    w->form->text(w, s);
    w->at++;
}

void writer_number(struct writer *w, int64_t v)
{
    if (!w)
        return;
    assert(w->at < w->count && is_number(w->columns[w->at].kind));
    w->form->number(w, v);
    w->at++;
}

void writer_list(struct writer *w, const int32_t *v, size_t n)
{
    if (!w)
        return;
    assert(w->at < w->count && w->columns[w->at].kind == COL_LIST);
    w->form->list(w, v, n);
    w->at++;
}

void writer_flag(struct writer *w, bool v)
{
    if (!w)
        return;
    assert(w->at < w->count && w->columns[w->at].kind == COL_FLAG);
    w->form->flag(w, v);
    w->at++;
}

void writer_none(struct writer *w)
{
    if (!w)
        return;
    assert(w->at < w->count);
    w->form->none(w);
    w->at++;
}

void writer_row(struct writer *w)
{
    if (!w)
        return;
    assert(w->at == w->count);
    w->form->row(w);
    w->at = 0;
}

int writer_end(struct writer *w, struct kerr *e)
{
    bool failed = !w;

    if (w) {
        w->form->end(w);
        failed = w->failed;
        free(w->cells);
        arena_free(&w->text);
        buf_free(&w->cell);
        free(w);
    }
    return failed ? kerr_set(e, KE_NOMEM, "out of memory") : 0;
}
