#include "broker/settings.h"

struct slice setting_default(const struct broker *b, const struct topic_conf_key *k, int8_t *source)
{
    struct slice s = buf_slice(&b->conf.topic_defaults), found = slice_str(k->value);
    size_t name = strlen(k->name);

    *source = SOURCE_DEFAULT;
    while (s.n > 0) {
        const uint8_t *end = memchr(s.p, '\n', s.n);
        size_t n = end ? (size_t)(end - s.p) : s.n;
        if (n > name && memcmp(s.p, k->name, name) == 0 && s.p[name] == '=') {
            found = slice_of(s.p + name + 1, n - name - 1);
            *source = SOURCE_STATIC_BROKER;
        }
        s = slice_of(s.p + n + (end != NULL), s.n - n - (end != NULL));
    }
    return found;
}

struct slice setting_of(const struct broker *b, const struct catalog_topic *t, const char *name)
{
    int8_t source;

    for (int32_t i = 0; i < t->config_count; i++)
        if (slice_eq_str(t->configs[i].name, name))
            return t->configs[i].value;
    return setting_default(b, topic_conf_find(slice_str(name)), &source);
}
