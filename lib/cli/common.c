#include "cli/common.h"

#include "base/buf.h"
#include "cli/num.h"

#include <stdio.h>
#include <stdlib.h>

static int parse_timeout(void *field, const char *arg, struct kerr *e)
{
    return num_parse_seconds(arg, field, e);
}

const struct opt common_options[] = {
    {'b', "brokers", "ADDR[,ADDR...]", "brokers to start from: HOST:PORT, [v6]:PORT, unix:PATH",
     OPT_TEXT, offsetof(struct common_conf, brokers), .min = 0},
    {'X', "property", "NAME=VALUE", "a client property by its Kafka name", OPT_LIST,
     offsetof(struct common_conf, set), .min = 0},
    {'F', "properties-file", "FILE", "read client properties from FILE", OPT_LIST,
     offsetof(struct common_conf, files), .min = 0},
    {'q', "quiet", NULL, "only errors on stderr", OPT_FLAG, offsetof(struct common_conf, quiet),
     .min = 0},
    {'v', "verbose", NULL, "more on stderr; twice: even more", OPT_COUNT,
     offsetof(struct common_conf, verbose), .min = 0},
    {0, "timeout", "SECONDS", "give up after SECONDS, with status 3", OPT_CALL,
     offsetof(struct common_conf, timeout_ms), .call = parse_timeout},
    {0},
};

void common_conf_free(struct common_conf *c)
{
    opt_list_free(&c->set);
    opt_list_free(&c->files);
}

/* The user's own file is read when it is there; that it is not there is nothing to talk about. */
static int load_default(struct properties *out, struct kerr *e)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    struct buf path = {0};
    int rc = 0;

    if (base && base[0] == '/')
        buf_printf(&path, "%s/kcore/client.properties", base);
    else if (home && home[0] == '/')
        buf_printf(&path, "%s/.config/kcore/client.properties", home);
    if (path.failed)
        rc = kerr_set(e, KE_NOMEM, "out of memory");
    else if (path.n > 0)
        rc = properties_load(out, buf_cstr(&path), e);
    buf_free(&path);
    return rc == KE_NOTFOUND ? 0 : rc;
}

int common_properties(const struct common_conf *c, struct properties *out, struct kerr *e)
{
    static const char bootstrap[] = "bootstrap.servers";
    const char *env = getenv("KCORE_BOOTSTRAP");
    int rc = load_default(out, e);

    for (size_t i = 0; rc == 0 && i < c->files.n; i++)
        rc = properties_load(out, c->files.v[i], e);
    for (size_t i = 0; rc == 0 && i < c->set.n; i++)
        rc = properties_add(out, c->set.v[i], e);
    if (rc < 0)
        return rc;
    if (c->brokers)
        return properties_set(out, bootstrap, c->brokers, e);
    if (properties_get(out, bootstrap))
        return 0;
    return properties_set(out, bootstrap, env && *env ? env : "localhost:9092", e);
}
