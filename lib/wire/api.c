#include "wire/api.h"

#include <stddef.h>

static const struct wire_api apis[] = {
#define API_ROW(constant, k, n, lo, hi, flex)                                                      \
    {.key = constant, .min = (lo), .max = (hi), .flexible = (flex), .name = (n)},
    WIRE_API_LIST(API_ROW)
#undef API_ROW
};

/* The table ascends by key. */
const struct wire_api *wire_api_find(int16_t key)
{
    size_t from = 0, to = sizeof apis / sizeof apis[0];

    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (apis[mid].key == key)
            return &apis[mid];
        if (apis[mid].key < key)
            from = mid + 1;
        else
            to = mid;
    }
    return NULL;
}

const char *wire_api_name(int16_t key)
{
    const struct wire_api *a = wire_api_find(key);

    return a ? a->name : "unknown";
}
