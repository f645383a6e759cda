/*
 * properties - Java's property files, as far as Kafka's configuration uses them.
 *
 * "name=value", "name: value" or "name value" a line; blank lines and lines that begin with # or !
 * do not count; a backslash at the end of a line joins the next one without its indentation;
 * \t \n \r \f, \uXXXX (to UTF-8) and \c for any other c are escapes. Bytes are taken as UTF-8, not
 * Latin-1. White space after a value belongs to it, as in Java. A name given again takes the place
 * of the earlier value. (java.util.Properties.load.)
 */
#ifndef KCORE_CLI_PROPERTIES_H
#define KCORE_CLI_PROPERTIES_H

#include "base/err.h"
#include "base/slice.h"

#include <stddef.h>

struct property {
    char *name, *value;
    char *file; /* NULL: from the command line */
    int line;   /* where it began */
};

/* A zeroed struct is empty. In order of first appearance. */
struct properties {
    struct property *v;
    size_t n;
};

void properties_free(struct properties *p);

/* The value or NULL. */
const char *properties_get(const struct properties *p, const char *name);
int properties_set(struct properties *p, const char *name, const char *value, struct kerr *e);

/* "name=value" of a command line. KE_INVALID without "=" or name. */
int properties_add(struct properties *p, const char *assignment, struct kerr *e);

/* Adds a file's. KE_NOTFOUND, KE_IO; KE_INVALID "FILE:LINE: what is wrong". */
int properties_load(struct properties *p, const char *path, struct kerr *e);
/* The same from memory; name is what messages call it. */
int properties_parse(struct properties *p, const char *name, struct slice text, struct kerr *e);

/* Puts "FILE:LINE: " (or "-X name: ") of a property in front of an error about it. */
int properties_blame(const struct property *p, int code, struct kerr *e);

#endif
