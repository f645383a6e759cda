/* Prints lib/wire's tables of APIs and errors, for a comparison with kafka-clients (kcore.Facts).
 */
#include "wire/api.h"
#include "wire/error.h"

#include <stdio.h>

static void print_api(const struct wire_api *a)
{
    char flexible[8] = "never";

    if (a->flexible != WIRE_NEVER_FLEXIBLE)
        snprintf(flexible, sizeof flexible, "%d", a->flexible);
    printf("api %d %s %d-%d flexible %s\n", a->key, a->name, a->min, a->max, flexible);
}

int main(void)
{
    for (int16_t key = 0; key < INT16_MAX; key++)
        if (wire_api_find(key))
            print_api(wire_api_find(key));
    for (int16_t code = -1; code < INT16_MAX; code++)
        if (wire_error_name(code)[0] != '?')
            printf("error %d %s%s\n", code, wire_error_name(code),
                   wire_error_retriable(code) ? " retriable" : "");
    return 0;
}
