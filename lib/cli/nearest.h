/*
 * nearest - "did you mean ...?"
 */
#ifndef KCORE_CLI_NEAREST_H
#define KCORE_CLI_NEAREST_H

#include <stddef.h>

/* The name with the smallest edit distance (insert, delete, replace, swap of neighbours) to word,
 * the first of equals, or NULL when none is near: more than a third of the word's length away. */
const char *nearest(const char *word, const char *const *names, size_t n);

/* For a loop over names that are in no array: best starts as {word}. */
struct nearest {
    const char *word;
    const char *best;
    size_t distance;
};
void nearest_try(struct nearest *n, const char *name);

#endif
