/*
 * kprod - text into a topic.
 */
#include "kprod.h"

#include "cli/escape.h"
#include "cli/exit.h"
#include "cli/nearest.h"
#include "cli/num.h"
#include "cli/settings.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define GRACE_MS 2000 /* for what is under way when a signal asks to stop */

static const char tool[] = "kprod";

/* ---- options ---- */

static int parse_codec(void *field, const char *arg, struct kerr *e)
{
    static const char *const names[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    struct codec_choice *c = field;
    const char *colon = strchr(arg, ':');
    size_t n = colon ? (size_t)(colon - arg) : strlen(arg);
    int64_t level = 0;
    int rc = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == n && memcmp(names[i], arg, n) == 0)
            c->name = names[i];
    if (!c->name || strncmp(c->name, arg, n) != 0)
        return kerr_set(e, KE_INVALID, "'%s', expected none, gzip, snappy, lz4 or zstd[:LEVEL]",
                        arg);
    c->has_level = colon != NULL;
    if (colon)
        rc = num_parse(colon + 1, INT32_MIN, INT32_MAX, &level, e);
    c->level = (int)level;
    return rc;
}

#define AT(field) .at = offsetof(struct kprod, field)

static const struct opt options[] = {
    {'0', "null", NULL, "records end with NUL", OPT_FLAG, AT(nul), .excludes = "framing"},
    {'D', "delimiter", "DELIM", "records end with DELIM (\\n \\t \\0 \\xHH)", OPT_TEXT,
     AT(delim_text), .excludes = "framing"},
    {'B', "whole", NULL, "the whole of each input is one record", OPT_FLAG, AT(whole),
     .excludes = "framing"},
    {'K', "key-delimiter", "DELIM", "a record is a key, DELIM and a value", OPT_TEXT,
     AT(key_delim_text), .excludes = "key"},
    {'k', "key", "KEY", "the key of all records", OPT_TEXT, AT(key), .excludes = "key"},
    {'H', "header", "NAME=VALUE", "a header for all records", OPT_LIST, AT(header_texts)},
    {'p', "partition", "PARTITION", "send to this one", OPT_INT, AT(partition), .max = INT32_MAX},
    {'z', "compress", "none|gzip|snappy|lz4|zstd[:LEVEL]", "compress batches", OPT_CALL, AT(codec),
     .call = parse_codec},
    {'a', "acks", "0|1|all", "what counts as done: sent, stored by the leader, stored safely",
     OPT_TEXT, AT(acks)},
    {'Z', "empty-is-null", NULL, "an empty value (with -K: an empty field) is null", OPT_FLAG,
     AT(empty_is_null)},
    {'T', "tee", NULL, "copy to stdout what was acknowledged", OPT_FLAG, AT(tee)},
    {0, "from-byte", "N", "begin behind the first N bytes of the input", OPT_INT, AT(from_byte),
     .max = INT64_MAX},
    {0, "timestamp", "MS", "of all records, in milliseconds since 1970", OPT_INT, AT(timestamp),
     .max = INT64_MAX},
    {0},
};

const struct opt_tool kprod_tool = {
    "kprod",
    "[OPTION]... TOPIC [FILE]...",
    "text from FILEs or stdin to TOPIC, a record a line",
    .own = options,
    .common = common_options,
    .min_operands = 1,
    .max_operands = OPT_MANY,
    .words = "TOPIC FILE",
};

static int split_headers(struct kprod *k, struct kerr *e)
{
    k->headers = calloc(k->header_texts.n + 1, sizeof *k->headers);
    if (!k->headers)
        return kerr_set(e, KE_NOMEM, "out of memory");
    for (size_t i = 0; i < k->header_texts.n; i++) {
        const char *text = k->header_texts.v[i], *eq = strchr(text, '=');
        if (!eq || eq == text)
            return kerr_set(e, KE_INVALID, "-H '%s': expected NAME=VALUE", text);
        k->headers[i].name = slice_of(text, (size_t)(eq - text));
        k->headers[i].value = slice_str(eq + 1);
    }
    return 0;
}

static int set_property(void *conf, const char *name, const char *value, struct kerr *e)
{
    return client_conf_set(conf, name, value, e);
}

static int configure(struct kprod *k, struct kerr *e)
{
    struct properties p = {0};
    int rc = common_properties(&k->common, &p, e);

    client_conf_init(&k->conf);
    if (rc == 0)
        rc = settings_apply(&p, set_property, client_conf_name, &k->conf, e);
    properties_free(&p);
    if (rc == 0 && k->acks && (rc = client_conf_set(&k->conf, "acks", k->acks, e)) < 0)
        return kerr_ctx(e, rc, "-a");
    if (rc == 0 && k->codec.name) {
        rc = client_conf_set(&k->conf, "compression.type", k->codec.name, e);
        if (k->codec.has_level)
            k->conf.levels[k->conf.codec] = k->codec.level;
    }
    if (rc == 0)
        rc = client_conf_check(&k->conf, e);
    if (rc == 0)
        rc = unescape(k->nul ? "\\0" : k->delim_text ? k->delim_text : "\n", &k->delim, e);
    if (rc == 0 && k->key_delim_text)
        rc = unescape(k->key_delim_text, &k->key_delim, e);
    if (rc == 0 && (k->delim.n == 0 || (k->key_delim_text && k->key_delim.n == 0)))
        rc = kerr_set(e, KE_INVALID, "an empty delimiter");
    return rc < 0 ? rc : split_headers(k, e);
}

static void warn_of_idle(struct kprod *k)
{
    const char *s = k->conf.idle.n ? buf_cstr(&k->conf.idle) : "";

    for (size_t n; *s && !k->common.quiet; s += n + 1) {
        n = strcspn(s, "\n");
        cli_say(tool, "setting %.*s has no effect here", (int)n, s);
    }
}

/* ---- the topic ---- */

static void near_name(void *arg, struct slice name, bool internal)
{
    struct nearest *n = arg;
    const char *before = n->best;
    char *copy = internal ? NULL : strndup((const char *)name.p, name.n);

    if (!copy)
        return;
    nearest_try(n, copy);
    if (n->best != copy)
        free(copy);
    else
        free((char *)(uintptr_t)before);
}

static int no_such_topic(struct kprod *k)
{
    struct nearest n = {.word = k->topic_name};
    char shown[DIAG_ESCAPED_MAX];

    client_each_topic(k->client, 2000, near_name, &n, NULL);
    if (n.best)
        cli_say(tool,
                "topic %s does not exist (did you mean %s?); create it with 'ktopic create %s'",
                k->topic_name, diag_escape(shown, sizeof shown, slice_str(n.best)), k->topic_name);
    else
        cli_say(tool, "topic %s does not exist; create it with 'ktopic create %s'", k->topic_name,
                k->topic_name);
    free((char *)(uintptr_t)n.best);
    return CLI_FAILED;
}

/* -1: go on. */
static int find_topic(struct kprod *k)
{
    bool created = false;
    struct kerr e = {0};
    int rc;

    k->topic = client_topic(k->client, slice_str(k->topic_name));
    if (!k->topic)
        return cli_fail(tool, (kerr_set(&e, KE_NOMEM, "out of memory"), &e));
    rc = client_topic_wait(k->client, k->topic, true, k->common.timeout_ms, &created, &e);
    if (k->signal)
        return k->signal;
    if (rc == KE_NOTFOUND)
        return no_such_topic(k);
    if (rc < 0)
        return cli_fail(tool, &e);
    if (created && !k->common.quiet)
        cli_say(tool, "created topic %s, %d partition%s (auto.create.topics.enable)", k->topic_name,
                k->topic->count, k->topic->count == 1 ? "" : "s");
    if (k->partition >= k->topic->count) {
        cli_say(tool, "topic %s has no partition %d: it has %d", k->topic_name, (int)k->partition,
                k->topic->count);
        return CLI_FAILED;
    }
    return -1;
}

/* ---- the loop ---- */

struct waits {
    struct kprod *k;
    struct net_watch signals, in;
    struct net_timer timeout;
    bool readable, watching;
};

static void signalled(struct net_watch *w, bool readable, bool writable)
{
    struct waits *s = (struct waits *)((char *)w - offsetof(struct waits, signals));
    struct signalfd_siginfo si;

    (void)readable;
    (void)writable;
    if (read(w->fd, &si, sizeof si) != (ssize_t)sizeof si)
        return;
    if (s->k->signal) /* asked twice: at once */
        cli_die_by((int)si.ssi_signo);
    s->k->signal = (int)si.ssi_signo;
    client_interrupt(s->k->client, true);
}

static void in_ready(struct net_watch *w, bool readable, bool writable)
{
    struct waits *s = (struct waits *)((char *)w - offsetof(struct waits, in));

    (void)readable;
    (void)writable;
    s->readable = true;
}

static void timed_out(struct net_timer *t)
{
    struct waits *s = (struct waits *)((char *)t - offsetof(struct waits, timeout));

    s->k->timed_out = true;
}

static bool watch_signals(struct waits *s)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->signals.ready = signalled;
    return fd >= 0 && net_watch_set(&s->signals, client_loop(s->k->client), fd, true, false) == 0;
}

static bool asked_to_end(const struct kprod *k)
{
    return k->signal || k->timed_out || k->stdout_closed ||
           producer_failed(k->producer, NULL, NULL);
}

/* Until there is input, or something else that changes what is to be done. */
static void wait_for_input(struct waits *s)
{
    struct kprod *k = s->k;
    int fd = input_fd(k->input);

    if (fd < 0) {
        client_poll(k->client, 0);
        return;
    }
    if (!s->watching) {
        s->in.ready = in_ready;
        /* what cannot be waited for can be read at any time */
        s->readable = net_watch_set(&s->in, client_loop(k->client), fd, true, false) < 0;
        s->watching = !s->readable;
        if (s->readable) {
            client_poll(k->client, 0);
            return;
        }
    }
    s->readable = false;
    while (!s->readable && !asked_to_end(k)) {
        client_poll(k->client, -1);
        account_tee(k);
    }
}

static int run(struct waits *s, struct kerr *e)
{
    struct kprod *k = s->k;
    int fd = -1, rc = 1;

    while (rc == 1 && !asked_to_end(k)) {
        if (input_fd(k->input) != fd && s->watching) {
            net_watch_clear(&s->in);
            s->watching = false;
        }
        fd = input_fd(k->input);
        wait_for_input(s);
        account_tee(k);
        if (asked_to_end(k))
            break;
        rc = input_step(k->input, e);
        if (rc == KE_AGAIN) {
            /* only acknowledgements help */
            net_watch_clear(&s->in);
            s->watching = false;
            while (rc == KE_AGAIN && !asked_to_end(k)) {
                client_poll(k->client, -1);
                account_tee(k);
                rc = input_step(k->input, e);
            }
        }
    }
    net_watch_clear(&s->in);
    k->input_ended = rc == 0;
    return rc == 1 || rc == KE_AGAIN || rc == KE_CLOSED ? 0 : rc;
}

/* What has been taken in is acknowledged, or it is known why not. */
static void finish(struct kprod *k, struct net_timer *grace)
{
    bool bounded = false;

    producer_flush(k->producer);
    while (!producer_idle(k->producer) && !k->timed_out) {
        if (k->signal && !bounded) {
            bounded = true;
            client_interrupt(k->client, false);
            net_timer_set(grace, GRACE_MS);
        }
        client_poll(k->client, -1);
        account_tee(k);
    }
    if (!producer_idle(k->producer))
        producer_stop(k->producer);
    account_tee(k);
}

static int produce(struct kprod *k, struct waits *s)
{
    struct progress progress;
    struct kerr e = {0};
    int rc;

    rc = producer_new(&k->producer, k->client, account_report, k, &e);
    if (rc < 0)
        return cli_fail(tool, &e);
    progress_start(&progress, k);
    rc = run(s, &e);
    finish(k, &s->timeout);
    progress_stop(&progress);
    return account_end(k, rc, &e);
}

static int work(struct kprod *k, struct waits *s, const struct operands *ops)
{
    struct kerr e = {0};
    int rc;

    if (!watch_signals(s))
        return cli_fail(tool, (kerr_sys(&e, KE_IO, "signals"), &e));
    net_timer_init(&s->timeout, client_loop(k->client), timed_out);
    if (k->common.timeout_ms >= 0) {
        client_be_patient(k->client);
        net_timer_set(&s->timeout, k->common.timeout_ms);
    }
    rc = input_new(&k->input, k, ops->v + 1, ops->n - 1, &e);
    if (rc < 0)
        return cli_fail(tool, &e);
    rc = find_topic(k);
    return rc < 0 ? produce(k, s) : rc;
}

static int live(struct kprod *k, const struct operands *ops)
{
    struct waits s = {.k = k};
    struct kerr e = {0};
    int status;

    signal(SIGPIPE, SIG_IGN);
    k->topic_name = ops->v[0];
    cli_diag(&k->diag, tool, k->common.quiet, k->common.verbose);
    if (configure(k, &e) < 0)
        return cli_usage(tool, "%s", kerr_msg(&e));
    warn_of_idle(k);
    if (client_new(&k->client, &k->conf, &k->diag, &e) < 0)
        return cli_usage(tool, "%s", kerr_msg(&e));
    status = work(k, &s, ops);
    producer_free(k->producer);
    if (s.signals.fd > 0) {
        net_watch_clear(&s.signals);
        close(s.signals.fd);
        net_timer_clear(&s.timeout);
    }
    client_free(k->client);
    input_free(k->input);
    return status;
}

int main(int argc, char **argv)
{
    struct kprod k = {.partition = -1, .timestamp = INT64_MIN, .common = COMMON_CONF_DEFAULT};
    struct operands ops;
    int status = opt_main(&kprod_tool, argc, argv, &k, &k.common, &ops);

    if (status < 0)
        status = live(&k, &ops);
    client_conf_free(&k.conf);
    buf_free(&k.delim);
    buf_free(&k.key_delim);
    buf_free(&k.teed);
    free(k.headers);
    opt_list_free(&k.header_texts);
    common_conf_free(&k.common);
    operands_free(&ops);
    if (k.signal)
        cli_die_by(k.signal);
    return status;
}
