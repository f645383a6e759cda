#include "cli/settings.h"

#include "cli/nearest.h"

int settings_unknown(const char *name, const char *(*name_at)(size_t i), struct kerr *e)
{
    struct nearest near = {.word = name};
    const char *candidate;

    for (size_t i = 0; (candidate = name_at(i)) != NULL; i++)
        nearest_try(&near, candidate);
    if (near.best)
        return kerr_set(e, KE_NOTFOUND, "unknown setting '%s' (did you mean '%s'?)", name,
                        near.best);
    return kerr_set(e, KE_NOTFOUND, "unknown setting '%s'", name);
}

int settings_apply(const struct properties *p,
                   int (*set)(void *conf, const char *name, const char *value, struct kerr *e),
                   const char *(*name_at)(size_t i), void *conf, struct kerr *e)
{
    for (size_t i = 0; i < p->n; i++) {
        int rc = set(conf, p->v[i].name, p->v[i].value, e);
        if (rc == KE_NOTFOUND)
            rc = settings_unknown(p->v[i].name, name_at, e);
        else if (rc < 0 && p->v[i].file)
            kerr_ctx(e, rc, "%s", p->v[i].name);
        if (rc < 0)
            return properties_blame(&p->v[i], rc, e);
    }
    return 0;
}
