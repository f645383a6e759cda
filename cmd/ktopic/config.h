/*
 * config - what create and config share: NAME=VALUE pairs, and what a broker says about them.
 */
#ifndef KCORE_CMD_KTOPIC_CONFIG_H
#define KCORE_CMD_KTOPIC_CONFIG_H

#include "ktopic.h"

#include "client/admin.h"

/* Whose configurations: TOPIC, topic:TOPIC, broker, broker:ID. */
struct config_subject {
    struct admin_target target;
    const char *text; /* as it was given */
};
int config_subject_parse(const char *text, struct config_subject *out, struct kerr *e);

/* Every configuration that the subject can have. What is for all brokers is listed by none of
 * them: one broker's own stand for it. */
int config_known(struct ktopic *k, const struct config_subject *s, struct admin_settings *out,
                 struct kerr *e);

/* "NAME=VALUE", n times, to n malloc'ed pairs; values point into v. KE_INVALID; NULL then. */
int config_pairs(const char *const *v, size_t n, struct admin_config **out, struct kerr *e);
void config_pairs_free(struct admin_config *p, size_t n);

/* The setting of that name, or NULL. */
const struct admin_setting *config_find(const struct admin_settings *known, const char *name);

/* KE_NOTFOUND: there is no such configuration, with the nearest that there is. */
int config_unknown(const struct admin_settings *known, const char *name, struct kerr *e);

/* A broker has refused pairs (KE_REMOTE). Which names are known is for it to say; what may have
 * been meant by one that is not it does not. */
void config_blame(const struct admin_settings *known, const struct admin_config *pairs, size_t n,
                  struct kerr *e);

/* Says of each pair that the broker keeps without obeying it that this is so: what is accepted
 * silently is believed to act. */
void config_say_idle(const struct ktopic *k, const struct admin_settings *known,
                     const struct admin_config *pairs, size_t n);

/* "topic", "broker", "brokers", "start" or "default": where a value comes from. */
const char *config_source(int8_t source);

#endif
