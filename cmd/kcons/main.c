/*
 * kcons - a topic as text.
 */
#include "kcons.h"

#include "cli/escape.h"
#include "cli/exit.h"
#include "cli/num.h"
#include "cli/settings.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GRACE_S 2 /* for what is written when a signal asks to stop */

static const char tool[] = "kcons";

/* ---- options ---- */

static int add_partitions(void *field, const char *arg, struct kerr *e)
{
    struct number_list *l = field;
    char *copy = strdup(arg), *save = NULL;
    int rc = copy ? 0 : kerr_set(e, KE_NOMEM, "out of memory");

    if (copy && (!*arg || arg[strlen(arg) - 1] == ','))
        rc = kerr_set(e, KE_INVALID, "'%s', expected PARTITION[,PARTITION...]", arg);
    for (char *s = copy ? strtok_r(copy, ",", &save) : NULL; rc == 0 && s;
         s = strtok_r(NULL, ",", &save)) {
        int32_t *v = realloc(l->v, (l->n + 1) * sizeof *v);
        int64_t number = 0;
        if (!v) {
            rc = kerr_set(e, KE_NOMEM, "out of memory");
            break;
        }
        l->v = v;
        rc = num_parse(s, 0, INT32_MAX, &number, e);
        l->v[l->n++] = (int32_t)number;
    }
    free(copy);
    return rc;
}

#define AT(field) .at = offsetof(struct kcons, field)

static const struct opt options[] = {
    {'o', "offset", "OFFSET", "begin at beginning, end, N or -N (N before the end)", OPT_TEXT,
     AT(start_text), .excludes = "start"},
    {0, "from", "WHEN", "only what is of that time or later (2026-08-01, -2h), or an offset",
     OPT_TEXT, AT(from_text), .excludes = "start"},
    {0, "until", "WHEN", "only what is from before that time, or offset; then end", OPT_TEXT,
     AT(until_text)},
    {'e', "end", NULL, "end where partitions ended at the start", OPT_FLAG, AT(to_end)},
    {'c', "count", "N", "end after N records", OPT_INT, AT(count), .max = INT64_MAX},
    {'p', "partitions", "PARTITION[,PARTITION...]", "only these", OPT_CALL, AT(partitions),
     .call = add_partitions},
    {'0', "null", NULL, "end records with NUL", OPT_FLAG, AT(nul), .excludes = "framing"},
    {'D', "delimiter", "DELIM", "end records with DELIM (\\n \\t \\0 \\xHH)", OPT_TEXT,
     AT(delim_text), .excludes = "framing"},
    {'f', "format", "FORMAT",
     "print %t topic %p partition %o offset %T timestamp %k key %s value, ...", OPT_TEXT,
     AT(format_text), .excludes = "framing"},
    {'J', "json", NULL, "a JSON object a line", OPT_FLAG, AT(json), .excludes = "framing"},
    {'K', "key-delimiter", "DELIM", "the key and DELIM before each value", OPT_TEXT,
     AT(key_delim_text)},
    {'u', "unbuffered", NULL, "write after every record", OPT_FLAG, AT(unbuffered)},
    {0, "read-uncommitted", NULL, "records of aborted and open transactions too", OPT_FLAG,
     AT(read_uncommitted)},
    {0, "dir", "DIR", "read the log directory DIR, without a broker", OPT_TEXT, AT(dir)},
    {0},
};

const struct opt_tool kcons_tool = {
    "kcons",
    "[OPTION]... TOPIC...",
    "a topic's records to stdout, a line each",
    .own = options,
    .common = common_options,
    .min_operands = 1,
    .max_operands = OPT_MANY,
    .words = "TOPIC",
};

static int parse_bound(const char *option, const char *text, struct when *out, struct kerr *e)
{
    int rc = when_parse(text, os_wall(os_clock_real()), out, e);

    if (rc == 0 && out->kind == WHEN_STORED)
        rc = kerr_set(e, KE_INVALID, "stored offsets are those of a group, and kcons has none");
    return rc < 0 ? kerr_ctx(e, rc, "%s", option) : 0;
}

static int set_bounds(struct kcons *k, struct kerr *e)
{
    int rc = 0;

    k->from_time = INT64_MIN;
    k->until_time = INT64_MAX;
    if (k->start_text) {
        rc = parse_bound("-o", k->start_text, &k->start, e);
        if (rc == 0 && k->start.kind == WHEN_TIME)
            rc = kerr_set(e, KE_INVALID,
                          "-o '%s': expected beginning, end, N or -N; a time needs --from",
                          k->start_text);
    }
    if (rc == 0 && k->from_text)
        rc = parse_bound("--from", k->from_text, &k->start, e);
    if (rc == 0 && k->until_text)
        rc = parse_bound("--until", k->until_text, &k->until, e);
    if (rc < 0)
        return rc;
    if (k->start.kind == WHEN_TIME)
        k->from_time = k->start.value;
    if (k->until_text && k->until.kind == WHEN_TIME)
        k->until_time = k->until.value;
    return 0;
}

static int set_framing(struct kcons *k, struct kerr *e)
{
    int rc = unescape(k->nul ? "\\0" : k->delim_text ? k->delim_text : "\n", &k->delim, e);

    if (rc == 0 && k->key_delim_text)
        rc = unescape(k->key_delim_text, &k->key_delim, e);
    if (rc == 0 && (k->delim.n == 0 || (k->key_delim_text && k->key_delim.n == 0)))
        rc = kerr_set(e, KE_INVALID, "an empty delimiter");
    if (rc == 0 && k->key_delim_text && (k->json || k->format_text))
        rc = kerr_set(e, KE_INVALID, "-K goes with lines, not with %s", k->json ? "-J" : "-f");
    if (rc == 0 && k->format_text)
        rc = format_new(&k->format, k->format_text, e);
    return rc;
}

static int set_property(void *conf, const char *name, const char *value, struct kerr *e)
{
    return client_conf_set(conf, name, value, e);
}

static int set_properties(struct kcons *k, struct kerr *e)
{
    struct properties p = {0};
    int rc = common_properties(&k->common, &p, e);

    if (rc == 0)
        rc = settings_apply(&p, set_property, client_conf_name, &k->conf, e);
    properties_free(&p);
    if (rc == 0 && k->read_uncommitted)
        k->conf.read_committed = false;
    return rc == 0 ? client_conf_check(&k->conf, e) : rc;
}

static int configure(struct kcons *k, struct kerr *e)
{
    int rc;

    client_conf_init(&k->conf);
    if (k->dir && k->common.brokers)
        return kerr_set(e, KE_INVALID, "--dir reads files, -b asks brokers: one of them");
    rc = set_bounds(k, e);
    if (rc == 0)
        rc = set_framing(k, e);
    if (rc == 0)
        rc = set_properties(k, e);
    return rc == 0 ? record_iter_new(&k->it, e) : rc;
}

static void warn_of_idle(const struct kcons *k, struct buf *idle)
{
    const char *s = idle->n ? buf_cstr(idle) : "";

    for (size_t n; *s && !k->common.quiet; s += n + 1) {
        n = strcspn(s, "\n");
        cli_say(tool, "setting %.*s has no effect here", (int)n, s);
    }
}

bool kcons_wants(const struct kcons *k, int32_t partition)
{
    for (size_t i = 0; i < k->partitions.n; i++)
        if (k->partitions.v[i] == partition)
            return true;
    return k->partitions.n == 0;
}

int kcons_check_partitions(const struct kcons *k, const char *topic, int32_t count, struct kerr *e)
{
    for (size_t i = 0; i < k->partitions.n; i++)
        if (k->partitions.v[i] >= count)
            return kerr_set(e, KE_NOTFOUND, "topic %s has no partition %d: it has %d", topic,
                            k->partitions.v[i], count);
    return 0;
}

/* ---- signals and time ---- */

static volatile sig_atomic_t asked;
static struct client *volatile interrupts;
static int asked_fd = -1;

/* A write to a reader that has stalled blocks: a second signal, or the alarm, ends it. */
static void on_signal(int sig)
{
    uint64_t one = 1;
    ssize_t ignored;
    int saved = errno;

    if (asked)
        cli_die_by(asked);
    asked = sig;
    alarm(GRACE_S);
    if (interrupts)
        client_interrupt(interrupts, true);
    ignored = write(asked_fd, &one, sizeof one);
    (void)ignored;
    errno = saved;
}

static bool catch_signals(void)
{
    static const int all[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM};
    struct sigaction a = {.sa_handler = on_signal};

    signal(SIGPIPE, SIG_IGN);
    asked_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (sigaction(all[i], &a, NULL) < 0)
            return false;
    return asked_fd >= 0;
}

int kcons_signal(void)
{
    return asked;
}

int kcons_signal_fd(void)
{
    return asked_fd;
}

void kcons_interrupts(struct client *c)
{
    interrupts = c;
    if (c && asked)
        client_interrupt(c, true);
}

int64_t kcons_left_ms(const struct kcons *k)
{
    int64_t ms;

    if (k->common.timeout_ms < 0)
        return -1;
    ms = mono_diff_ms(k->deadline, os_mono(os_clock_real()));
    return ms < 0 ? 0 : ms + 1;
}

bool kcons_over(struct kcons *k)
{
    k->timed_out = k->timed_out || kcons_left_ms(k) == 0;
    return asked || k->timed_out;
}

/* ---- main ---- */

static int live(struct kcons *k, const struct operands *ops)
{
    struct kerr e = {0};

    k->topics = ops->v;
    k->topic_count = ops->n;
    cli_diag(&k->diag, tool, k->common.quiet, k->common.verbose);
    if (configure(k, &e) < 0)
        return cli_usage(tool, "%s", kerr_msg(&e));
    if (!catch_signals())
        return cli_fail(tool, (kerr_sys(&e, KE_IO, "signals"), &e));
    warn_of_idle(k, &k->conf.idle);
    if (k->common.timeout_ms >= 0)
        k->deadline = mono_add_ms(os_mono(os_clock_real()), k->common.timeout_ms);
    return k->count == 0 ? CLI_DONE : k->dir ? dir_run(k) : live_run(k);
}

int main(int argc, char **argv)
{
    struct kcons k = {.count = -1, .common = COMMON_CONF_DEFAULT};
    struct operands ops;
    int status = opt_main(&kcons_tool, argc, argv, &k, &k.common, &ops);

    if (status < 0)
        status = live(&k, &ops);
    client_conf_free(&k.conf);
    format_free(k.format);
    record_iter_free(k.it);
    buf_free(&k.delim);
    buf_free(&k.key_delim);
    buf_free(&k.out);
    free(k.partitions.v);
    common_conf_free(&k.common);
    operands_free(&ops);
    if (asked)
        cli_die_by(asked);
    return status;
}
