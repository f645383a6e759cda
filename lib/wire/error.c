#include "wire/error.h"

#include <stddef.h>

struct error {
    const char *name, *text;
    bool retriable;
};

/* By code + 1: the codes run from -1 without a gap, which the test checks. */
static const struct error errors[] = {
#define ERROR_ROW(n, code, again, t) [(code) + 1] = {.name = #n, .text = (t), .retriable = (again)},
    WIRE_ERROR_LIST(ERROR_ROW)
#undef ERROR_ROW
};

static const struct error *find(int16_t code)
{
    size_t i = (size_t)(code + 1);

    return i < sizeof errors / sizeof errors[0] ? &errors[i] : NULL;
}

const char *wire_error_name(int16_t code)
{
    const struct error *e = find(code);

    return e ? e->name : "?";
}

const char *wire_error_text(int16_t code)
{
    const struct error *e = find(code);

    return e ? e->text : "an error code that this version does not know";
}

bool wire_error_retriable(int16_t code)
{
    const struct error *e = find(code);

    return e && e->retriable;
}
