/*
 * A properties file, and what each side makes of its settings: parsing ends in a list or an error,
 * every name and value is a C string within the text's size, and no setting is taken that the
 * configuration's own check cannot look at.
 */
#include "broker/conf.h"
#include "cli/properties.h"
#include "client/conf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct properties p = {0};
    struct client_conf client;
    struct broker_conf broker;
    struct kerr e = {0};
    int rc = properties_parse(&p, "file", slice_of(data, size), &e);

    must(rc == 0 || (rc < 0 && e.code == rc && e.msg[0]));
    client_conf_init(&client);
    broker_conf_init(&broker);
    for (size_t i = 0; i < p.n; i++) {
        must(strlen(p.v[i].name) + strlen(p.v[i].value) <= size && p.v[i].line > 0);
        must(strcmp(properties_get(&p, p.v[i].name), p.v[i].value) == 0);
        for (int side = 0; side < 2; side++) {
            e = (struct kerr){0};
            rc = side ? client_conf_set(&client, p.v[i].name, p.v[i].value, &e)
                      : broker_conf_set(&broker, p.v[i].name, p.v[i].value, &e);
            must(rc == 0 || (rc < 0 && e.code == rc && e.msg[0]));
        }
    }
    client_conf_check(&client, &e);
    broker_conf_check(&broker, &e);
    client_conf_free(&client);
    broker_conf_free(&broker);
    properties_free(&p);
    return 0;
}
