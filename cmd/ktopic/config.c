#include "config.h"

#include "cli/nearest.h"
#include "cli/num.h"
#include "wire/error.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what create shares ---- */

int config_pairs(const char *const *v, size_t n, struct admin_config **out, struct kerr *e)
{
    struct admin_config *p = calloc(n + 1, sizeof *p);
    int rc = p ? 0 : kerr_set(e, KE_NOMEM, "configuration");

    for (size_t i = 0; rc == 0 && i < n; i++) {
        const char *sep = strchr(v[i], '=');
        if (!sep || sep == v[i]) {
            rc = kerr_set(e, KE_INVALID, "%s: expected NAME=VALUE", v[i]);
            break;
        }
        p[i] = (struct admin_config){strndup(v[i], (size_t)(sep - v[i])), sep + 1};
        if (!p[i].name)
            rc = kerr_set(e, KE_NOMEM, "configuration");
    }
    if (rc < 0) {
        config_pairs_free(p, n);
        p = NULL;
    }
    *out = p;
    return rc;
}

void config_pairs_free(struct admin_config *p, size_t n)
{
    for (size_t i = 0; p && i < n; i++)
        free((char *)(uintptr_t)p[i].name);
    free(p);
}

const struct admin_setting *config_find(const struct admin_settings *known, const char *name)
{
    for (int32_t i = 0; i < known->n; i++)
        if (slice_eq_str(known->v[i].is.name, name))
            return &known->v[i];
    return NULL;
}

int config_unknown(const struct admin_settings *known, const char *name, struct kerr *e)
{
    struct nearest near = {.word = name};
    char text[128], best[128];

    for (int32_t i = 0; i < known->n; i++) {
        struct slice s = known->v[i].is.name;
        if (s.n >= sizeof text)
            continue;
        memcpy(text, s.p, s.n);
        text[s.n] = 0;
        nearest_try(&near, text);
        if (near.best == text)
            near.best = memcpy(best, text, s.n + 1);
    }
    if (near.best)
        return kerr_set(e, KE_NOTFOUND, "there is no configuration %s (did you mean %s?)", name,
                        near.best);
    return kerr_set(e, KE_NOTFOUND, "there is no configuration %s", name);
}

void config_blame(const struct admin_settings *known, const struct admin_config *pairs, size_t n,
                  struct kerr *e)
{
    if (e->remote != KAFKA_INVALID_CONFIG && e->remote != KAFKA_INVALID_REQUEST)
        return; /* that has another reason */
    for (size_t i = 0; e->code == KE_REMOTE && i < n; i++)
        if (!config_find(known, pairs[i].name))
            config_unknown(known, pairs[i].name, e);
}

void config_say_idle(const struct ktopic *k, const struct admin_settings *known,
                     const struct admin_config *pairs, size_t n)
{
    for (size_t i = 0; !k->common.quiet && i < n; i++) {
        const struct admin_setting *s = config_find(known, pairs[i].name);
        if (s && s->idle && pairs[i].value)
            cli_say("ktopic", "%s: the broker keeps this, but it has no effect there",
                    pairs[i].name);
    }
}

const char *config_source(int8_t source)
{
    switch (source) {
    case ADMIN_FROM_TOPIC:
        return "topic";
    case ADMIN_FROM_BROKER:
        return "broker";
    case ADMIN_FROM_BROKERS:
        return "brokers";
    case ADMIN_FROM_START:
        return "start";
    case ADMIN_FROM_DEFAULT:
        return "default";
    default:
        return "other";
    }
}

/* ---- whose ---- */

int config_subject_parse(const char *text, struct config_subject *out, struct kerr *e)
{
    int64_t id;

    *out = (struct config_subject){{ADMIN_TOPIC, text}, text};
    if (strncmp(text, "topic:", 6) == 0) {
        out->target.name = text + 6;
    } else if (strcmp(text, "broker") == 0) {
        out->target = (struct admin_target){ADMIN_BROKER, ""};
    } else if (strncmp(text, "broker:", 7) == 0) {
        out->target = (struct admin_target){ADMIN_BROKER, text + 7};
        if (num_parse(text + 7, 0, INT32_MAX, &id, e) < 0)
            return kerr_ctx(e, KE_INVALID, "%s", text);
    }
    if (out->target.type == ADMIN_TOPIC && strchr(out->target.name, ':'))
        return kerr_set(e, KE_INVALID, "'%s' is neither TOPIC nor broker[:ID]", text);
    return 0;
}

static int describe(struct ktopic *k, const struct admin_target *t, struct admin_settings *out,
                    struct kerr *e)
{
    struct client_topic *topic;
    int rc = admin_configs(k->client, t, ktopic_left(k), out, e);

    if (rc == KE_NOTFOUND && t->type == ADMIN_TOPIC)
        ktopic_topic(k, t->name, &topic, e); /* for the name that was meant */
    return rc;
}

int config_known(struct ktopic *k, const struct config_subject *s, struct admin_settings *out,
                 struct kerr *e)
{
    struct admin_cluster cluster;
    char id[16];
    int rc;

    if (s->target.type != ADMIN_BROKER || s->target.name[0])
        return describe(k, &s->target, out, e);
    rc = admin_cluster(k->client, ktopic_left(k), &cluster, e);
    if (rc < 0)
        return rc;
    snprintf(id, sizeof id, "%d", cluster.broker_count > 0 ? cluster.brokers[0].id : 0);
    admin_cluster_free(&cluster);
    return describe(k, &(struct admin_target){ADMIN_BROKER, id}, out, e);
}

/* ---- get ---- */

static const struct column for_people[] = {
    {"name", COL_TEXT}, {"value", COL_TEXT}, {"source", COL_TEXT}, {0}};
static const struct column for_curious_people[] = {
    {"name", COL_TEXT},   {"value", COL_TEXT},         {"source", COL_TEXT},
    {"values", COL_TEXT}, {"documentation", COL_TEXT}, {0}};
static const struct column for_programs[] = {{"of", COL_TEXT},
                                             {"name", COL_TEXT},
                                             {"value", COL_TEXT},
                                             {"source", COL_TEXT},
                                             {"sensitive", COL_FLAG},
                                             {"read_only", COL_FLAG},
                                             {"acts", COL_FLAG},
                                             {"values", COL_TEXT},
                                             {"documentation", COL_TEXT},
                                             {0}};

/* "retention.ms=1000 (topic), log.retention.hours=168 (default)" */
static void put_values(struct buf *b, const struct admin_setting *s)
{
    for (int32_t i = 0; i < s->other_count; i++) {
        const struct admin_value *v = &s->others[i];
        buf_put_str(b, i ? ", " : "");
        buf_put_slice(b, v->name);
        if (!slice_is_null(v->value)) {
            buf_put_u8(b, '=');
            buf_put_slice(b, v->value);
        }
        buf_printf(b, " (%s)", config_source(v->source));
    }
}

static void show(struct ktopic *k, struct writer *w, const struct config_subject *of,
                 const struct admin_setting *s)
{
    const char *source = config_source(s->is.source);
    bool idle = s->idle && s->is.source != ADMIN_FROM_DEFAULT, all = k->common.verbose > 0;
    struct buf text = {0};

    if (k->json)
        writer_text(w, slice_str(of->text));
    writer_text(w, s->is.name);
    writer_text(w, s->sensitive && !k->json ? slice_str("(hidden)") : s->is.value);
    buf_printf(&text, "%s%s", source, idle && !k->json ? ", no effect" : "");
    writer_text(w, buf_slice(&text));
    if (k->json) {
        writer_flag(w, s->sensitive);
        writer_flag(w, s->read_only);
        writer_flag(w, !s->idle);
    }
    if (k->json || all) {
        buf_clear(&text);
        put_values(&text, s);
        writer_text(w, buf_slice(&text));
        writer_text(w, s->documentation);
    }
    buf_free(&text);
    writer_row(w);
}

/* In the order in which they were asked for; none: all, by name. */
static int show_all(struct ktopic *k, struct writer *w, const struct config_subject *of,
                    const struct admin_settings *s, const struct operands *ops, struct kerr *e)
{
    struct admin_settings known = {0};
    int rc = 0;

    for (int32_t i = 0; ops->n == 2 && i < s->n; i++)
        show(k, w, of, &s->v[i]);
    for (size_t i = 2; rc == 0 && i < ops->n; i++) {
        const struct admin_setting *one = config_find(s, ops->v[i]);
        if (one) {
            show(k, w, of, one);
            continue;
        }
        if (known.n == 0)
            rc = config_known(k, of, &known, e);
        if (rc == 0 && !config_find(&known, ops->v[i]))
            rc = config_unknown(&known, ops->v[i], e);
        else if (rc == 0)
            rc = kerr_set(e, KE_NOTFOUND, "%s is not set for all brokers; what one has: broker:ID",
                          ops->v[i]);
    }
    admin_settings_free(&known);
    return rc;
}

static int get(struct ktopic *k, const struct config_subject *of, const struct operands *ops)
{
    struct admin_settings s;
    struct kerr e = {0};
    struct writer *w;
    int rc = describe(k, &of->target, &s, &e), end;

    if (rc < 0)
        return ktopic_fail(&e);
    if (s.n == 0 && ops->n == 2 && !k->common.quiet)
        cli_say("ktopic", "nothing is set for all brokers; what one has: broker:ID");
    w = ktopic_writer(k, k->json                 ? for_programs
                         : k->common.verbose > 0 ? for_curious_people
                                                 : for_people);
    rc = show_all(k, w, of, &s, ops, &e);
    end = writer_end(w, rc == 0 ? &e : NULL);
    admin_settings_free(&s);
    return rc < 0 || end < 0 ? ktopic_fail(&e) : CLI_DONE;
}

/* ---- set, unset ---- */

static const struct column changes[] = {
    {"of", COL_TEXT}, {"name", COL_TEXT}, {"value", COL_TEXT}, {"done", COL_FLAG}, {0}};

/* A misspelt name to be taken away is not there, and a broker would find nothing wrong with that.
 */
static int check_names(const struct admin_settings *known, const struct admin_config *pairs,
                       size_t n, struct kerr *e)
{
    for (size_t i = 0; i < n; i++)
        if (!pairs[i].value && !config_find(known, pairs[i].name))
            return config_unknown(known, pairs[i].name, e);
    return 0;
}

static void tell(struct ktopic *k, struct writer *w, const struct config_subject *of,
                 const struct admin_config *p)
{
    if (p->value)
        ktopic_told(k, "set", "would set", "%s of %s to %s", p->name, of->text, p->value);
    else
        ktopic_told(k, "unset", "would unset", "%s of %s", p->name, of->text);
    writer_text(w, slice_str(of->text));
    writer_text(w, slice_str(p->name));
    writer_text(w, slice_str(p->value));
    writer_flag(w, !k->dry_run);
    writer_row(w);
}

/* Whether a configuration acts may hang on its value, so the broker is asked again. */
static void say_idle(struct ktopic *k, const struct config_subject *of,
                     const struct admin_config *pairs, size_t n)
{
    struct admin_settings now = {0};

    if (config_known(k, of, &now, NULL) == 0)
        config_say_idle(k, &now, pairs, n);
    admin_settings_free(&now);
}

static int alter(struct ktopic *k, const struct config_subject *of,
                 const struct admin_config *pairs, size_t n)
{
    struct admin_settings known = {0};
    struct writer *w = ktopic_changes(k, changes);
    struct kerr e = {0};
    int rc = config_known(k, of, &known, &e);

    if (rc == 0)
        rc = check_names(&known, pairs, n, &e);
    if (rc == 0) {
        rc = admin_alter_configs(k->client, &of->target, pairs, n, k->dry_run, ktopic_left(k), &e);
        if (rc < 0)
            config_blame(&known, pairs, n, &e);
    }
    for (size_t i = 0; rc == 0 && i < n; i++)
        tell(k, w, of, &pairs[i]);
    if (rc == 0)
        say_idle(k, of, pairs, n);
    admin_settings_free(&known);
    return ktopic_written(w, rc, &e);
}

/* NAME... to pairs without values; config_pairs_free() frees them. */
static int names_only(const char *const *v, size_t n, struct admin_config **out, struct kerr *e)
{
    struct admin_config *p = calloc(n + 1, sizeof *p);
    int rc = p ? 0 : kerr_set(e, KE_NOMEM, "configuration");

    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (strchr(v[i], '='))
            rc = kerr_set(e, KE_INVALID, "%s: unset takes a NAME alone", v[i]);
        else if (!(p[i].name = strdup(v[i])))
            rc = kerr_set(e, KE_NOMEM, "configuration");
    }
    if (rc < 0) {
        config_pairs_free(p, n);
        p = NULL;
    }
    *out = p;
    return rc;
}

static int change(struct ktopic *k, const struct config_subject *of, const struct operands *ops,
                  bool set)
{
    struct admin_config *pairs;
    struct kerr e = {0};
    size_t n = ops->n - 2;
    int rc, status;

    if (n == 0)
        return cli_usage("ktopic", "config %s needs %s", ops->v[0], set ? "NAME=VALUE" : "a NAME");
    rc = (set ? config_pairs : names_only)(ops->v + 2, n, &pairs, &e);
    if (rc < 0)
        return rc == KE_INVALID ? cli_usage("ktopic", "%s", kerr_msg(&e)) : ktopic_fail(&e);
    status = ktopic_connect(k, &e) < 0 ? ktopic_fail(&e) : alter(k, of, pairs, n);
    config_pairs_free(pairs, n);
    return status;
}

static int config(void *ctx, const struct operands *ops)
{
    static const char *const verbs[] = {"get", "set", "unset"};
    struct ktopic *k = ctx;
    struct config_subject of;
    struct kerr e = {0};
    const char *near;

    if (config_subject_parse(ops->v[1], &of, &e) < 0)
        return cli_usage("ktopic", "%s", kerr_msg(&e));
    if (strcmp(ops->v[0], "set") == 0 || strcmp(ops->v[0], "unset") == 0)
        return change(k, &of, ops, ops->v[0][0] == 's');
    if (strcmp(ops->v[0], "get") == 0)
        return ktopic_connect(k, &e) < 0 ? ktopic_fail(&e) : get(k, &of, ops);
    near = nearest(ops->v[0], verbs, 3);
    return near ? cli_usage("ktopic", "config: unknown '%s' (did you mean %s?)", ops->v[0], near)
                : cli_usage("ktopic", "config: '%s' is none of get, set, unset", ops->v[0]);
}

static const struct opt options[] = {
    {'n', "dry-run", NULL, "let the broker check it, change nothing", OPT_FLAG,
     .at = offsetof(struct ktopic, dry_run)},
    {0},
};

const struct opt_command config_command = {"config",
                                           "get|set|unset TOPIC|broker[:ID] [NAME[=VALUE]]... [-n]",
                                           "configurations of topics and brokers",
                                           options,
                                           2,
                                           OPT_MANY,
                                           config,
                                           .words = "get|set|unset SUBJECT CONFIG"};
