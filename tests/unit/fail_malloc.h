/*
 * fail_malloc - for tests that are linked with --wrap (Makefile, *_memory_test, *_fail_test):
 * allocations made by our own code fail from the n-th on, as many as wanted. Those of other
 * libraries do not.
 */
#ifndef KCORE_TESTS_FAIL_MALLOC_H
#define KCORE_TESTS_FAIL_MALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static long fail_from = -1, fail_count, fail_seen;
static bool fail_happened;

/* From the n-th allocation on (0: the next one), count of them. */
static void fail_begin(long n, long count)
{
    fail_from = n;
    fail_count = count;
    fail_seen = 0;
    fail_happened = false;
}

/* True when there was something to fail. */
static bool fail_end(void)
{
    fail_from = -1;
    return fail_happened;
}

static bool fail_now(void)
{
    long i;

#ifdef FAIL_MALLOC_SPARES
    if (FAIL_MALLOC_SPARES)
        return false;
#endif
    if (fail_from < 0)
        return false;
    i = fail_seen++;
    if (i < fail_from || i >= fail_from + fail_count)
        return false;
    fail_happened = true;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

void *__wrap_malloc(size_t n)
{
    return fail_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fail_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fail_now() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = fail_now() ? NULL : __real_malloc(n);

    return p ? memcpy(p, s, n) : NULL;
}

#endif
