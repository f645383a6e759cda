/*
 * writer - what a tool lists, as a table for people or as JSON lines for programs: two values of
 * one small struct, so that no tool asks which.
 *
 *     static const struct column columns[] = {{"topic", COL_TEXT}, {"records", COL_COUNT}, {0}};
 *     struct writer *w = writer_new(json ? WRITER_JSON : WRITER_TABLE, columns, header, stdout);
 *     writer_text(w, slice_str("access"));
 *     writer_number(w, 7);
 *     writer_row(w);                      {"v":1,"topic":"access","records":7}
 *     rc = writer_end(w, &e);             prints the table, frees w
 *
 * Columns of the table are in upper case, numbers to the right, two blanks between; its widths
 * depend on the data alone, but on a terminal that is narrower: there the widest columns of text
 * are cut, and end with "~" where they are. JSON has the same names in lower case, one object a
 * row, "v":1 first, numbers without separators; text that is not UTF-8 is {"base64":"..."}.
 */
#ifndef KCORE_CLI_WRITER_H
#define KCORE_CLI_WRITER_H

#include "base/err.h"
#include "base/slice.h"

#include <stdio.h>

enum column_kind {
    COL_TEXT,   /* escaped like diag_escape in the table */
    COL_NUMBER, /* as it is */
    COL_COUNT,  /* with thousands separators in the table */
    COL_SIZE,   /* "3.9 GiB" in the table */
    COL_TIME,   /* milliseconds in JSON, RFC 3339 in the table */
    COL_LIST,   /* "1,2,3" in the table, an array of numbers in JSON */
    COL_FLAG,   /* "yes" and "no" in the table, true and false in JSON */
};

struct column {
    const char *name; /* lower case */
    enum column_kind kind;
};

struct writer;
enum writer_form { WRITER_TABLE, WRITER_JSON };

/* columns ends with an entry without a name and outlives the writer. NULL without memory. */
struct writer *writer_new(enum writer_form form, const struct column *columns, bool header,
                          FILE *out);
/* The next cell of the row; the kind has to fit the column's. The null slice is null ("-"). */
void writer_text(struct writer *w, struct slice s);
void writer_number(struct writer *w, int64_t v);
void writer_list(struct writer *w, const int32_t *v, size_t n);
void writer_flag(struct writer *w, bool v);
/* The next cell is not known or does not apply: null, "-". */
void writer_none(struct writer *w);
void writer_row(struct writer *w);
/* 0, or KE_NOMEM. Errors of out are for cli_close_stdout(). w may be NULL (KE_NOMEM). */
int writer_end(struct writer *w, struct kerr *e);

#endif
