/*
 * A value for a setting: two bytes choose the setting, the rest is the value. What is accepted can
 * be applied, and what a log gets from it is within what the log can work with.
 */
#include "broker/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static size_t count_keys(void)
{
    size_t n = 0;

    while (config_keys[n].topic || config_keys[n].broker)
        n++;
    return n;
}

static void check_log(const struct plog_conf *c)
{
    must(c->segment_bytes >= 14 && c->segment_bytes <= INT32_MAX);
    must(c->segment_ms > 0 && c->jitter_ms >= 0);
    must(c->max_message_bytes >= 0 && c->max_message_bytes <= INT32_MAX);
    must(c->index_interval_bytes >= 0 && c->segment_index_bytes > 0);
    must(c->before_max_ms >= 0 && c->after_max_ms >= 0);
    must(c->retention_ms >= -1 && c->retention_bytes >= -1 && c->delete_delay_ms >= 0);
    must(c->flush_messages > 0 && c->flush_ms >= 0);
    must(c->compression >= -1 && c->compression < CODEC_COUNT);
    for (int i = 0; i < CODEC_COUNT; i++) {
        int min, max;
        codec_levels((enum codec)i, &min, &max);
        must(c->levels[i] == CODEC_LEVEL_DEFAULT || (c->levels[i] >= min && c->levels[i] <= max));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct config_key *k;
    struct slice value, item;
    struct plog_conf c;
    struct kerr e = {0};
    size_t items = 0;
    int rc;

    if (size < 2)
        return 0;
    k = &config_keys[(size_t)(data[0] << 8 | data[1]) % count_keys()];
    value = slice_of(data + 2, size - 2);
    for (size_t at = 0; config_list_next(value, &at, &item); items++)
        must(item.p >= value.p && item.n <= value.n);
    must(items <= value.n + 1);
    rc = config_check(k, k->topic ? k->topic : k->broker, value, &e);
    must(rc == 0 || (rc == KE_INVALID && e.code == rc && e.msg[0]));
    if (rc == 0 && k->apply) {
        plog_conf_default(&c);
        k->apply(&c, value);
        check_log(&c);
    }
    return 0;
}
