#include "cli/when.h"

#include "base/diag.h"
#include "cli/num.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int bad(const char *text, const char *why, struct kerr *e)
{
    char shown[DIAG_ESCAPED_MAX];

    return kerr_set(e, KE_INVALID, "'%s' is %s", diag_escape(shown, sizeof shown, slice_str(text)),
                    why);
}

static int unknown(const char *text, struct kerr *e)
{
    return bad(text,
               "neither an offset (beginning, end, stored, N, -N) nor a time (@SECONDS, "
               "2026-08-01T12:00Z, -2h, now, today, yesterday)",
               e);
}

/* Exactly n digits at *s, which moves behind them; -1 when there are others. */
static int digits(const char **s, int n)
{
    int v = 0;

    for (int i = 0; i < n; i++, ++*s) {
        if (**s < '0' || **s > '9')
            return -1;
        v = v * 10 + (**s - '0');
    }
    return v;
}

static int days_in(int month, int year)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

/* "2026-08-01" at *s. */
static bool date(const char **s, struct tm *tm)
{
    int y = digits(s, 4), m, d;

    if (y < 0 || *(*s)++ != '-')
        return false;
    m = digits(s, 2);
    if (m < 1 || m > 12 || *(*s)++ != '-')
        return false;
    d = digits(s, 2);
    if (d < 1 || d > days_in(m, y))
        return false;
    tm->tm_year = y - 1900;
    tm->tm_mon = m - 1;
    tm->tm_mday = d;
    return true;
}

/* "12:00", "12:00:30", "12:00:30.123" at *s. */
static bool clock_time(const char **s, struct tm *tm, int *ms)
{
    tm->tm_hour = digits(s, 2);
    if (tm->tm_hour < 0 || tm->tm_hour > 23 || *(*s)++ != ':')
        return false;
    tm->tm_min = digits(s, 2);
    if (tm->tm_min < 0 || tm->tm_min > 59)
        return false;
    if (**s != ':')
        return true;
    ++*s;
    tm->tm_sec = digits(s, 2);
    if (tm->tm_sec < 0 || tm->tm_sec > 60)
        return false;
    if (**s != '.')
        return true;
    ++*s;
    if (**s < '0' || **s > '9')
        return false;
    for (int scale = 100; **s >= '0' && **s <= '9'; ++*s, scale /= 10)
        *ms += (**s - '0') * scale;
    return true;
}

/* "Z", "+02:00" or nothing (then *local) at *s. */
static bool zone(const char **s, int *seconds, bool *local)
{
    int sign = **s == '-' ? -1 : 1, h, m;

    *local = **s == 0;
    if (*local)
        return true;
    if (**s == 'Z' || **s == 'z')
        return *++*s == 0;
    if (**s != '+' && **s != '-')
        return false;
    ++*s;
    h = digits(s, 2);
    if (h < 0 || h > 23 || *(*s)++ != ':')
        return false;
    m = digits(s, 2);
    if (m < 0 || m > 59)
        return false;
    *seconds = sign * (h * 3600 + m * 60);
    return **s == 0;
}

static bool rfc3339(const char *text, int64_t *out)
{
    struct tm tm = {.tm_isdst = -1};
    int ms = 0, offset = 0;
    bool local = true;
    const char *s = text;

    if (!date(&s, &tm))
        return false;
    if (*s == 'T' || *s == 't' || *s == ' ') {
        s++;
        if (!clock_time(&s, &tm, &ms) || !zone(&s, &offset, &local))
            return false;
    } else if (*s) {
        return false;
    }
    *out = ((int64_t)(local ? mktime(&tm) : timegm(&tm)) - offset) * 1000 + ms;
    return true;
}

/* "2h" behind the minus: milliseconds, or -1. */
static int64_t ago(const char *s)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
    char number[16];
    size_t n = strlen(s);
    int64_t v;

    if (n < 2 || n > sizeof number || s[0] < '0' || s[0] > '9')
        return -1;
    memcpy(number, s, n - 1);
    number[n - 1] = 0;
    if (num_parse(number, 0, INT32_MAX, &v, NULL) < 0)
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].unit == s[n - 1])
            return v * units[i].ms;
    return -1;
}

/* The first moment of a day, days before today, where the user is. */
static int64_t midnight(wall_ms now, int days)
{
    time_t t = (time_t)(now.ms / 1000);
    struct tm tm;

    localtime_r(&t, &tm);
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_mday -= days;
    tm.tm_isdst = -1;
    return (int64_t)mktime(&tm) * 1000;
}

static bool word(const char *text, wall_ms now, struct when *out)
{
    if (strcmp(text, "beginning") == 0)
        *out = (struct when){WHEN_BEGINNING, 0};
    else if (strcmp(text, "end") == 0)
        *out = (struct when){WHEN_END, 0};
    else if (strcmp(text, "stored") == 0)
        *out = (struct when){WHEN_STORED, 0};
    else if (strcmp(text, "now") == 0)
        *out = (struct when){WHEN_TIME, now.ms};
    else if (strcmp(text, "today") == 0)
        *out = (struct when){WHEN_TIME, midnight(now, 0)};
    else if (strcmp(text, "yesterday") == 0)
        *out = (struct when){WHEN_TIME, midnight(now, 1)};
    else
        return false;
    return true;
}

int when_parse(const char *text, wall_ms now, struct when *out, struct kerr *e)
{
    int64_t v;

    if (word(text, now, out))
        return 0;
    if (text[0] == '@') {
        if (text[1] < '0' || text[1] > '9' || num_parse(text + 1, 0, INT64_MAX, &v, NULL) < 0)
            return unknown(text, e);
        *out = (struct when){WHEN_TIME, strlen(text + 1) >= 13 ? v : v * 1000};
        return 0;
    }
    if (text[0] != '+' && num_parse(text, INT64_MIN + 1, INT64_MAX, &v, NULL) == 0) {
        *out = text[0] == '-' ? (struct when){WHEN_FROM_END, -v} : (struct when){WHEN_OFFSET, v};
        return 0;
    }
    if (text[0] == '-' && (v = ago(text + 1)) >= 0) {
        *out = (struct when){WHEN_TIME, now.ms - v};
        return 0;
    }
    if (rfc3339(text, &v)) {
        if (v < 0)
            return bad(text, "before 1970", e);
        *out = (struct when){WHEN_TIME, v};
        return 0;
    }
    return unknown(text, e);
}

const char *when_format(int64_t ms, char out[WHEN_FORMAT_MAX])
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;

    if (ms < 0)
        snprintf(out, WHEN_FORMAT_MAX, "-");
    else if (!gmtime_r(&t, &tm) || tm.tm_year > 9999 - 1900) /* not a date any more */
        snprintf(out, WHEN_FORMAT_MAX, "@%" PRId64, ms);
    else
        snprintf(out, WHEN_FORMAT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000));
    return out;
}
