#include "cli/nearest.h"

#include <string.h>

enum { LONGEST = 64 };

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Optimal string alignment: three rows of the table are enough. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= m; j++)
        last[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t replace = last[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = min3(replace, last[j] + 1, row[j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        size_t *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[m];
}

void nearest_try(struct nearest *near, const char *name)
{
    size_t n = strlen(near->word), m = strlen(name), d;

    if (n == 0 || n > LONGEST || m > LONGEST)
        return;
    d = distance(near->word, n, name, m);
    if (d * 3 > (n > 3 ? n : 3) || d >= m)
        return;
    if (!near->best || d < near->distance) {
        near->best = name;
        near->distance = d;
    }
}

const char *nearest(const char *word, const char *const *names, size_t n)
{
    struct nearest near = {.word = word};

    for (size_t i = 0; i < n; i++)
        nearest_try(&near, names[i]);
    return near.best;
}
