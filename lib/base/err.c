#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int code;
    const char *text;
} texts[] = {
#define KERR_TEXT(name, value, text) {value, text},
    KERR_LIST(KERR_TEXT)
#undef KERR_TEXT
};

const char *kerr_text(int code)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].code == code)
            return texts[i].text;
    return code == 0 ? "no error" : "unknown error";
}

static void fill(struct kerr *e, int code, int sys, const char *fmt, va_list ap)
{
    e->code = code;
    e->sys = sys;
    e->remote = 0;
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
}

int kerr_set(struct kerr *e, int code, const char *fmt, ...)
{
    va_list ap;

    if (!e)
        return code;
    va_start(ap, fmt);
    fill(e, code, 0, fmt, ap);
    va_end(ap);
    return code;
}

int kerr_sys(struct kerr *e, int code, const char *fmt, ...)
{
    int sys = errno;
    va_list ap;
    size_t n;

    if (code == KE_IO && (sys == ENOSPC || sys == EDQUOT))
        code = KE_NOSPACE;
    if (!e)
        return code;
    va_start(ap, fmt);
    fill(e, code, sys, fmt, ap);
    va_end(ap);
    n = strlen(e->msg);
    snprintf(e->msg + n, sizeof e->msg - n, ": %s",
             strerrordesc_np(sys) ? strerrordesc_np(sys) : "unknown error");
    return code;
}

int kerr_ctx(struct kerr *e, int code, const char *fmt, ...)
{
    char old[sizeof e->msg];
    va_list ap;
    size_t n;

    if (!e)
        return code;
    snprintf(old, sizeof old, "%s", kerr_msg(e));
    va_start(ap, fmt);
    vsnprintf(e->msg, sizeof e->msg, fmt, ap);
    va_end(ap);
    n = strlen(e->msg);
    snprintf(e->msg + n, sizeof e->msg - n, ": %s", old);
    e->code = code;
    return code;
}

const char *kerr_msg(const struct kerr *e)
{
    return e->msg[0] ? e->msg : kerr_text(e->code);
}
