#include "ktopic.h"

#include "cli/nearest.h"
#include "cli/settings.h"
#include "client/offsets.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct opt_command *const commands[] = {
    &list_command,    &create_command, &describe_command, &alter_command,
    &delete_command,  &config_command, &offsets_command,  &trim_command,
    &cluster_command, &dump_command,   &verify_command,   NULL,
};

static const struct opt own[] = {
    {0, "json", NULL, "an object a line, for programs", OPT_FLAG,
     .at = offsetof(struct ktopic, json)},
    {0},
};

static const struct opt_tool tool = {
    "ktopic",
    "COMMAND [OPTION]... [ARG]...",
    "topics, offsets and segment files",
    .own = own,
    .common = common_options,
    .commands = commands,
    .lookup = ktopic_lookup,
};

static int set(void *conf, const char *name, const char *value, struct kerr *e)
{
    return client_conf_set(conf, name, value, e);
}

int ktopic_connect(struct ktopic *k, struct kerr *e)
{
    struct properties p = {0};
    int rc = common_properties(&k->common, &p, e);

    client_conf_init(&k->conf);
    if (rc == 0)
        rc = settings_apply(&p, set, client_conf_name, &k->conf, e);
    if (rc == 0)
        rc = client_conf_check(&k->conf, e);
    if (rc == 0)
        rc = client_new(&k->client, &k->conf, &k->diag, e);
    if (rc == 0 && k->common.timeout_ms >= 0)
        client_be_patient(k->client);
    k->deadline = mono_add_ms(os_mono(os_clock_real()), k->common.timeout_ms);
    properties_free(&p);
    return rc;
}

int64_t ktopic_left(const struct ktopic *k)
{
    int64_t ms = mono_diff_ms(k->deadline, os_mono(os_clock_real()));

    return k->common.timeout_ms < 0 ? -1 : ms > 0 ? ms : 0;
}

static void try_name(void *arg, struct slice name, bool internal)
{
    struct nearest *n = arg;
    char *copy;

    if (internal || name.n > 249)
        return;
    copy = strndup((const char *)name.p, name.n);
    if (!copy)
        return;
    nearest_try(n, copy);
    if (n->best != copy)
        free(copy);
}

int ktopic_topic(struct ktopic *k, const char *name, struct client_topic **out, struct kerr *e)
{
    struct nearest n = {.word = name};
    int rc;

    *out = client_topic(k->client, slice_str(name));
    if (!*out)
        return kerr_set(e, KE_NOMEM, "topic");
    rc = client_topic_wait(k->client, *out, false, ktopic_left(k), NULL, e);
    if (rc == KE_NOTFOUND &&
        client_each_topic(k->client, ktopic_left(k), try_name, &n, NULL) == 0 && n.best)
        kerr_set(e, KE_NOTFOUND, "topic %s does not exist (did you mean %s?)", name, n.best);
    return rc;
}

int ktopic_ends(struct ktopic *k, struct client_topic *t, int64_t **out, struct kerr *e)
{
    static const int64_t which[2] = {OFFSETS_START, OFFSETS_END};
    size_t n = (size_t)t->count;
    struct offset_query *q = calloc(n + 1, sizeof *q);
    int64_t *v = calloc(2 * n + 1, sizeof *v);
    int rc = q && v ? 0 : kerr_set(e, KE_NOMEM, "offsets");

    for (size_t w = 0; rc == 0 && w < 2; w++) {
        for (size_t i = 0; i < n; i++)
            q[i] = (struct offset_query){.topic = t, .partition = (int32_t)i, .at = which[w]};
        rc = client_offsets(k->client, q, n, false, ktopic_left(k), e);
        for (size_t i = 0; rc == 0 && i < n; i++)
            v[2 * i + w] = q[i].offset;
    }
    free(q);
    if (rc < 0) {
        free(v);
        return rc;
    }
    *out = v;
    return 0;
}

struct writer *ktopic_writer(const struct ktopic *k, const struct column *columns)
{
    return writer_new(k->json ? WRITER_JSON : WRITER_TABLE, columns, !k->common.quiet, stdout);
}

struct writer *ktopic_changes(const struct ktopic *k, const struct column *columns)
{
    return k->json ? ktopic_writer(k, columns) : NULL;
}

int ktopic_written(struct writer *w, int rc, struct kerr *e)
{
    int end = w ? writer_end(w, rc == 0 ? e : NULL) : 0;

    return rc < 0 || end < 0 ? ktopic_fail(e) : CLI_DONE;
}

void ktopic_told(const struct ktopic *k, const char *done, const char *would, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    if (k->common.quiet || !(k->dry_run || k->common.verbose))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    cli_say("ktopic", "%s %s", k->dry_run ? would : done, text);
}

int ktopic_fail(const struct kerr *e)
{
    return cli_fail("ktopic", e);
}

static int run(struct ktopic *k, const struct operands *ops)
{
    int status;

    signal(SIGPIPE, SIG_IGN);
    cli_diag(&k->diag, "ktopic", k->common.quiet, k->common.verbose);
    status = ops->command->run(k, ops);
    if (k->client) {
        client_free(k->client);
        client_conf_free(&k->conf);
    }
    return cli_close_stdout("ktopic", status);
}

int main(int argc, char **argv)
{
    struct ktopic k = {.common = COMMON_CONF_DEFAULT, .partitions = -1, .replication = -1};
    struct operands ops;
    int status = opt_main(&tool, argc, argv, &k, &k.common, &ops);

    if (status < 0)
        status = run(&k, &ops);
    opt_list_free(&k.configs);
    common_conf_free(&k.common);
    operands_free(&ops);
    return status;
}
