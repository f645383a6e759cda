#include "broker/config.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

const struct config_key *config_find_topic(struct slice name)
{
    for (const struct config_key *k = config_keys; k->topic; k++)
        if (slice_eq_str(name, k->topic))
            return k;
    return NULL;
}

const struct config_key *config_find_broker(struct slice name)
{
    for (const struct config_key *k = config_keys; k->topic || k->broker; k++)
        if (k->broker && slice_eq_str(name, k->broker))
            return k;
    return NULL;
}

/* ---- values ---- */

static struct slice trim(struct slice s)
{
    while (s.n > 0 && isspace(s.p[0]))
        s = slice_of(s.p + 1, s.n - 1);
    while (s.n > 0 && isspace(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool config_list_next(struct slice list, size_t *at, struct slice *item)
{
    const uint8_t *from, *comma;

    if (*at > list.n || list.n == 0)
        return false;
    from = list.p + *at;
    comma = *at < list.n ? memchr(from, ',', list.n - *at) : NULL;
    *item = slice_of(from, comma ? (size_t)(comma - from) : list.n - *at);
    *at += item->n + 1;
    *item = trim(*item);
    return true;
}

bool config_list_has(struct slice list, const char *item)
{
    struct slice s;

    for (size_t at = 0; config_list_next(list, &at, &s);)
        if (slice_eq_str(s, item))
            return true;
    return false;
}

/* A copy with a NUL, for the C library's parsers; false when it is too long to be a number. */
static bool text_of(struct slice value, char out[64])
{
    value = trim(value);
    if (value.n == 0 || value.n >= 64 || memchr(value.p, 0, value.n))
        return false;
    memcpy(out, value.p, value.n);
    out[value.n] = 0;
    return true;
}

int64_t config_number(struct slice value)
{
    char text[64];

    return text_of(value, text) ? strtoll(text, NULL, 10) : 0;
}

static bool same_word(struct slice value, const char *word)
{
    value = trim(value);
    return value.n == strlen(word) && strncasecmp((const char *)value.p, word, value.n) == 0;
}

bool config_is_true(struct slice value)
{
    return same_word(value, "true");
}

/* ---- checks ---- */

/* As much of a value as a message shows. */
static int shown(struct slice value)
{
    return (int)(value.n < 64 ? value.n : 64);
}

static bool in_choices(const char *choices, struct slice value)
{
    while (choices) {
        size_t n = strcspn(choices, "|");
        if (n == value.n && memcmp(choices, value.p, n) == 0)
            return true;
        choices = choices[n] ? choices + n + 1 : NULL;
    }
    return false;
}

static int check_choice(const struct config_key *k, const char *name, struct slice value,
                        struct kerr *e)
{
    if (!k->choices || in_choices(k->choices, value))
        return 0;
    return kerr_set(e, KE_INVALID, "%s: '%.*s' is none of %s", name, shown(value),
                    (const char *)value.p, k->choices);
}

/* "0:1,5:1" or "*". */
static bool are_replicas(struct slice list)
{
    struct slice item;

    if (slice_eq_str(list, "*"))
        return true;
    for (size_t at = 0; config_list_next(list, &at, &item);) {
        size_t colons = 0;
        for (size_t i = 0; i < item.n; i++) {
            colons += item.p[i] == ':';
            if (item.p[i] != ':' && !isdigit(item.p[i]))
                return false;
        }
        if (colons != 1 || item.p[0] == ':' || item.p[item.n - 1] == ':')
            return false;
    }
    return true;
}

static int check_list(const struct config_key *k, const char *name, struct slice value,
                      struct kerr *e)
{
    struct slice item;

    if (k->flags & CONFIG_REPLICAS && !are_replicas(value))
        return kerr_set(e, KE_INVALID, "%s: '%.*s' is neither * nor PARTITION:BROKER,...", name,
                        shown(value), (const char *)value.p);
    for (size_t at = 0; k->choices && config_list_next(value, &at, &item);) {
        int rc = check_choice(k, name, item, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int check_number(const struct config_key *k, const char *name, struct slice value,
                        struct kerr *e)
{
    double min = k->min, max = k->max, real = 0;
    char text[64] = "", *end = text;

    if (min == 0 && max == 0) {
        max = k->type == CONFIG_INT     ? INT_MAX
              : k->type == CONFIG_SHORT ? SHRT_MAX
              : k->type == CONFIG_LONG  ? (double)LLONG_MAX
                                        : DBL_MAX;
        min = -max - 1;
    }
    errno = 0;
    if (text_of(value, text))
        real = k->type == CONFIG_DOUBLE ? strtod(text, &end) : (double)strtoll(text, &end, 10);
    if (end == text || *end || errno || !isfinite(real))
        return kerr_set(e, KE_INVALID, "%s: '%.*s' is not a %snumber", name, shown(value),
                        (const char *)value.p, k->type == CONFIG_DOUBLE ? "" : "whole ");
    if (real < min || real > max || (k->flags & CONFIG_NOT_ZERO && real == 0))
        return kerr_set(e, KE_INVALID, "%s: %s is not within %.0f and %.0f%s", name, text, min, max,
                        k->flags & CONFIG_NOT_ZERO ? ", or it is 0" : "");
    return 0;
}

int config_check(const struct config_key *k, const char *name, struct slice value, struct kerr *e)
{
    if (!value.p)
        return kerr_set(e, KE_INVALID, "%s: no value", name);
    switch (k->type) {
    case CONFIG_BOOLEAN:
        if (!config_is_true(value) && !same_word(value, "false"))
            return kerr_set(e, KE_INVALID, "%s: '%.*s' is neither true nor false", name,
                            shown(value), (const char *)value.p);
        if (k->choices && config_is_true(value))
            return kerr_set(e, KE_INVALID, "%s: there is no tiered storage here", name);
        return 0;
    case CONFIG_STRING:
        return check_choice(k, name, value, e);
    case CONFIG_LIST:
        return check_list(k, name, value, e);
    case CONFIG_CLASS:
    case CONFIG_PASSWORD:
        return 0;
    default:
        return check_number(k, name, value, e);
    }
}
